"""The chat backend as it is served, with a model whose time is known: ``python -m benchmarks.chat_server PORT``."""

from __future__ import annotations

import sys

import server
from benchmarks.told_model import ToldModel


def main() -> None:
    """Serve on the port of the first argument, with the very options of ``server.py``."""
    server.app = server.create_app(model=ToldModel())
    server.main("127.0.0.1", int(sys.argv[1]))


if __name__ == "__main__":
    main()
