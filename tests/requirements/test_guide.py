"""Every promise of Permit.io's guide has an id and a test that exists."""

import ast
from functools import cache
from pathlib import Path
from typing import TypedDict, cast

import yaml

ROOT = Path(__file__).resolve().parents[2]


class Promise(TypedDict):
    id: str
    promise: str
    tests: list[str]


def promises() -> list[Promise]:
    text = (Path(__file__).parent / "guide.yaml").read_text(encoding="utf-8")
    return cast("list[Promise]", yaml.safe_load(text))


@cache
def found_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def test_every_promise_names_tests_that_exist() -> None:
    missing = []
    for promise in promises():
        assert promise["tests"], promise["id"]
        for test in promise["tests"]:
            file, _, name = test.partition("::")
            if not (ROOT / file).is_file() or name not in found_in(file):
                missing.append(f"{promise['id']}: {test}")
    assert missing == []


def test_ids_are_unique_and_there_are_promises() -> None:
    ids = [promise["id"] for promise in promises()]
    assert ids
    assert len(ids) == len(set(ids))
