"""A client on the TypeScript SDK v1 reads every answer and every refusal of our servers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from permit_mcp.refusals import REFUSAL
from tests.support.ordering import ROOT, child_environment
from tests.support.typescript_client import play

pytestmark = pytest.mark.slow

DEAR = {"restaurant_id": "1", "dish_name": "1-pepperoni-pizza"}


def food_server(folder: Path, user: str) -> dict[str, Any]:
    """How to start the food server, bound to a user, on a database that it fills itself."""
    environment = child_environment(f"sqlite+aiosqlite:///{folder / 'family.db'}")
    arguments = [str(ROOT / "food_ordering_mcp.py"), "--acting-user", user]
    return {"command": sys.executable, "args": arguments, "env": environment, "cwd": str(ROOT)}


def code_of(answer: dict[str, Any]) -> str:
    """The code of a refusal that such a client has read."""
    assert "thrown" not in answer, answer
    assert answer["isError"]
    assert answer["structured"] is None
    assert json.loads(answer["text"]) == answer["meta"][REFUSAL]
    return str(answer["meta"][REFUSAL]["code"])


async def test_such_a_client_reads_what_is_refused_and_what_can_be_asked_for(tmp_path: Path) -> None:
    calls = [
        {"name": "list_resource_instances", "arguments": {}},
        {"name": "list_dishes", "arguments": {"restaurant_id": "1"}},
        {"name": "order_dish", "arguments": DEAR},
        {"name": "order_dish", "arguments": {**DEAR, "user_id": "1"}},
        {"name": "order_dish", "arguments": {"restaurant_id": 1}},
        {"name": "create_operation_approval", "arguments": {"resource_instance": "dishes:1-pepperoni-pizza", "reason": "please"}},
        {"name": "order_dish", "arguments": DEAR},
    ]  # fmt: skip
    listed, menu, needed, smuggled, wrong, asked, pending = (await play(food_server(tmp_path, "3"), calls))["answers"]
    assert listed["structured"]["total"] == 4
    assert menu["structured"]["dishes"]
    assert code_of(needed) == "approval_needed"
    assert [remedy["kind"] for remedy in needed["meta"][REFUSAL]["ask_for"]] == ["operation_approval"]
    assert code_of(smuggled) == "forbidden_argument"
    assert code_of(wrong) == "invalid_arguments"
    assert asked["structured"]["status"] == "pending"
    assert code_of(pending) == "approval_pending"


async def test_no_tool_makes_such_a_client_throw(tmp_path: Path) -> None:
    played = await play(food_server(tmp_path, "1"))
    assert len(played["answers"]) == len(played["tools"]) == 15
    for answer in played["answers"]:
        assert "thrown" not in answer, answer
        if answer["isError"]:
            assert code_of(answer) == "invalid_arguments"
