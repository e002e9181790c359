from collections.abc import Mapping
from typing import Any

import pytest

from permit_core.policy.condition_reader import ConditionFault, Declared, parse_condition
from permit_core.policy.conditions import Scope, holding_lines
from permit_core.policy.operators import OPERATORS
from permit_core.policy.schema import AttributeType

USER: dict[str, AttributeType] = {
    "age": "number",
    "first_name": "string",
    "since": "time",
    "groups": "array",
    "roles": "array",
    "home": "object",
    "extra": "json",
    "trusted": "bool",
}
DOCUMENT: dict[str, AttributeType] = {
    "pages": "number",
    "owner": "string",
    "tags": "array",
    "parts": "object_array",
    "folder": "string",
    "folders": "array",
    "open": "bool",
}
DECLARED = Declared(USER, {"document": DOCUMENT, "folder": {"level": "number", "owner": "string"}}, "document")
STORED: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("folder", "a"): {"level": 1, "owner": "Henry"},
    ("folder", "b"): {"level": 9},
}


def verdict(raw: Any, *, user: Any = None, resource: Any = None, environment: Any = None) -> bool | None:
    scope = Scope(user or {}, resource or {}, environment or {}, stored=lambda kind, key: STORED.get((kind, key)))
    return parse_condition(raw, (), DECLARED).verdict(scope)


ADULT = {"user.age": {"greater-than-equals": 18}}
SHORT = {"resource.pages": {"less-than": 10}}


@pytest.mark.parametrize(
    ("raw", "user", "resource", "expected"),
    [
        (ADULT, {"age": 18}, {}, True),
        (ADULT, {"age": 17}, {}, False),
        (ADULT, {}, {}, None),
        (ADULT, {"age": "18"}, {}, None),
        (ADULT, {"age": True}, {}, None),
        ({"subject.age": {"equals": 18}}, {"age": 18}, {}, True),
        ({"not": ADULT}, {"age": 17}, {}, True),
        ({"not": ADULT}, {"age": 18}, {}, False),
        ({"not": ADULT}, {}, {}, None),
        ({"not": {"not": ADULT}}, {}, {}, None),
        ({"allOf": [ADULT, SHORT]}, {"age": 18}, {"pages": 9}, True),
        ({"and": [ADULT, SHORT]}, {"age": 18}, {"pages": 10}, False),
        ({"allOf": [ADULT, SHORT]}, {"age": 18}, {}, None),
        ({"allOf": [ADULT, SHORT]}, {"age": 1}, {}, False),
        ({"allOf": [{"allOf": [ADULT]}, {"allOf": [SHORT]}]}, {"age": 18}, {"pages": 1}, True),
        ({"anyOf": [ADULT, SHORT]}, {"age": 18}, {}, True),
        ({"or": [ADULT, SHORT]}, {"age": 1}, {"pages": 11}, False),
        ({"anyOf": [ADULT, SHORT]}, {"age": 1}, {}, None),
        ({"not": {"anyOf": [ADULT, SHORT]}}, {"age": 1}, {}, None),
        ({**ADULT, **SHORT}, {"age": 18}, {"pages": 1}, True),
        ({**ADULT, **SHORT}, {"age": 18}, {"pages": 11}, False),
        ({"user.age": {"or": [{"less-than": 6}, {"greater-than": 60}]}}, {"age": 61}, {}, True),
        ({"user.age": {"anyOf": [{"less-than": 6}, {"greater-than": 60}]}}, {"age": 30}, {}, False),
        ({"user.age": {"not": {"less-than": 6}}}, {"age": 30}, {}, True),
        ({"user.age": {"not": {"less-than": 6}}}, {}, {}, None),
        ({"user.age": {"greater-than": 5, "less-than": 8}}, {"age": 6}, {}, True),
        ({"user.age": {"greater-than": 5, "less-than": 8}}, {"age": 9}, {}, False),
        ({"resource.owner": {"equals": {"ref": "user.first_name"}}}, {"first_name": "Rose"}, {"owner": "Rose"}, True),
        ({"resource.owner": {"equals": {"ref": "user.first_name"}}}, {"first_name": "Rose"}, {"owner": "Joe"}, False),
        ({"resource.owner": {"equals": {"ref": "user.first_name"}}}, {}, {}, None),
        ({"resource.owner": {"in": {"ref": "user.groups"}}}, {"groups": ["a"]}, {"owner": "a"}, True),
        ({"user.home.city": {"equals": "Paris"}}, {"home": {"city": "Paris"}}, {}, True),
        ({"user.home.city": {"equals": "Paris"}}, {"home": {}}, {}, None),
        ({"user.home.city": {"equals": "Paris"}}, {"home": "Paris"}, {}, None),
        ({"user.extra": {"less-than": 3}}, {"extra": 2}, {}, True),
        ({"user.extra": {"less-than": 3}}, {"extra": "2"}, {}, None),
        ({"user.home": {"object_match": {"match": {"rooms": {"greater-than": 3}}}}}, {"home": {"rooms": 4}}, {}, True),
        ({"user.home": {"object_match": {"match": {"rooms": {"greater-than": 3}}}}}, {"home": {}}, {}, None),
        ({"user.home": {"object_match": {"match": {"rooms": {"greater-than": 3}}}}}, {"home": 4}, {}, None),
        (
            {"user.home": {"object_match": {"match": {"a": {"equals": 1}, "b.c": {"equals": 2}}}}},
            {"home": {"a": 1, "b": {"c": 2}}},
            {},
            True,
        ),
        ({"resource.parts": {"any_match": {"match": {"n": {"equals": 1}}}}}, {}, {"parts": [{"n": 0}, {"n": 1}]}, True),
        ({"resource.parts": {"any_match": {"match": {"n": {"equals": 1}}}}}, {}, {"parts": [{"n": 0}]}, False),
        ({"resource.parts": {"any_match": {"match": {"n": {"equals": 1}}}}}, {}, {"parts": []}, None),
        ({"resource.parts": {"any_match": {"match": {"n": {"equals": 1}}}}}, {}, {"parts": {"n": 1}}, None),
        ({"resource.parts": {"all_match": {"match": {"n": {"equals": 1}}}}}, {}, {"parts": [{"n": 1}, {"n": 1}]}, True),
        (
            {"resource.parts": {"all_match": {"match": {"n": {"equals": 1}}}}},
            {},
            {"parts": [{"n": 1}, {"n": 0}]},
            False,
        ),
        ({"resource.parts": {"all_match": {"match": {"n": {"equals": 1}}}}}, {}, {"parts": [{"n": 1}, {}]}, None),
        ({"resource.parts": {"all_match": {"match": {"n": {"equals": 1}}}}}, {}, {"parts": []}, None),
        (
            {"resource.parts": {"any_match": {"match": {"or": [{"n": {"equals": 1}}, {"m": {"equals": 2}}]}}}},
            {},
            {"parts": [{"m": 2}]},
            True,
        ),
        (
            {"resource.folder": {"object_match": {"fk_resource_type": "folder", "match": {"level": {"less-than": 5}}}}},
            {},
            {"folder": "a"},
            True,
        ),
        (
            {"resource.folder": {"object_match": {"fk_resource_type": "folder", "match": {"level": {"less-than": 5}}}}},
            {},
            {"folder": "missing"},
            None,
        ),
        (
            {"resource.folder": {"object_match": {"fk_resource_type": "folder", "match": {"level": {"less-than": 5}}}}},
            {},
            {"folder": ["a"]},
            None,
        ),
        (
            {"resource.folders": {"any_match": {"fk_resource_type": "folder", "match": {"level": {"equals": 9}}}}},
            {},
            {"folders": ["a", "b"]},
            True,
        ),
        (
            {
                "resource.folders": {
                    "all_match": {
                        "fk_resource_type": "folder",
                        "match": {"owner": {"equals": {"ref": "user.first_name"}}},
                    }
                }
            },
            {"first_name": "Henry"},
            {"folders": ["a"]},
            True,
        ),
    ],
)
def test_a_condition_holds_fails_or_stays_open(
    raw: Any, user: dict[str, Any], resource: dict[str, Any], expected: bool | None
) -> None:
    assert verdict(raw, user=user, resource=resource) is expected


def test_the_environment_is_what_the_check_brings() -> None:
    raw = {"environment.hour": {"between": [8, 18]}}

    assert verdict(raw, environment={"hour": 12}) is True
    assert verdict(raw, environment={"hour": 20}) is False
    assert verdict(raw) is None


@pytest.mark.parametrize(
    ("raw", "path", "expected"),
    [
        ({}, (), "not empty"),
        ([], (), "a mapping"),
        ({"allOf": []}, ("allOf",), "not empty"),
        ({"allOf": ADULT}, ("allOf",), "a list"),
        ({"anyOf": [{}]}, ("anyOf", 0), "not empty"),
        ({"not": [ADULT]}, ("not",), "a mapping"),
        ({"user": {"equals": 1}}, ("user",), "user.…"),
        ({"user.": {"equals": 1}}, ("user.",), "user.…"),
        ({"tenant.key": {"equals": "x"}}, ("tenant.key",), "found 'tenant.key'"),
        ({"user.height": {"equals": 1}}, ("user.height",), "user.height is not"),
        ({"user.age.years": {"equals": 1}}, ("user.age.years",), "is a number"),
        ({"user.age": 5}, ("user.age",), "an operator and its value"),
        ({"user.age": {}}, ("user.age",), "an operator and its value"),
        ({"user.age": {"approximately": 5}}, ("user.age", "approximately"), "found 'approximately'"),
        ({"user.age": {"equals": None}}, ("user.age", "equals"), "a value of the same type"),
        ({"user.trusted": {"equals": 1}}, ("user.trusted", "equals"), "of type bool"),
        ({"user.trusted": {"less-than": 1}}, ("user.trusted", "less-than"), "for bool"),
        ({"user.first_name": {"less-than": "b"}}, ("user.first_name", "less-than"), "for string"),
        ({"user.since": {"less-than": 5}}, ("user.since", "less-than"), "a time"),
        ({"user.age": {"between": [1]}}, ("user.age", "between"), "a list of two"),
        ({"user.age": {"between": [2, 1]}}, ("user.age", "between"), "the lower first"),
        ({"user.age": {"between": [1, True]}}, ("user.age", "between"), "the lower first"),
        ({"user.first_name": {"contains": 5}}, ("user.first_name", "contains"), "a text"),
        ({"user.age": {"in": []}}, ("user.age", "in"), "not empty"),
        ({"user.age": {"in": ["a"]}}, ("user.age", "in"), "that fit"),
        ({"user.age": {"in": 5}}, ("user.age", "in"), "a list"),
        ({"user.groups": {"array_contains": ["a"]}}, ("user.groups", "array_contains"), "a text, a number"),
        ({"user.groups": {"array_subset": [["a"]]}}, ("user.groups", "array_subset"), "that fit"),
        ({"user.age": {"array_contains": 1}}, ("user.age", "array_contains"), "for number"),
        ({"user.age": {"equals": {"ref": 5}}}, ("user.age", "equals", "ref"), "such as user.first_name"),
        ({"user.age": {"equals": {"ref": "user.first_name"}}}, ("user.age", "equals", "ref"), "is of type string"),
        ({"user.age": {"equals": {"ref": "user.nobody"}}}, ("user.age", "equals", "ref"), "declared"),
        ({"user.age": {"object_match": {"match": {"a": {"equals": 1}}}}}, ("user.age", "object_match"), "for number"),
        ({"resource.folder": {"object_match": {"match": {}}}}, ("resource.folder", "object_match"), "for string"),
        ({"user.home": {"object_match": {}}}, ("user.home", "object_match"), "match: {...}"),
        ({"user.home": {"object_match": {"match": {}, "of": 1}}}, ("user.home", "object_match"), "at most"),
        ({"user.home": {"object_match": {"match": {}}}}, ("user.home", "object_match", "match"), "on fields"),
        (
            {"resource.folder": {"object_match": {"match": {}, "fk_resource_type": "car"}}},
            ("resource.folder", "object_match", "fk_resource_type"),
            "a resource type",
        ),
        (
            {"resource.folder": {"object_match": {"match": {"colour": {"equals": 1}}, "fk_resource_type": "folder"}}},
            ("resource.folder", "object_match", "match", "colour"),
            "declared",
        ),
    ],
)
def test_a_wrong_condition_is_an_error_at_its_place(raw: Any, path: tuple[str | int, ...], expected: str) -> None:
    with pytest.raises(ConditionFault) as caught:
        parse_condition(raw, (), DECLARED)

    assert caught.value.path == path
    assert expected in caught.value.expected


@pytest.mark.parametrize(
    "raw",
    [
        {"not": {"user.roles": {"array_contains": "parent"}}},
        {"user.roles": {"not": {"array_contains": "parent"}}},
        {"user.roles": {"equals": ["parent"]}},
        {"user.roles": {"array_subset": ["parent"]}},
        {"user.groups": {"array_superset": {"ref": "user.roles"}}},
        {"not": {"resource.parts": {"any_match": {"match": {"role": {"in": {"ref": "user.roles"}}}}}}},
    ],
)
def test_lacking_a_role_is_not_a_condition(raw: Any) -> None:
    with pytest.raises(ConditionFault, match="a further role takes nothing away"):
        parse_condition(raw, (), DECLARED)


@pytest.mark.parametrize(
    "raw",
    [
        {"user.roles": {"array_contains": "parent"}},
        {"user.roles": {"array_intersect": ["parent", "child"]}},
        {"resource.owner": {"in": {"ref": "user.roles"}}},
    ],
)
def test_having_a_role_is_a_condition(raw: Any) -> None:
    assert verdict(raw, user={"roles": ("parent",)}, resource={"owner": "parent"}) is True


def test_users_alone_have_no_resource_to_speak_of() -> None:
    with pytest.raises(ConditionFault, match=r"resource\.pages is not"):
        parse_condition(SHORT, (), Declared(USER, {"document": DOCUMENT}))


def test_every_operator_can_be_read() -> None:
    samples: dict[str, Any] = {
        "between": ("user.age", [1, 2]),
        "contains": ("user.first_name", "a"),
        "in": ("user.age", [1]),
        "array_contains": ("user.groups", "a"),
        "array_subset": ("user.groups", ["a"]),
        "array_superset": ("user.groups", ["a"]),
        "array_intersect": ("user.groups", ["a"]),
    }
    for operator in OPERATORS:
        attribute, value = samples.get(operator, ("user.age", 1))
        assert verdict({attribute: {operator: value}}) is None


def test_the_lines_show_what_made_it_true_and_only_numbers_of_the_resource() -> None:
    raw = {
        "allOf": [
            SHORT,
            {"anyOf": [ADULT, {"user.first_name": {"equals": "Rose"}}]},
            {"not": {"resource.open": {"equals": True}}},
            {"user.home": {"object_match": {"match": {"rooms": {"equals": 1}}}}},
        ]
    }
    scope = Scope({"age": 44, "first_name": "Joe", "home": {"rooms": 1}}, {"pages": 3, "open": False}, {})

    assert holding_lines(parse_condition(raw, (), DECLARED), scope) == [
        "resource.pages (3) less-than 10",
        "user.age greater-than-equals 18",
        "not resource.open equals True",
        "user.home object_match",
    ]
