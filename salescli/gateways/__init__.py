"""Payment gateways: one protocol for all of them; independent of orders.

protocol — requests to a gateway, its answers and errors
answers — what an answer means for the charge protocol
registry — the table of gateways, and how each is opened
contract — the test that `payment-systems check` runs against any gateway
program — a program run once, ended at its deadline
sandbox, manual, command, stripe — the built-in gateways
"""
