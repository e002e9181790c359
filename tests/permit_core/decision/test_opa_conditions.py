"""Conditions laid flat."""

from typing import Any

import pytest

from permit_core.decision.opa_conditions import MOST_LAYERS, MOST_MATCHES, flat_condition
from permit_core.decision.opa_documents import model_document
from permit_core.errors import ConfigurationError
from permit_core.policy.condition_reader import Declared, parse_condition
from tests.support.policies import policy_of

DECLARED = Declared(user={"age": "number", "things": "object_array", "deep": "json"}, resources={})
YOUNG, OLD = {"user.age": {"less-than": 6}}, {"user.age": {"greater-than": 60}}


def flat(raw: dict[str, Any]) -> dict[str, Any]:
    return flat_condition(parse_condition(raw, (), DECLARED), "x")


def shape(raw: dict[str, Any]) -> Any:
    """The tree of a flat condition: comparisons as < and >, with ! before what is negated."""
    condition = flat(raw)

    def tree(place: int) -> Any:
        node = condition["nodes"][place]
        if node["is"] == "comparison":
            return ("!" if node["negated"] else "") + ("<" if node["operator"] == "less-than" else ">")
        return [node["is"], *map(tree, node["parts"])]

    return tree(condition["root"])


def test_a_comparison_is_one_node_on_the_lowest_layer() -> None:
    condition = flat(YOUNG)
    node = {"is": "comparison", "within": -1, "negated": False, "left": {"of": "user", "names": ["age"]}}
    node |= {"operator": "less-than", "right": {"value": 6}}
    assert condition == {"nodes": [node], "layers": [[0]], "matches": [], "root": 0}


def test_another_attribute_is_named_and_not_looked_up() -> None:
    node = flat({"user.age": {"equals": {"ref": "environment.limit.low"}}})["nodes"][0]
    assert node["right"] == {"of": "environment", "names": ["limit", "low"]}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"not": YOUNG}, "!<"),
        ({"not": {"not": YOUNG}}, "<"),
        ({"not": {"allOf": [YOUNG, OLD]}}, ["any", "!<", "!>"]),
        ({"not": {"anyOf": [YOUNG, {"not": OLD}]}}, ["all", "!<", ">"]),
        ({"allOf": [{"allOf": [YOUNG, OLD]}, {"not": {"anyOf": [YOUNG, OLD]}}]}, ["all", "<", ">", "!<", "!>"]),
        ({"allOf": [{"anyOf": [YOUNG]}, {"anyOf": [YOUNG, OLD]}]}, ["all", "<", ["any", "<", ">"]]),
    ],
)
def test_negations_move_down_and_what_is_alike_is_joined(raw: dict[str, Any], expected: Any) -> None:
    assert shape(raw) == expected


def test_a_match_owns_what_is_inside_and_stands_above_it() -> None:
    inner = {"size": {"greater-than": 5}, "rows": {"any_match": {"match": {"size": {"less-than": 1}}}}}
    condition = flat({"not": {"user.things": {"all_match": {"match": inner}}}})
    owners = {place: node["within"] for place, node in enumerate(condition["nodes"])}
    first, second = condition["matches"]
    assert condition["root"] == first
    assert (condition["nodes"][first]["negated"], condition["nodes"][second]["negated"]) == (True, False)
    assert owners[first] == -1
    assert owners[second] == first
    assert sorted(owners.values()) == [-1, first, first, first, second]
    assert [place for layer in condition["layers"] for place in layer if place == first] == condition["layers"][-1]


def nested_logic(levels: int) -> dict[str, Any]:
    condition: dict[str, Any] = YOUNG
    for level in range(levels):
        condition = {"anyOf" if level % 2 else "allOf": [OLD, condition]}
    return condition


def nested_matches(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"size": {"equals": 1}}
    for _ in range(levels - 1):
        inner = {"deep": {"any_match": {"match": inner}}}
    return {"user.deep": {"any_match": {"match": inner}}}


def test_what_is_deeper_than_the_rules_go_is_refused_by_the_name_of_its_set() -> None:
    assert len(flat(nested_logic(MOST_LAYERS))["layers"]) == MOST_LAYERS + 1
    assert len(flat(nested_matches(MOST_MATCHES))["matches"]) == MOST_MATCHES
    for condition in (nested_logic(MOST_LAYERS + 1), nested_matches(MOST_MATCHES + 1)):
        with pytest.raises(
            ConfigurationError, match="POLICY_FILE: the conditions of x are nested too deep for PDP=opa"
        ):
            flat(condition)


def test_models_that_decide_alike_have_one_digest_and_others_another() -> None:
    text = "resources: {{room: {{name: {name}, actions: [open, close]}}}}\nroles: {{boss: {{permissions: ['room:{may}']}}}}"
    first, second, third = (
        model_document(policy_of(text.format(name=name, may=may)))
        for name, may in (("Room", "open"), ("Room", "open"), ("Room", "close"))
    )
    assert first == second
    assert first.digest != third.digest
    assert first.path == f"model/{first.digest}"
