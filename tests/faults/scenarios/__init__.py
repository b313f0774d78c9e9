"""The smallest stories that show a broken safety claim, each with the mistakes that it must notice.

registry — where a story is kept under its name, and what a mistake is
steps — what several stories do
by_hand — what people record, refund and take back by hand
charges — a charge whose answer is late, lost, wrong or of another payment
clocks — a machine whose clock is wrong
copies — a copy of the database that comes to life: what the other one did is not done again
imports — files that come in
moved_there — refunds and disputes that the payment system tells of
plans — recurring orders that are paused, moved and changed
processes — processes that hang, die or do not wait for each other
records — closed months, statements of a payment system, and reports
ticks — a tick that dies, leaves something, is held or meets what it cannot record
"""
