"""The documentation cannot rot: what it links to exists, and its code is code."""

import itertools
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from family_food.terminal.arguments import read_arguments
from permit_mcp.command_line import app

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


def commands_of(text: str) -> list[str]:
    """Every line of a shell on a page, and every command within a sentence, that calls permit-mcp or the client."""
    blocks = (code for language, code in BLOCK.findall(text) if language in ("bash", "console"))
    lines = [line.removeprefix("$ ") for code in blocks for line in code.splitlines()]
    quoted = re.findall(r"`((?:uv run )?(?:permit-mcp|client\.py) [^`\n]+)`", BLOCK.sub("", text))
    called = (line.removeprefix("uv run ") for line in [*lines, *quoted])
    return [line for line in called if re.match(r"(permit-mcp|client\.py) ", line) and "..." not in line]


def words_of(line: str) -> list[str]:
    """What a shell would give the program: without comments, pipes and redirections."""
    return list(
        itertools.takewhile(
            lambda word: word not in ("|", ">", "<", "&&"), shlex.split(line.replace("PORT", "8000"), comments=True)
        )
    )


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=name_of)
def test_commands_on_the_pages_are_there_with_their_options(page: Path) -> None:
    for line in commands_of(page.read_text(encoding="utf-8")):
        program, *words = words_of(line)
        if program == "client.py":
            read_arguments(words, "http://127.0.0.1:8000")
            continue
        command = get_command(app)
        while hasattr(command, "get_command") and words and not words[0].startswith("-"):
            found = command.get_command(command.context_class(command), words.pop(0))
            assert found is not None, line
            command = found
        command.make_parser(command.context_class(command)).parse_args(words)  # raises what it does not know


def test_every_page_is_linked_from_the_readme() -> None:
    linked = set(LINK.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    assert {name_of(page) for page in (ROOT / "docs").glob("*.md")} <= linked
