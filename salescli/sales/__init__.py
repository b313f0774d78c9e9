"""Orders, invoices, attempts, recurring orders, and whose sale they are."""
