"""Told in time: what happens as numbered events, and who is told of each once, in order.

events — the history as events: a kind, a number, whom and what it is about
hooks — who is told: their settings, and how far each was told
deliver — bring every hook up to date, within a deadline; a hook that fails is tried again later
undelivered — why an event was not delivered
senders — one event to a program, a webhook or a mailbox
mail — a letter by sendmail, or by SMTP over TLS
letters — the text of a letter, from a template that the seller may edit
heartbeat — a sign of life after each good tick, and how a monitor reads it
"""
