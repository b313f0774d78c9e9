"""Read-only answers about the file: doctor, explain, todo, a customer's card, upcoming payments."""
