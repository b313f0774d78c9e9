"""What each metric may take: one row a goal, which ``scripts/bench`` prints as within or not within.

A goal is a multiple of a peer's figure in the same run, or an amount that holds at a million orders on one core.
"""

from __future__ import annotations

from typing import NamedTuple


class Goal(NamedTuple):
    """``limit``: the most as a multiple of the peer ``against``; ``most``: the most in the figure's own unit.

    ``why``: why it is not within, and what the limit is; the page says so where it is not.
    """

    limit: float | None = None
    against: str = ""
    most: float | None = None
    why: str = ""


LEAST = 64.0  # MiB that any command may take
BARE, LIST = "python -I -S -c pass", "the list"
AT_MOST, ONE_HOST, FILE = "latency ÷ workers", "one host ÷ hosts", "the file"
_START = (
    "In instructions Click alone takes 6 times what bare Python does, 1.4 of that Python's own `site`; the library"
    " that draws tables adds 0.8 and sqlite3 0.2. The rest is ours: the modules of the command, the page's query and"
    " the table."
)
_ERASE = (
    "The search index is written again, a sixth of the time, then the file: where SQLite divides a page of an"
    " index, copies of entries stay in the page's unused middle, which `secure_delete` does not clear: of 15,000"
    " emails that were overwritten 2 stood there. Only to write a page anew clears it, and the page may be any. One"
    " rewriting serves all the customers of a command."
)
_SIMULATE = (
    "It makes the payments themselves on a copy, some 15,000 of them at 1 M orders, as tick makes them, and as fast."
    " Of each, half is Python's, which gathers the rows and the lines of history of an order, its invoice, attempt and"
    " recurring order; a quarter is for the totals, and a quarter for the rows. `recurring upcoming` tells what is"
    " expected without making it."
)
_STEPS = (
    "Each of 20,800 payments is a step of the rule that tick goes by: the next planned date, at its hour in the zone,"
    " and the course of the recurring order after it. They are counted and sorted; rows are made of the first 50 alone."
)
_FEW_INTO_MANY = (
    "An order changes 8 pages of 4 KiB, in its tables and their indexes, which are read, kept in the journal and"
    " written: 8,000 for 1,000 orders, and half of the time. In an empty file all rows share few pages."
)
_ITS_ORDERS = (
    "The customer with the most orders has 2,024 of them, which stand on as many pages of the file, and their payments"
    " on as many more. Of 155 ms on a busy machine 40 are for the sums, 37 to find the history and the failed attempts,"
    " 25 the newest orders and payments, and 25 what may be refunded."
)
_PAYMENT_BYTES = (
    "With its two indexes the line of history takes 890 bytes, the attempt 220, the order 190, the invoice 140 and the"
    " facts 55; the rest are their indexes, whose pages are four fifths full."
)
_ONE_CORE = (
    "One core records an answer and claims the next payment in 1.2 to 2.7 ms, by the machine, as the rows of 0 ms"
    " tell; 32 workers at 50 ms bring an answer each 1.6 ms and 128 at 300 ms one each 2.3 ms, so that a slow"
    " machine is at its end there. The answers of a round come back together, and some 15 ms lie between two rounds."
)
_ONE_WRITER = (
    "Eight workers bring 8 answers at a time. They are recorded, and the next 8 claimed, in 18 trips with the writer's"
    " lock held, as many as 64 would take. Hosts, gateway, network and server share two processors here, and these are"
    " the limit: four hosts make as few payments a second with a gateway that answers at once."
)
_WHOLE_FILE = (
    "Half of a row's time is Python: each value is checked, so that a bad one is named, the row's digest is made, and"
    " the records that it tells of are found; what rows repeat is read once. The other half is SQLite's: of 120 µs at"
    " 100 k lines on a busy machine, 14 to stage the row, 10 to move it, 6 to index it and 10 to count it. Rows put"
    " into the tables one by one, from a file of their own, cost as much as staging and moving them."
)
_AGAIN = (
    "Of 17 µs a row at 100 k lines on a busy machine, 4 are reading with the file's digest, 4 the look for its"
    " conventions, which reads all of it too, 4 the rows' digests, 3 finding those that are stored, 1 that no number"
    " comes twice and 1 the copy of the database; the peer's loop, in C, reads once."
)
_BYTES = (
    "An order takes 153 bytes, 30 of them the names of what was sold, as they were on that day, 16 the digest of its"
    " line. Its ten indexes take 118, its invoice 59 and the indexes of that 54, facts and totals 85, and customers"
    " with their indexes and the words of their names 111. Times are whole numbers, 5 bytes each; as texts they took"
    " 172 bytes more. The names once for all orders would leave 2.3; the rest is the indexes that lists and reports"
    " read."
)
_NEXT_MONTH = (
    "`recurring upcoming` finds each payment of the next 30 days by the rule that tick goes by, since their sums stand"
    " below the first 50: of 3,000 recurring orders the day of the payment after the next, with the hour of its zone."
    " Rows are made of the 50 alone."
)
_WITHIN_A_YEAR = (
    "`details` is five breakdowns, a total and a tie-out, each of the totals of twelve months. Of its 5.3 M steps 2.3"
    " look, for the tie-out, at all payments that count on another day than that on which they were made."
)
_REBUILT = (
    "Nothing is counted again unless it is wrong: of 14 s 5 go by while facts are compared with payments, refunds and"
    " orders, and 8 while the months are compared with the facts, which are sorted for it three times."
)
_SELDOM = (
    "`payments ledger` merges payments with refunds by day. None of its 51,695 refunds is of a recurring order,"
    " but to know that it looks each up with its invoice and order. `orders owing --to` looks at every open order."
)
_SORTED = (
    "An order that no index has looks at all rows: numbers are sorted first, and rows looked up for the page alone. A"
    " customer's name or email is looked up for each."
)
_TO_DO = (
    "`todo` counts six kinds of things, half of the time, then reads the first of each until its page is full. By a"
    " payment system or by words it looks up the payments, or the numbers, of each of 246 k sales that nobody"
    " confirmed, to count them: 0.4 to 0.7 s on a busy machine."
)
_NARROWED = (
    "To read by time or by the words, `payments ledger` counts the entries that the words find, up to 10,000. `todo`"
    " counts what a filter leaves of 246 k unconfirmed sales, in an index of 15 MB."
)
_EVENTS = (
    "Which of 839 k lines of history are events is decided from the words and the status of each; a fifth of the"
    " time is to read the lines. The history itself is counted in 32 ms. An index of their kinds would count them in"
    " 11 ms, but each payment of tick would take SQLite a fifth more steps."
)
_PERIODS = (
    "By day there are nearly as many groups as facts: `details` has five breakdowns, each of which reads the facts"
    " of 1 M orders, sorts them by group and keeps the groups, in some 2 s. By week the week of each fact is worked out"
    " from its day as well."
)
_DEEP = (
    "On a machine nearly twice as fast, of 38 s 16 are SQLite's own check; facts are compared with payments and"
    " refunds (4 s), the months with the facts (6 s), references are followed (3 s), and sums of orders and payments"
    " compared (5 s)."
)
_FREE_FILTER = (
    "On a machine nearly twice as fast SQLite alone reads the 1.1 M facts of 1 M orders in 67 ms with one column"
    " and 87 with one compared, and sums six columns of the 680 k that `--min 100` leaves in 175, where DuckDB takes"
    " 70 to 160 for the whole answer; sorting them by group takes 0.3 to 0.5 s more, since SQLite has no hash table."
    " A statement reads them once: with total and bridge, by currency takes 0.9 s and all breakdowns 1.4."
)
_RECURRING = (
    "`recurring` follows each of 10,763 plans through those of its lines that can be a step: of 100 k an index has"
    " 6,904. SQLite reads these and the plans in a quarter of the time; Python follows each plan, 10 µs on a busy"
    " machine. Only a table of steps that is kept as they happen would spare that."
)
_FIRST_PAGE, _COUNT = Goal(most=0.050), Goal(most=0.020)

GOALS: dict[tuple[str, str], Goal] = {
    # Where people wait
    ("start", "list of 50, instructions"): Goal(6.5, BARE, why=_START),
    ("start", "list of 50, against bare Python"): Goal(8, BARE, why=_START),
    ("start", "list of 50, against sqlite-utils"): Goal(0.45, "sqlite-utils", why=_START),
    ("start", "help"): Goal(1, LIST),
    ("start", "orders list --help"): Goal(1, LIST),
    ("start", "completion"): Goal(1, LIST),
    ("start", "completion of a command"): Goal(1, LIST),
    ("start", "a deep page, by keyset"): Goal(1.5, "the first page"),
    ("sweep", "lists: the worst"): _FIRST_PAGE._replace(why=_SELDOM),
    ("sweep", "lists, unfiltered: the worst"): _FIRST_PAGE._replace(why=_NEXT_MONTH),
    ("sweep", "lists, two filters: the worst"): _FIRST_PAGE._replace(why=_NARROWED),
    ("sweep", "lists, sorted: the worst"): _FIRST_PAGE._replace(why=_SORTED),
    ("sweep", "lists, all columns: the worst"): _FIRST_PAGE._replace(why=_NEXT_MONTH),
    ("sweep", "record pages: the worst"): _FIRST_PAGE._replace(why=_ITS_ORDERS),
    ("sweep", "first pages, ten times the orders"): Goal(1.5, "a tenth of the orders", why=_SORTED),
    ("sweep", "todo: the worst"): _COUNT._replace(why=_TO_DO),
    ("sweep", "counts, unfiltered: the worst"): _COUNT._replace(why=_EVENTS),
    ("sweep", "reports, unfiltered: the worst"): Goal(most=0.050, why=_RECURRING),
    ("sweep", "reports of a year: the worst"): Goal(most=0.050, why=_WITHIN_A_YEAR),
    ("sweep", "reports by period: the worst"): Goal(most=2, why=_PERIODS),
    ("sweep", "any command: the most memory"): Goal(most=LEAST),
    ("writes", "doctor"): Goal(most=1),
    ("writes", "doctor --deep"): Goal(1.5, "integrity_check", why=_DEEP),
    ("writes", "rebuild-totals"): Goal(most=10, why=_REBUILT),
    ("writes", "customers erase"): Goal(most=0.2, why=_ERASE),
    ("writes", "recurring upcoming, a year"): Goal(most=0.5, why=_STEPS),
    ("writes", "simulate, 90 days"): Goal(most=4, why=_SIMULATE),
    ("refund", "one refund"): Goal(1.2),
    ("refund", "one refund, as a command"): Goal(1.2),
    # Imports
    ("import", "orders from CSV, the whole file"): Goal(12, "sqlite3", why=_WHOLE_FILE),
    ("import", "the same file again"): Goal(1.5, "reading it", why=_AGAIN),
    ("import", "the longest wait of a reader"): Goal(most=1),
    ("writes", "import of 1,000 orders"): Goal(1.5, "into an empty file", why=_FEW_INTO_MANY),
    ("export", "all orders as CSV, per order"): Goal(4, "sqlite3"),
    # Memory and size
    ("import", "peak memory"): Goal(most=LEAST),
    ("export", "peak memory"): Goal(most=LEAST),
    ("writes", "any command: peak memory"): Goal(most=LEAST),
    ("import", "bytes of an imported order"): Goal(2, "its line of CSV", why=_BYTES),
    ("tick", "bytes of a payment"): Goal(most=1_800, why=_PAYMENT_BYTES),
    ("writes", "upgrade"): Goal(most=120),
    # Tick
    ("tick", "page reads, nothing due"): Goal(most=300),
    ("tick", "fsyncs, nothing due"): Goal(most=4),
    ("tick", "commits a payment"): Goal(most=0.1),
    ("tick", "statements a payment"): Goal(most=2),
    ("tick", "one payment, 300 ms gateway, 128 workers"): Goal(1 / 0.95, AT_MOST, why=_ONE_CORE),
    ("tick", "one payment, 50 ms gateway, 32 workers"): Goal(1 / 0.9, AT_MOST, why=_ONE_CORE),
    # A server
    ("postgres", "one payment, 1 hosts, 200 ms gateway, 0.5 ms a trip"): Goal(1 / 0.9, AT_MOST, why=_ONE_WRITER),
    ("postgres", "one payment, 4 hosts, 200 ms gateway, 0.5 ms a trip"): Goal(4 / 3.2, ONE_HOST, why=_ONE_WRITER),
}
ON_SERVER = Goal(2, FILE, why="Tests ran beside these rows.")  # a list or report there
REPORT = Goal(0.2, "duckdb")  # all time, or a month, from the totals
FREE = Goal(0.6, "duckdb", why=_FREE_FILTER)  # any other filter, from the rows
