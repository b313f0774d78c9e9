"""The index of commands: name -> (file in ``commands``:attribute, short help). Each loads only when it is called.

The three groups that load the most have an index of their own. A new command is a row here.
"""

COMMANDS = {
    "init": ("init:init", "Create the database, and register you as its owner."),
    "orders": (
        "lists.orders:orders_group",
        "Orders: list, show, new, sell, edit, pay, refund, check, cancel, decline.",
    ),
    "recurring": (
        "lists.recurring:recurring_group",
        "Recurring orders: list, show, edit, pay, pause, complete, retry.",
    ),
    "payments": (
        "lists.payments:payments_group",
        "Invoices: list, show, ledger; confirm, decline, undo by hand.",
    ),
    "reports": (
        "reports:reports_group",
        "Totals by currency, payment system, offer, category and manager.",
    ),
    "customers": (
        "customers:customers_group",
        "Customers: list, show, add, edit, merge, erase, import.",
    ),
    "offers": ("catalogue:offers_group", "Offers: list, show, add, edit, merge, import."),
    "categories": (
        "catalogue:categories_group",
        "Categories of offers: list, show, add, edit, merge, import.",
    ),
    "payment-systems": (
        "catalogue:payment_systems_group",
        "Payment systems: list, show, add, edit, check, merge, import.",
    ),
    "users": (
        "users:users_group",
        "Users and managers: list, show, add, edit, share, deactivate, merge, import.",
    ),
    "roles": ("users:roles_group", "What users may do: list, show, add, edit, import."),
    "import": ("imports:import_group", "Import orders or recurring orders from another system."),
    "reconcile": (
        "reconcile:reconcile_command",
        "Compare a payment system's statement with the database.",
    ),
    "close": ("closing:close_command", "Close a month: what its reports add up to stays."),
    "reopen": ("closing:reopen_command", "Open a closed month again, for a reason."),
    "explain": ("explain:explain_group", "Explain why a record is in its state, and what happens next."),
    "todo": ("todo:todo_command", "List what waits for a person, with the command that does it."),
    "tick": (
        "tick:tick_command",
        "Charge the recurring payments that are due; run it from cron.",
    ),
    "notify": ("notify:notify_command", "Tell hooks what happened; tick does it after each run."),
    "hooks": ("hooks:hooks_group", "Who is told what happens: list, add, edit, remove, templates."),
    "events": ("events:events_command", "List what happened, by number, for programs."),
    "gateway-sync": (
        "gateway_sync:gateway_sync_command",
        "Record refunds and disputes made in payment systems themselves.",
    ),
    "simulate": (
        "simulate:simulate_command",
        "Show what tick would do up to a day, on a copy.",
    ),
    "upgrade": (
        "upgrade:upgrade_command",
        "Upgrade a database of an older version, after a backup.",
    ),
    "doctor": (
        "doctor:doctor_command",
        "Check the database: integrity, totals, scheduler, and what needs attention.",
    ),
    "rebuild-totals": ("doctor:rebuild_totals", "Rebuild the totals that reports read."),
    "charging": (
        "charging:charging_group",
        "Turn charging off and on; limit it per tick and day.",
    ),
    "history": ("history:history_command", "Show who changed what, when, why and by which command."),
    "adopt": (
        "init:adopt",
        "Allow charging from this copy (after a move or restore).",
    ),
    "export": ("export:export_command", "Write every list into a folder as CSV."),
    "move": ("move:move_command", "Move the whole shop to a PostgreSQL server, or back to a file."),
    "backup": ("backup:backup_command", "Make a checked copy of the database."),
    "restore": (
        "backup:restore_command",
        "Replace the database with a backup; the old one is kept.",
    ),
    "cron": ("cron:cron_command", "Print or install the crontab lines of this database."),
    "config": ("config:config_group", "Show the settings and where each comes from."),
    "completion": (
        "completion:completion_command",
        "Let bash, zsh or fish complete commands, numbers and names.",
    ),
    "help": (
        "help:help_command",
        "Show the page of a topic, a group of commands or a command.",
    ),
}

ORDERS = {
    "list": ("lists.orders:list_orders", "List orders, newest first."),
    "show": ("orders:show_order", "Show an order and its invoices."),
    "new": ("orders:new_order", "Open an order of a customer for an offer."),
    "pay": ("orders:pay_order", "Take a payment, through a gateway or by hand."),
    "refund": ("orders:refund_order", "Refund an order, the newest paid invoice first."),
    "check": ("confirm:check", "Confirm who made the sale: a manager or the system."),
    "confirm": ("confirm:confirm", "Confirm what orders wait for: the payment, or the sale."),
    "decline": ("confirm:decline", "Decline open orders with partial payments."),
    "sell": ("sell:sell_order", "Open an order, take its payment and confirm its sale."),
    "edit": ("order_edit:edit_order", "Mend an order that was typed wrong."),
    "cancel": ("order_edit:cancel_orders", "Cancel open orders for which no money came."),
    "owing": ("owing:list_owing", "List who owes what, with due days and contact."),
    "instalments": ("owing:agree_instalments", "Agree when the parts of an order's price are due."),
    "note": ("order_edit:note_order", "Write a note into the history of an order."),
    "assign": ("confirm:assign", "Make a user the manager of orders (Add user)."),
}

RECURRING = {
    "list": ("lists.recurring:list_recurring", "List recurring orders, newest first."),
    "show": ("recurring:show_recurring", "Show a recurring order and all its orders."),
    "upcoming": ("upcoming:upcoming_payments", "List the payments that are expected, with totals."),
    "pause": ("recurring:pause", "Pause recurring orders: nothing is charged."),
    "activate": ("recurring:activate", "Resume paused recurring orders."),
    "complete": ("recurring:complete", "Complete recurring orders early; this cannot be undone."),
    "retry": ("recurring:retry", "Start new attempts at a payment that failed."),
    "pay": ("recurring:pay", "Record that the current payment came another way."),
    "edit": ("recurring:edit", "Change the payments to come."),
}

PAYMENTS = {
    "list": ("lists.payments:list_payments", "List invoices, latest attempt first."),
    "ledger": ("payments:list_ledger", "List payments and refunds by day; reports add them up."),
    "show": ("payments:show_payment", "Show an invoice and every attempt to charge it."),
    "confirm": ("payments:confirm_payments", "Record that manual invoices were paid."),
    "decline": ("payments:decline_payments", "Record that manual invoices were not paid."),
    "undo": ("payments:undo_payment", "Take back what a person recorded on an invoice."),
    "resolve": ("payments:resolve_payment", "Record the outcome of a payment, if it is unknown."),
}
