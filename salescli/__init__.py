"""Orders, payments, recurring orders and sales reports of a small team, in one SQLite file.

The map: ``cli`` is the only room that knows Click; below it the nouns (``orders``, ``invoices``,
``recurring`` …) hold their record, operations, rules and SQL; ``attempts`` and ``tick`` carry the charge
protocol; the leaves (``money``, ``clock``, ``schedule``, ``lifecycle``, ``roles``) are pure.
"""

__version__ = "0.1.0"
