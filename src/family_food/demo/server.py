"""The process behind the demo: ``server.py`` on a loopback port of its own, for as long as its starter lives.

Run as ``python -m family_food.demo.server FOLDER`` from the checkout. It prints ``{"port": ...}`` on stdout, serves until
its standard input ends, and then removes FOLDER.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import sys
import threading

import uvicorn

# Longer than the chat needs to say goodbye, shorter than a person waits for a program to end.
_GRACE_SECONDS = 5


def main() -> None:
    """Serve until standard input ends: that is when whoever started this is gone, however it ended."""
    folder = sys.argv[1]
    # uvicorn passes a SIGTERM on when it has obeyed it; by then this process wants to tidy up.
    signal.signal(signal.SIGTERM, lambda *_: None)
    # Bound before anybody is told the port, so nobody else can take it.
    listening = socket.create_server(("127.0.0.1", 0))
    # The event loop does this only for sockets that it has made itself; without it small frames wait 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config("server:app", log_level="warning", timeout_graceful_shutdown=_GRACE_SECONDS, lifespan="on")
    server = uvicorn.Server(config)
    orphaned = threading.Event()
    threading.Thread(target=_end_with_input, args=(orphaned,), daemon=True).start()
    sys.stdout.write(json.dumps({"port": listening.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    try:
        asyncio.run(server.serve(sockets=[listening]))
    finally:
        if orphaned.is_set():  # otherwise whoever started this wants to read the log
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if server.started else 1)


def _end_with_input(orphaned: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    orphaned.set()
    os.kill(os.getpid(), signal.SIGTERM)  # not should_exit: open chats are told only by a signal


if __name__ == "__main__":
    main()
