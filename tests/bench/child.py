"""Run a command, and tell on stdout, as JSON, the seconds, the processor's seconds and the most memory that it took.

A small process of its own: what Linux tells of a child's memory is never less than its parent had when it began.
Used as: python -I -S child.py INPUT OUTPUT ERRORS COMMAND …, where the first three are files; run by ``processes``.
"""

import os
import sys
import time


def main() -> None:
    """Run the command."""
    given, output, errors, *command = sys.argv[1:]
    written = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    files = [
        (os.POSIX_SPAWN_OPEN, 0, given, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, output, written, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, errors, written, 0o600),
    ]
    began = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=files)
    _, status, used = os.wait4(child, 0)
    seconds = time.perf_counter() - began
    code = os.waitstatus_to_exitcode(status)
    sys.stdout.write(
        f'{{"wall": {seconds}, "cpu": {used.ru_utime + used.ru_stime}, "peak_kib": {used.ru_maxrss}, "code": {code}}}'
    )


if __name__ == "__main__":
    main()
