"""Conditions as they stand in a policy file: read, and checked against what the policy declares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from permit_core.policy.conditions import AttributeName, Comparison, Condition, Logic, Match, Root
from permit_core.policy.marked_yaml import Path
from permit_core.policy.near import close_to
from permit_core.policy.operators import KIND_OF_TYPE, OPERATORS, TIME_TESTS, Operand, check_value, compare, kind_of
from permit_core.policy.schema import AttributeType

_ROOTS: Mapping[str, Root] = {
    "user": "user",
    "subject": "user",
    "resource": "resource",
    "environment": "environment",
    "call": "call",
}
_LOGIC = {"allOf": "all", "and": "all", "anyOf": "any", "or": "any", "not": "not"}
_MATCHES: Mapping[str, frozenset[AttributeType]] = {
    "object_match": frozenset({"object", "json", "string"}),
    "any_match": frozenset({"array", "object_array", "json"}),
    "all_match": frozenset({"array", "object_array", "json"}),
}
# A further role must never take a permission away, so user.roles is only asked for what it has, never for what it lacks.
_ROLES = AttributeName("user", ("roles",))
_GROWING = frozenset({"array_contains", "array_superset", "array_intersect"})
_GROWING_RIGHT = frozenset({"in", "array_subset", "array_intersect"})
_SCALARS = frozenset({"bool", "number", "string"})


@dataclass(frozen=True, slots=True)
class Declared:
    """Which attributes a condition may name.

    Attributes:
        user: attribute -> type.
        resources: resource type -> attribute -> type.
        resource: the type that ``resource.`` means, None where there is no resource to speak of.
        any_field: ``resource.`` means an object of unknown fields.
        call: argument of the tool -> type, None where no tool is called.
        mixed: arguments that several tools have, with different types.
    """

    user: Mapping[str, AttributeType]
    resources: Mapping[str, Mapping[str, AttributeType]]
    resource: str | None = None
    any_field: bool = False
    call: Mapping[str, AttributeType] | None = None
    mixed: frozenset[str] = frozenset()

    def names(self, root: Root) -> Iterable[str]:
        """What can be named below a root; nothing where anything can."""
        if root == "user":
            return self.user
        return self.resources.get(self.resource or "", ()) if root == "resource" else ()

    def type_of(self, root: Root, name: str) -> AttributeType | None:
        """The declared type, None when it is not declared; ``json`` where anything may stand."""
        if root == "environment" or (root == "resource" and self.any_field):
            return "json"
        if root == "user":
            return self.user.get(name)
        if root == "call":
            return None if self.call is None else self.call.get(name)
        return None if self.resource is None else self.resources[self.resource].get(name)


class ConditionFault(ValueError):
    """A condition in a policy is wrong at ``path``; ``expected`` says what should stand there."""

    def __init__(self, path: Path, expected: str) -> None:
        super().__init__(expected)
        self.path, self.expected = path, expected


def parse_condition(raw: Any, path: Path, declared: Declared) -> Condition:
    """Read a condition.

    Args:
        raw: the mapping under ``conditions``.
        path: where it stands, for errors.
        declared: the attributes it may name.

    Raises:
        ConditionFault: an unknown operator or attribute, an operand that does not fit, an empty condition.
    """
    return _Parser(declared).condition(raw, path)


class _Parser:
    def __init__(self, declared: Declared, negations: int = 0) -> None:
        self._declared, self._negations = declared, negations

    def condition(self, raw: Any, path: Path) -> Condition:
        """An object: logic words and attributes; with several entries all must hold."""
        return self._object(raw, path, "a condition", self._attribute_entry)

    def _object(self, raw: Any, path: Path, what: str, entry: Callable[[str, Any, Path], Condition]) -> Condition:
        if not isinstance(raw, Mapping) or not raw:
            raise ConditionFault(path, f"expected {what}: a mapping that is not empty")
        parts: list[Condition] = []
        for key, value in raw.items():
            below = (*path, key)
            kind = _LOGIC.get(key)
            if kind is None:
                parts.append(entry(key, value, below))
            elif kind == "not":
                self._negations += 1
                parts.append(Logic("not", (self._object(value, below, what, entry),)))
                self._negations -= 1
            elif not isinstance(value, list) or not value:
                raise ConditionFault(below, "expected a list of conditions that is not empty")
            else:
                items = (self._object(item, (*below, place), what, entry) for place, item in enumerate(value))
                parts.append(Logic(kind, tuple(items)))
        return parts[0] if len(parts) == 1 else Logic("all", tuple(parts))

    def _attribute_entry(self, key: str, value: Any, path: Path) -> Condition:
        name, declared = self._attribute(key, path)
        return self._tests(name, declared, value, path)

    def _tests(self, name: AttributeName, declared: AttributeType, raw: Any, path: Path) -> Condition:
        """What follows an attribute: operators, or logic over operators."""
        return self._object(
            raw, path, "an operator and its value", lambda key, value, at: self._test(name, declared, key, value, at)
        )

    def _attribute(self, text: str, path: Path) -> tuple[AttributeName, AttributeType]:
        first, _, rest = text.partition(".")
        root, names = _ROOTS.get(first), tuple(rest.split("."))
        if root is None or not all(names):
            known = "allOf, anyOf, not, user.…, resource.…, call.… or environment.…"
            raise ConditionFault(path, f"expected one of {known}; found {text!r}")
        declared = self._declared.type_of(root, names[0])
        if declared is None:
            raise ConditionFault(path, self._undeclared(root, names[0]))
        if len(names) > 1:
            if declared not in {"object", "json"}:
                raise ConditionFault(path, f"expected no further name: {root}.{names[0]} is a {declared}")
            declared = "json"
        return AttributeName(root, names), declared

    def _undeclared(self, root: Root, name: str) -> str:
        if root != "call":
            near = close_to(name, self._declared.names(root))
            return f"expected an attribute that is declared; {root}.{name} is not{near}"
        if self._declared.call is None:
            return f"expected user.…: no tool is called where users are described, so there is no call.{name}"
        if name in self._declared.mixed:
            return f"expected an argument of one type: tools declare call.{name} with several; rename one of them"
        near = close_to(name, self._declared.call)
        return f"expected an argument that a tool declares under arguments; call.{name} is not declared{near}"

    def _test(self, name: AttributeName, declared: AttributeType, key: str, value: Any, path: Path) -> Condition:
        if key in _MATCHES:
            return self._match(name, declared, key, value, path)
        operator = OPERATORS.get(key)
        if operator is None:
            known = ", ".join((*OPERATORS, *_MATCHES))
            raise ConditionFault(path, f"expected an operator ({known}); found {key!r}")
        if declared not in operator.types:
            fits = ", ".join(sorted(operator.types))
            raise ConditionFault(path, f"expected an operator for {declared}: {key} is for {fits}, and {name} is not")
        if isinstance(value, Mapping) and set(value) == {"ref"}:
            other = self._reference(declared, operator.operand, value["ref"], (*path, "ref"))
            self._refuse_lacking_roles(name, key, other, path)
            timed = key in TIME_TESTS and "time" in {declared, self._type_of(other)}
            return Comparison(name, key, other, timed)
        self._refuse_lacking_roles(name, key, None, path)
        expected = _operand_fault(operator.operand, declared, value)
        if expected is not None:
            raise ConditionFault(path, f"expected {expected} after {key}, because {name} is of type {declared}")
        return Comparison(name, key, value, declared == "time" and key in TIME_TESTS)

    def _refuse_lacking_roles(self, name: AttributeName, key: str, other: AttributeName | None, path: Path) -> None:
        falls = (name == _ROLES and key not in _GROWING) or (other == _ROLES and key not in _GROWING_RIGHT)
        if falls or (_ROLES in {name, other} and self._negations):
            raise ConditionFault(
                path,
                f"expected user.roles only where a further role takes nothing away: under {', '.join(sorted(_GROWING))}, "
                "and never under not",
            )

    def _type_of(self, name: AttributeName) -> AttributeType | None:
        return self._declared.type_of(name.root, name.names[0]) if len(name.names) == 1 else "json"

    def _reference(self, declared: AttributeType, operand: Operand, text: Any, path: Path) -> AttributeName:
        if not isinstance(text, str):
            raise ConditionFault(path, "expected an attribute such as user.first_name")
        name, other = self._attribute(text, path)
        fits = {
            "list": {"array"},
            "pair": {"array"},
            "scalar": _SCALARS,
            "text": {"string"},
        }.get(operand, {KIND_OF_TYPE[declared]})
        kind = KIND_OF_TYPE[other]
        if kind is not None and None not in fits and kind not in fits:
            raise ConditionFault(path, f"expected an attribute to compare with: {name} is of type {other}")
        return name

    def _match(self, name: AttributeName, declared: AttributeType, key: str, value: Any, path: Path) -> Condition:
        if not isinstance(value, Mapping) or "match" not in value or set(value) - {"match", "fk_resource_type"}:
            raise ConditionFault(path, "expected {match: {...}} and at most fk_resource_type beside it")
        foreign = value.get("fk_resource_type")
        if foreign is not None and foreign not in self._declared.resources:
            raise ConditionFault((*path, "fk_resource_type"), "expected a resource type of this policy")
        if declared not in _MATCHES[key] or (declared == "string" and foreign is None):
            raise ConditionFault(path, f"expected an operator for {declared}: {key} looks into objects")
        fields = replace(self._declared, resource=foreign, any_field=foreign is None)
        inner = _Parser(fields, self._negations)
        return Match(name, key, inner.fields(value["match"], (*path, "match")), foreign)

    def fields(self, raw: Any, path: Path) -> Condition:
        """Conditions on fields: an entry's key is a bare field name."""

        def field(key: str, value: Any, at: Path) -> Condition:
            name, declared = self._attribute(f"resource.{key}", at)
            return self._tests(name, declared, value, at)

        return self._object(raw, path, "conditions on fields", field)


def _operand_fault(operand: Operand, declared: AttributeType, value: Any) -> str | None:
    """What should have stood right of an operator; None when ``value`` does."""
    fits, expected = _OPERANDS[operand]
    return None if fits(declared, value) else expected


def _is_alike(declared: AttributeType, value: Any) -> bool:
    if declared == "time":
        return check_value("time", value) is None
    return kind_of(value) is not None and KIND_OF_TYPE[declared] in {None, kind_of(value)}


def _is_ordered(declared: AttributeType, value: Any) -> bool:
    return kind_of(value) in {"number", "string"} and _is_alike(declared, value)


def _is_pair(declared: AttributeType, value: Any) -> bool:
    if kind_of(value) != "array" or len(value) != 2 or kind_of(value[0]) != kind_of(value[1]):
        return False
    in_order = compare("less-than-equals", value[0], value[1], declared)
    return _is_ordered(declared, value[0]) and _is_ordered(declared, value[1]) and in_order


def _is_list(declared: AttributeType, value: Any) -> bool:
    if kind_of(value) != "array" or not value:
        return False
    of_scalars = all(kind_of(item) in _SCALARS for item in value)
    return of_scalars and (declared == "array" or all(_is_alike(declared, item) for item in value))


_OPERANDS: Mapping[Operand, tuple[Callable[[AttributeType, Any], bool], str]] = {
    "alike": (_is_alike, "a value of the same type"),
    "ordered": (_is_ordered, "a value of the same type, a number or a time,"),
    "pair": (_is_pair, "a list of two values of the same type, the lower first,"),
    "text": (lambda _, value: kind_of(value) == "string", "a text"),
    "scalar": (lambda _, value: kind_of(value) in _SCALARS, "a text, a number, true or false"),
    "list": (_is_list, "a list, not empty, of values that fit"),
}
