"""The database: open it, write in transactions, its schema, totals and history."""
