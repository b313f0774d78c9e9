#!/bin/sh
# What cron runs every five minutes: salescli tick, silent unless a person is needed. Arguments go to tick.
#
#   SALESCLI_HOME  the folder of salescli, with scripts/ and .venv/; by default the one this script is in
#   SALESCLI_DB    the database; by default ~/.local/share/salescli/sales.db
set -eu
umask 077

home=${SALESCLI_HOME:-$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)}
database=${SALESCLI_DB:-${XDG_DATA_HOME:-$HOME/.local/share}/salescli/sales.db}
lock=$database.cron-lock

# A comfort only: it saves starting a second tick beside a long one. tick has a lock of its own, and no payment
# depends on either.
if [ -f "$database" ] && command -v flock >/dev/null; then
    exec 9>>"$lock"
    if ! flock -n 9; then
        if [ -n "$(find "$lock" -mmin +60)" ]; then
            echo "a tick has been at work for more than an hour, and none began since: $database" >&2
        fi
        exit 0
    fi
    touch -- "$lock"
fi

code=0
said=$("$home/.venv/bin/salescli" tick "$@" 2>&1 9>&-) || code=$?
if [ "$code" -eq 75 ]; then # another tick, started by hand, is at work; nothing else exits with 75
    exit 0
fi
if [ -n "$said" ]; then
    printf '%s\n' "$said" >&2
fi
exit "$code"
