"""Somebody else, who asks ``GET /healthz`` again and again while others keep the server busy.

A process of its own, with the standard library alone: what it measures is the server, not the clients beside it. Run
as ``python stranger.py PORT``; asks until its standard input ends, then prints the seconds of each answer as JSON.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

PAUSE_SECONDS = 0.01
_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def ask(port: int) -> float:
    """Seconds from connecting to the whole answer."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(_REQUEST)
        answer = b""
        while more := connection.recv(4096):
            answer += more
    if not answer.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"the server answered {answer[:40]!r}")
    return time.perf_counter() - began


def main() -> None:
    """Ask until nobody wants to know any more."""
    port, seconds = int(sys.argv[1]), []
    sys.stdout.write("asking\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
        seconds.append(ask(port))
    sys.stdout.write(json.dumps(seconds))


if __name__ == "__main__":
    main()
