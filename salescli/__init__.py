"""Orders, payments, recurring orders and sales reports of a small team, in one SQLite file.

The rooms, highest first: ``cli``; ``overview``, ``reconcile``; ``imports``, ``reports``, ``charging``; ``sales``,
``lists``; ``catalogue``; ``gateways``; ``storage``; ``rules``. A room uses only the rooms below it.
"""

__version__ = "0.2.0.dev0"
