"""One renderer for all lists, records and reports."""
