"""The door to a database, whatever engine holds it: its types and errors, by the names of the DB API (PEP 249).

Every other room names these and never the engine.
"""

from sqlite3 import Connection as Connection
from sqlite3 import Cursor as Cursor
from sqlite3 import DatabaseError as DatabaseError
from sqlite3 import Error as Error
from sqlite3 import IntegrityError as IntegrityError
from sqlite3 import InterfaceError as InterfaceError
from sqlite3 import OperationalError as OperationalError
from sqlite3 import ProgrammingError as ProgrammingError
from sqlite3 import Row as Row
