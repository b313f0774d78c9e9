"""A network between a program and its server: a relay on loopback that keeps every piece back for a while.

Threads that sleep, since event loops wait in whole milliseconds.
"""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress
from time import sleep


def main(server: str, trip_seconds: float) -> None:
    """Relay connections to a server's socket, and print the port; half a trip each way."""
    relay = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{relay.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        near, _ = relay.accept()
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        far = socket.socket(socket.AF_UNIX)
        far.connect(server)
        for source, target in ((near, far), (far, near)):
            threading.Thread(target=_carry, args=(source, target, trip_seconds / 2), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket, seconds: float) -> None:
    with suppress(OSError):  # the other direction has ended and closed both
        while piece := source.recv(1 << 16):
            if seconds:
                sleep(seconds)
            target.sendall(piece)
    target.close()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
