"""Orders, invoices, attempts, refunds, disputes, recurring orders, and whose sale they are.

orders — an order and its states
order_edit — mend an order that was typed wrong
instalments — the days on which parts of an order's price are due
invoices — one payment of an order, its commission
changes — changes of any of them: their rule, their rows, their lines of history
attempts — one try each to move an invoice's money
new_attempts — an attempt that begins, under its reference
refunds — money of an invoice that went back
customer_credit — what a customer paid above the price
disputes — chargebacks: open, won or lost
recurring — a recurring order: its payments, dates, retries
payment_orders — the orders and invoices of its payments
recurring_actions — what people decide about recurring orders
recurring_edit — change the payments to come
attribution — who made a sale, and whether that is confirmed
closed_months — months whose sums stay, and when money counts whose month is closed
sales_plans — a manager's mark that a customer paid for an offer
"""
