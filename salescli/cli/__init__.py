"""The index of commands: name -> (module:attribute, short help). Each loads only when it is called."""

COMMANDS = {
    "init": ("salescli.cli.house:init", "Make the file that everything else works on."),
    "orders": (
        "salescli.cli.orders:orders_group",
        "Orders: list, show, new, pay, refund, check, confirm, decline, assign.",
    ),
    "recurring": (
        "salescli.cli.recurring:recurring_group",
        "Recurring orders: list, show, pause, activate, complete, retry.",
    ),
    "payments": ("salescli.cli.payments:payments_group", "Invoices: list, show; confirm or decline manual payments."),
    "reports": (
        "salescli.cli.reports:reports_group",
        "Totals by currency, payment system, offer, category and manager.",
    ),
    "customers": ("salescli.cli.customers:customers_group", "Customers: list, show the card, add, edit, merge, erase."),
    "offers": ("salescli.cli.catalogue:offers_group", "Offers: list, show, add, edit, import."),
    "categories": ("salescli.cli.catalogue:categories_group", "Categories of offers: list, show, add, edit, import."),
    "payment-systems": (
        "salescli.cli.catalogue:payment_systems_group",
        "Merchant accounts: list, show, add, edit, import.",
    ),
    "users": ("salescli.cli.people:users_group", "Users and managers: list, show, add, edit, deactivate, import."),
    "roles": ("salescli.cli.people:roles_group", "What users may do: list, show, add, edit, import."),
    "import": ("salescli.cli.data:import_group", "Bring orders or recurring orders over from elsewhere."),
    "explain": ("salescli.cli.explain:explain_group", "Why a record is in its state, and what happens next."),
    "todo": ("salescli.cli.house:todo_command", "What waits for a person, with the command that does it."),
    "tick": ("salescli.cli.tick:tick_command", "Charge the recurring payments that are due; run it from cron."),
    "doctor": ("salescli.cli.house:doctor_command", "Look the file over: sound? ticking? what waits for a person?"),
    "rebuild-totals": ("salescli.cli.house:rebuild_totals", "Count again the totals that reports read."),
    "charging": ("salescli.cli.tick:charging_group", "Brakes: charging off and on, limits per tick and day."),
    "history": ("salescli.cli.history:history_command", "Who changed what, when, why and by which command."),
    "adopt": ("salescli.cli.house:adopt", "Let this copy of the file charge: after a move to here, or a restore."),
    "help": ("salescli.cli.house:help_topic", "Show a longer page: charge-protocol, gateways, several-people …"),
}
