"""Stripe: the client, its codes, its errors."""
