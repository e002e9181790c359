"""The documentation cannot rot: what it links to exists, and its code is code."""

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "src").rglob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in LINK.findall(text):
        if not target.startswith(("http://", "https://", "#")):
            assert (page.parent / target.split("#")[0]).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_code_blocks_are_code(page: Path) -> None:
    for language, code in BLOCK.findall(page.read_text(encoding="utf-8")):
        match language:
            case "python":
                compile(code, name_of(page), "exec")
            case "json":
                json.loads(code)
            case "yaml":
                yaml.safe_load(code)
            case "bash" | "mermaid" | "text" | "console" | "jsonc" | "ini":
                pass
            case other:
                pytest.fail(f"nothing checks blocks marked {other!r}")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_named_in_backquotes_exist(page: Path) -> None:
    for named in re.findall(r"`((?:src|tests|docs|policies|scripts)/[\w./-]+)`", page.read_text(encoding="utf-8")):
        assert (ROOT / named).exists(), named


def test_every_page_is_linked_from_the_readme() -> None:
    linked = set(LINK.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    assert {name_of(page) for page in (ROOT / "docs").glob("*.md")} <= linked
