"""The tables as numbered migrations: a new database runs them all, an upgrade the pending ones.

steps — helpers of migrations: run a script, rebuild a table
m0001_house — version 1, released as 0.1.0
m0002_retry_after — version 2: the waits after declined payments in one column
m0003_refund_cost — version 3: a refund costs the same in a file of any size
m0004_checked_elsewhere — version 4: when a person checked what another copy did at a payment system
m0005_one_payment_each — version 5: one payment of a gateway pays one invoice
m0006_gateway_checks — version 6: test charges, until they are refunded
m0007_moved_elsewhere — version 7: refunds and disputes made at the payment system
m0008_written_at — version 8: when each line of history was written
m0009_closed_months — version 9: months that are closed
m0010_credit — version 10: what was paid above the price is credit
m0011_order_comment — version 11: a comment of an order
m0012_sells — version 12: who is offered as a sale's manager
m0013_resolve — version 13: a permission to resolve unknown outcomes
m0014_names — version 14: keys of names, and records merged into others
m0015_currencies — version 15: currencies of the past that had no decimals
m0016_payment_reference — version 16: the reference of an imported payment
m0017_default_system — version 17: the payment system of an offer
m0018_saved_tokens — version 18: saved payment methods of customers
m0019_instalments — version 19: when the parts of an order's price are due
m0020_resumes_at — version 20: until when a recurring order is paused
m0021_hooks — version 21: hooks, each with the last event that it was told
m0022_views — version 22: views for other programs
m0023_letters — version 23: a customer's language, and when a card expires
m0024_shares — version 24: what users earn of their sales
m0025_facts — version 25: a narrow table of what reports count
m0026_uids — version 26: imported orders without a uid of their own
m0027_first_pages — version 27: indexes for first pages
m0028_whole_numbers — version 28: times as whole numbers, and an index of what is left to pay
m0029_to_do — version 29: indexes of what todo asks for
m0030_steps — version 30: an index of the steps of recurring orders

To change a table, add a file with the next number and raise `storage/schema.VERSION`; a released file is never edited.
"""
