"""The index of commands: name -> (file in ``commands``:attribute, short help). Each loads only when it is called.

The groups with the longest lists or the most behind them have an index of their own. A new command is a row here.
"""

COMMANDS = {
    "init": ("init:init", "Make the file that everything else works on."),
    "orders": (
        "lists.orders:orders_group",
        "Orders: list, show, new, pay, refund, check, confirm, decline, assign.",
    ),
    "recurring": (
        "lists.recurring:recurring_group",
        "Recurring orders: list, show, upcoming, pause, activate, complete, retry.",
    ),
    "payments": (
        "lists.payments:payments_group",
        "Invoices: list, show, ledger; confirm or decline manual payments.",
    ),
    "reports": (
        "reports:reports_group",
        "Totals by currency, payment system, offer, category and manager.",
    ),
    "customers": (
        "customers:customers_group",
        "Customers: list, show the card, add, edit, merge, erase.",
    ),
    "offers": ("catalogue:offers_group", "Offers: list, show, add, edit, import."),
    "categories": (
        "catalogue:categories_group",
        "Categories of offers: list, show, add, edit, import.",
    ),
    "payment-systems": (
        "catalogue:payment_systems_group",
        "Merchant accounts: list, show, add, edit, import.",
    ),
    "users": (
        "users:users_group",
        "Users and managers: list, show, add, edit, deactivate, import.",
    ),
    "roles": ("users:roles_group", "What users may do: list, show, add, edit, import."),
    "import": ("imports:import_group", "Bring orders or recurring orders over from elsewhere."),
    "reconcile": (
        "reconcile:reconcile_command",
        "Compare a payment system's statement with what is here.",
    ),
    "explain": ("explain:explain_group", "Why a record is in its state, and what happens next."),
    "todo": ("todo:todo_command", "What waits for a person, with the command that does it."),
    "tick": (
        "tick:tick_command",
        "Charge the recurring payments that are due; run it from cron.",
    ),
    "simulate": (
        "simulate:simulate_command",
        "What tick would do up to a day, on a copy of the file.",
    ),
    "upgrade": (
        "upgrade:upgrade_command",
        "Bring a file of an older version to this one, after a copy.",
    ),
    "doctor": (
        "doctor:doctor_command",
        "Check the database: integrity, totals, scheduler, and what needs attention.",
    ),
    "rebuild-totals": ("doctor:rebuild_totals", "Count again the totals that reports read."),
    "charging": (
        "charging:charging_group",
        "Brakes: charging off and on, limits per tick and day.",
    ),
    "history": ("history:history_command", "Who changed what, when, why and by which command."),
    "adopt": (
        "init:adopt",
        "Allow charging from this copy (after a move or restore).",
    ),
    "backup": ("backup:backup_command", "Make a checked copy of the database."),
    "restore": (
        "backup:restore_command",
        "Put a backup in the place of the database, which is kept.",
    ),
    "cron": ("cron:cron_command", "Print or install the crontab lines of this database."),
    "help": (
        "help:help_command",
        "Show a page: of a topic, a group of commands or a command.",
    ),
}

ORDERS = {
    "list": ("lists.orders:list_orders", "List orders, newest first."),
    "show": ("orders:show_order", "Show an order and its invoices."),
    "new": ("orders:new_order", "Open an order of a customer for an offer."),
    "pay": ("orders:pay_order", "Take a payment, through a gateway or as an invoice that waits."),
    "refund": ("orders:refund_order", "Give money back, the newest paid invoice first."),
    "check": ("confirm:check", "Confirm who made the sale: a manager or the system."),
    "confirm": ("confirm:confirm", "Confirm what orders wait for: the payment, or the sale."),
    "decline": ("confirm:decline", "Reject open orders with partial payments."),
    "assign": ("confirm:assign", "Add user: make a user the manager of orders."),
}

RECURRING = {
    "list": ("lists.recurring:list_recurring", "List recurring orders, newest first."),
    "show": ("recurring:show_recurring", "Show a recurring order and all orders within it."),
    "upcoming": ("upcoming:upcoming_payments", "List payments that are expected, with totals."),
    "pause": ("recurring:pause", "Put recurring orders on hold: nothing is charged."),
    "activate": ("recurring:activate", "Resume paused recurring orders."),
    "complete": ("recurring:complete", "Finish recurring orders early; this is final."),
    "retry": ("recurring:retry", "Begin new attempts at a payment that failed."),
    "edit": ("recurring:edit", "Change how the payments to come are made."),
}

PAYMENTS = {
    "list": ("lists.payments:list_payments", "List invoices, the latest attempt first."),
    "ledger": ("payments:list_ledger", "List money in and out by its day; reports add it up."),
    "show": ("payments:show_payment", "Show an invoice and every attempt to take its money."),
    "confirm": ("payments:confirm_payments", "Say that the money of manual invoices came in."),
    "decline": ("payments:decline_payments", "Say that it did not come."),
    "resolve": ("payments:resolve_payment", "Say what became of a payment in doubt."),
}
