"""Read-only answers about the database.

customer_card — what a customer paid and owes, and the commands that are possible now
doctor — integrity, stored sums, scheduler, and what needs attention
doubles — records that are likely one
finding — what doctor finds, with advice that its reader may follow
explain — why a record is in its state, and what happens next
glance — what a period brought beside the one before, and what is to come
owing — who owes what, and by when
todo — what a person must do, the largest amounts first
upcoming — the payments that recurring orders are expected to bring
"""
