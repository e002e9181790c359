"""docs/policy-language.md says what the code does."""

import re
from typing import Any, get_args

import yaml

from permit_core.access import ReasonCode
from permit_core.policy.operators import OPERATORS
from permit_core.policy.relations import MAX_STEPS, MAX_VISITED
from permit_core.policy.schema import AttributeType, PinOperator, PolicyDocument, ToolRule
from tests.support.core import POLICIES

PAGE = (POLICIES.parent / "docs" / "policy-language.md").read_text(encoding="utf-8")
SHIPPED = yaml.safe_load((POLICIES / "family_food.yaml").read_text(encoding="utf-8"))
TRANSFERS = yaml.safe_load((POLICIES / "transfers.yaml").read_text(encoding="utf-8"))


def rows(heading: str) -> dict[str, list[str]]:
    """The table under a heading: first cell without backquotes -> the other cells."""
    text = re.split(r"^#+ ", PAGE.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]
    return {first.strip("`"): rest for first, *rest in cells}


def is_part_of(example: Any, whole: Any) -> bool:
    """Whether an example says nothing that the whole does not say."""
    if isinstance(example, dict) and isinstance(whole, dict):
        return all(key in whole and is_part_of(value, whole[key]) for key, value in example.items())
    return bool(example == whole)


def test_the_operators_table_lists_every_operator_with_its_types() -> None:
    table = rows("Operators")

    assert set(table) == {*OPERATORS, "object_match", "any_match", "all_match"}
    for name, operator in OPERATORS.items():
        types = table[name][0]
        listed = set(get_args(AttributeType)) if types == "all" else set(types.split(", "))
        assert listed == operator.types, name


def test_the_reasons_table_lists_every_reason() -> None:
    assert set(rows("How it is decided")) == set(ReasonCode)


def test_the_file_table_lists_every_section_in_order() -> None:
    assert list(rows("The file")) == list(PolicyDocument.model_fields)


def test_types_pin_operators_and_bounds_are_named() -> None:
    for word in (*get_args(AttributeType), *get_args(PinOperator)):
        assert f"`{word}`" in PAGE
    assert f"at most {MAX_STEPS} relations" in PAGE
    assert f"after {MAX_VISITED:,} roles" in PAGE


def test_the_table_of_declarations_lists_every_key() -> None:
    keys = {key for row in rows("`tools`, `mcp_resources`, `prompts`") for key in row.split("`, `")}
    assert keys == set(ToolRule.model_fields)


def test_the_examples_are_cut_from_the_shipped_policy() -> None:
    sections = {"resources": SHIPPED["resources"], "roles": SHIPPED["roles"]}
    blocks = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
    compared = 0
    for block in blocks:
        if "policy" in block or "users" in block or "editor" in block:
            continue  # a scenario table, a facts file, and the one example that says it is not from there
        wholes = [SHIPPED, *sections.values(), TRANSFERS]
        assert any(is_part_of(block, whole) for whole in wholes), block
        compared += 1
    assert compared >= 5
