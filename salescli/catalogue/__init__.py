"""What people enter: offers, categories, customers, payment systems, users and roles."""
