"""Play the family story and put what it prints into docs/story.md; a test holds the two together."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "story.md"
PLACE = re.compile(r"(?<=<!-- story -->\n).*?(?=<!-- end of story -->)", re.DOTALL)


def settled(printed: str) -> str:
    """What the story prints, without what is different each time."""
    text = re.sub(r"req_[0-9a-f]{32}", "req_...", printed)
    text = re.sub(r"\d\d? \w{3} \d{4}, \d\d:\d\d UTC", "22 Nov 2026, 18:00 UTC", text)
    text = re.sub(r"told after \d+\.\d+ seconds", "told after 0.02 seconds", text)
    text = re.sub(r"audit chain of \d+ records", "audit chain of 128 records", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def transcript() -> str:
    """The story as the page tells it."""
    found = PLACE.search(PAGE.read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit(f"{PAGE.name} has no place for the story")
    return found.group().strip().removeprefix("```text").removesuffix("```").strip()


def main() -> None:
    """Write it."""
    done = subprocess.run(
        [sys.executable, "client.py", "--demo", "story"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    block = f"\n```text\n{settled(done.stdout)}\n```\n\n"
    PAGE.write_text(PLACE.sub(lambda _: block, PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
