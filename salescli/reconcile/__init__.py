"""A payment system's own statement beside our records."""
