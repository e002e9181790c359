"""``docs/tools.md`` says of every tool what is so."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mcp.types import Tool

import food_ordering_mcp
from family_food.ordering.food import open_food
from tests.support.core import family_settings
from tests.support.ordering import ROOT
from tests.support.tool_page import answer_fields, parameter_table
from tests.support.tool_servers import tools_of

PAGE = (ROOT / "docs" / "tools.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL))
RAISING = [
    *(path for path in (ROOT / "src" / "permit_mcp").glob("*.py") if not path.name.endswith("_commands.py")),
    *(ROOT / "src" / "permit_core" / "approvals").glob("*.py"),
    *(ROOT / "src" / "family_food" / "ordering" / name for name in ("menu.py", "orders.py")),
]


@pytest.fixture
async def tools(tmp_path: Path) -> AsyncIterator[dict[str, Tool]]:
    """Every tool of the food server, for whom each call names."""
    food = await open_food(family_settings(tmp_path))
    try:
        yield await tools_of(food_ordering_mcp.build(food, None))
    finally:
        await food.close()


async def test_the_page_has_every_tool_with_its_words_parameters_and_answer(tools: dict[str, Tool]) -> None:
    assert SECTIONS.keys() == tools.keys()
    for name, tool in tools.items():
        section = SECTIONS[name]
        assert tool.description in section
        assert parameter_table(tool) in section
        assert answer_fields(tool.output_schema or {}) <= set(re.findall(r"`(\w+)`", section)), name


def test_the_page_has_every_code_that_a_tool_can_refuse_with() -> None:
    raised = {
        code
        for path in RAISING
        for code in re.findall(r'code="(\w+)"|"(approval_[a-z]+ed|approval_mismatch)"', path.read_text("utf-8"))
        for code in code
        if code
    }
    table = PAGE.partition("## Codes")[2]
    assert raised <= set(re.findall(r"`(\w+)`", table))
    for section in SECTIONS.values():
        refusals = section.partition("Refusals:")[2]
        assert set(re.findall(r"`(\w+)`", refusals)) <= {
            *re.findall(r"`(\w+)`", table),
            *SECTIONS,
            *("request_id", "status", "ask_for", "candidates"),
        }
