"""The index of commands: name -> (module:attribute, short help). Each loads only when it is called.

The groups with the longest lists or the most behind them have an index of their own.
"""

COMMANDS = {
    "init": ("salescli.cli.commands.house:init", "Make the file that everything else works on."),
    "orders": (
        "salescli.cli.commands.lists:orders_group",
        "Orders: list, show, new, pay, refund, check, confirm, decline, assign.",
    ),
    "recurring": (
        "salescli.cli.commands.lists:recurring_group",
        "Recurring orders: list, show, upcoming, pause, activate, complete, retry.",
    ),
    "payments": (
        "salescli.cli.commands.lists:payments_group",
        "Invoices: list, show, ledger; confirm or decline manual payments.",
    ),
    "reports": (
        "salescli.cli.commands.reports:reports_group",
        "Totals by currency, payment system, offer, category and manager.",
    ),
    "customers": (
        "salescli.cli.commands.customers:customers_group",
        "Customers: list, show the card, add, edit, merge, erase.",
    ),
    "offers": ("salescli.cli.commands.catalogue:offers_group", "Offers: list, show, add, edit, import."),
    "categories": (
        "salescli.cli.commands.catalogue:categories_group",
        "Categories of offers: list, show, add, edit, import.",
    ),
    "payment-systems": (
        "salescli.cli.commands.catalogue:payment_systems_group",
        "Merchant accounts: list, show, add, edit, import.",
    ),
    "users": (
        "salescli.cli.commands.users:users_group",
        "Users and managers: list, show, add, edit, deactivate, import.",
    ),
    "roles": ("salescli.cli.commands.users:roles_group", "What users may do: list, show, add, edit, import."),
    "import": ("salescli.cli.commands.imports:import_group", "Bring orders or recurring orders over from elsewhere."),
    "reconcile": (
        "salescli.cli.commands.reconcile:reconcile_command",
        "Compare a payment system's statement with what is here.",
    ),
    "explain": ("salescli.cli.commands.explain:explain_group", "Why a record is in its state, and what happens next."),
    "todo": ("salescli.cli.commands.house:todo_command", "What waits for a person, with the command that does it."),
    "tick": (
        "salescli.cli.commands.tick:tick_command",
        "Charge the recurring payments that are due; run it from cron.",
    ),
    "simulate": (
        "salescli.cli.commands.simulate:simulate_command",
        "What tick would do up to a day, on a copy of the file.",
    ),
    "doctor": (
        "salescli.cli.commands.house:doctor_command",
        "Look the file over: sound? ticking? what waits for a person?",
    ),
    "rebuild-totals": ("salescli.cli.commands.house:rebuild_totals", "Count again the totals that reports read."),
    "charging": ("salescli.cli.commands.tick:charging_group", "Brakes: charging off and on, limits per tick and day."),
    "history": ("salescli.cli.commands.history:history_command", "Who changed what, when, why and by which command."),
    "adopt": (
        "salescli.cli.commands.house:adopt",
        "Let this copy of the file charge: after a move to here, or a restore.",
    ),
    "help": (
        "salescli.cli.commands.help:help_command",
        "Show a page: of a topic, a group of commands or a command.",
    ),
}

ORDERS = {
    "list": ("salescli.cli.commands.lists:list_orders", "List orders, newest first."),
    "show": ("salescli.cli.commands.orders:show_order", "Show an order and its invoices."),
    "new": ("salescli.cli.commands.orders:new_order", "Open an order of a customer for an offer."),
    "pay": ("salescli.cli.commands.orders:pay_order", "Take a payment, through a gateway or as an invoice that waits."),
    "refund": ("salescli.cli.commands.orders:refund_order", "Give money back, the newest paid invoice first."),
    "check": ("salescli.cli.commands.confirm:check", "Confirm who made the sale: a manager or the system."),
    "confirm": ("salescli.cli.commands.confirm:confirm", "Confirm what orders wait for: the payment, or the sale."),
    "decline": ("salescli.cli.commands.confirm:decline", "Reject open orders with partial payments."),
    "assign": ("salescli.cli.commands.confirm:assign", "Add user: make a user the manager of orders."),
}

RECURRING = {
    "list": ("salescli.cli.commands.lists:list_recurring", "List recurring orders, newest first."),
    "show": ("salescli.cli.commands.recurring:show_recurring", "Show a recurring order and all orders within it."),
    "upcoming": ("salescli.cli.commands.upcoming:upcoming_payments", "List payments that are expected, with totals."),
    "pause": ("salescli.cli.commands.recurring:pause", "Put recurring orders on hold: nothing is charged."),
    "activate": ("salescli.cli.commands.recurring:activate", "Resume paused recurring orders."),
    "complete": ("salescli.cli.commands.recurring:complete", "Finish recurring orders early; this is final."),
    "retry": ("salescli.cli.commands.recurring:retry", "Begin three new attempts at a payment that failed."),
    "edit": ("salescli.cli.commands.recurring:edit", "Change how the payments to come are made."),
}

PAYMENTS = {
    "list": ("salescli.cli.commands.lists:list_payments", "List invoices, the latest attempt first."),
    "ledger": ("salescli.cli.commands.payments:list_ledger", "List money in and out by its day; reports add it up."),
    "show": ("salescli.cli.commands.payments:show_payment", "Show an invoice and every attempt to take its money."),
    "confirm": ("salescli.cli.commands.payments:confirm_payments", "Say that the money of manual invoices came in."),
    "decline": ("salescli.cli.commands.payments:decline_payments", "Say that it did not come."),
    "resolve": ("salescli.cli.commands.payments:resolve_payment", "Say what became of a payment in doubt."),
}
