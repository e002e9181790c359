"""Other processes: what two programs on one database do to each other."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 60

_FRAME = """\
import asyncio, sys
sys.path.insert(0, {root!r})

async def main():
{body}

asyncio.run(main())
"""


def start_python(body: str, *arguments: str) -> subprocess.Popen[str]:
    """Run the body of a coroutine in a Python process of its own; its arguments are ``sys.argv[1:]``."""
    program = _FRAME.format(root=str(ROOT), body=textwrap.indent(textwrap.dedent(body), "    "))
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output_of(*processes: subprocess.Popen[str]) -> list[str]:
    """What each wrote to standard output once all have ended well."""
    outputs = []
    try:
        for process in processes:
            out, err = process.communicate(timeout=WAIT_SECONDS)
            assert process.returncode == 0, err
            outputs.append(out)
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    return outputs
