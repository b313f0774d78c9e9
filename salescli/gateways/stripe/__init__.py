"""Stripe: the client, its codes, its errors, its refunds and disputes."""
