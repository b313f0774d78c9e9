"""Payment gateways: one protocol for all of them; knows no orders.

protocol — what is asked of a gateway, what it answers, what can go wrong
answers — what an answer means for the charge protocol
registry — the table of gateways: which there are, how each is opened
contract — the test that `payment-systems check` runs against any gateway
sandbox, manual, command, stripe — the built-in gateways
"""
