"""Version 21: hooks, each with the number of the last event that it was told."""

from __future__ import annotations

import sqlite3

from salescli.storage.migrations import steps

NAME = "021_hooks"
CHANGES: tuple[str, ...] = ("hooks are told what happens: programs, webhooks and e-mail",)

# No secret is stored: `secret` and `environment` are names of environment variables.
_SCRIPT = """
CREATE TABLE hooks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE CHECK (name <> ''),
  sender TEXT NOT NULL CHECK (sender IN ('program', 'webhook', 'email')),
  target TEXT NOT NULL CHECK (target <> ''),                               -- salescli-hook-TARGET; URL; to whom
  via TEXT,                                -- of email: sendmail, or the URL of an SMTP server
  mail_from TEXT,
  secret TEXT,                             -- the variable with the key of the signature, or the password
  environment TEXT NOT NULL DEFAULT '',    -- variables that a program gets, with blanks between
  events TEXT NOT NULL,                    -- kinds of events, with blanks between
  language TEXT NOT NULL DEFAULT 'en',
  daily INTEGER NOT NULL DEFAULT 0 CHECK (daily IN (0, 1)),
  active INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
  position INTEGER NOT NULL,               -- the line of history up to which it was told
  refused INTEGER NOT NULL DEFAULT 0,      -- letters that a mail server refused for good
  failures INTEGER NOT NULL DEFAULT 0,     -- in a row
  failing_since TEXT,
  next_try_at TEXT,
  last_error TEXT,
  created_at TEXT NOT NULL,
  CHECK (sender <> 'email' OR (via IS NOT NULL AND mail_from IS NOT NULL)),
  CHECK (daily = 0 OR sender = 'email')
) STRICT;
"""


def run(connection: sqlite3.Connection) -> None:
    """Add the table, inside the caller's transaction."""
    steps.run(connection, _SCRIPT)
