"""Conditions on attributes: read from a policy file, evaluated on what is known of user, resource and environment.

Logic is three-valued (see ``operators.py``): "not" of what is unknown is unknown, and only what is certainly true
holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from permit_core.policy.marked_yaml import Path
from permit_core.policy.operators import KIND_OF_TYPE, OPERATORS, Operand, Verdict, compare, kind_of
from permit_core.policy.schema import AttributeType

__all__ = ["Condition", "ConditionFault", "Scope", "compare", "holding_lines", "parse_condition"]

Root = Literal["user", "resource", "environment"]

_ROOTS: Mapping[str, Root] = {
    "user": "user",
    "subject": "user",
    "resource": "resource",
    "environment": "environment",
}
_LOGIC = {"allOf": "all", "and": "all", "anyOf": "any", "or": "any", "not": "not"}
_MATCHES: Mapping[str, frozenset[AttributeType]] = {
    "object_match": frozenset({"object", "json", "string"}),
    "any_match": frozenset({"array", "object_array", "json"}),
    "all_match": frozenset({"array", "object_array", "json"}),
}
_SCALARS = frozenset({"bool", "number", "string"})


@dataclass(frozen=True, slots=True)
class Declared:
    """Which attributes a condition may name.

    Attributes:
        user: attribute -> type.
        resources: resource type -> attribute -> type.
        resource: the type that ``resource.`` means, None where there is no resource to speak of.
        any_field: ``resource.`` means an object of unknown fields.
    """

    user: Mapping[str, AttributeType]
    resources: Mapping[str, Mapping[str, AttributeType]]
    resource: str | None = None
    any_field: bool = False

    def type_of(self, root: Root, name: str) -> AttributeType | None:
        """The declared type, None when it is not declared; ``json`` where anything may stand."""
        if root == "environment" or (root == "resource" and self.any_field):
            return "json"
        if root == "user":
            return self.user.get(name)
        return None if self.resource is None else self.resources[self.resource].get(name)


class ConditionFault(ValueError):
    """A condition in a policy is wrong at ``path``; ``expected`` says what should stand there."""

    def __init__(self, path: Path, expected: str) -> None:
        super().__init__(expected)
        self.path, self.expected = path, expected


@dataclass(frozen=True, slots=True)
class Scope:
    """What is known when a condition is evaluated.

    ``stored`` answers the attributes of another instance of a type, for conditions that follow keys; None if there is
    no such instance in the tenant.
    """

    user: Mapping[str, Any]
    resource: Mapping[str, Any]
    environment: Mapping[str, Any]
    stored: Callable[[str, str], Mapping[str, Any] | None] = lambda _type, _key: None


@dataclass(frozen=True, slots=True)
class AttributeName:
    """``resource.price_cents``; more names lead into objects."""

    root: Root
    names: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join((self.root, *self.names))

    def value(self, scope: Scope) -> Any:
        """The attribute's value, None when it or anything on the way is missing."""
        found: Any = getattr(scope, self.root)
        for name in self.names:
            if not isinstance(found, Mapping):
                return None
            found = found.get(name)
        return found


@dataclass(frozen=True, slots=True)
class Comparison:
    """``subject operator operand``; the operand may be another attribute."""

    subject: AttributeName
    operator: str
    operand: Any

    def verdict(self, scope: Scope) -> Verdict:
        """The outcome on ``scope``."""
        right = self.operand.value(scope) if isinstance(self.operand, AttributeName) else self.operand
        return OPERATORS[self.operator].test(self.subject.value(scope), right)

    def lines(self, scope: Scope) -> Iterator[str]:
        """The comparison as it stands in the policy. Of the values only numbers of the resource are shown: the rest
        can be personal, and can be any text."""
        value = self.subject.value(scope)
        shown = f" ({value})" if self.subject.root == "resource" and kind_of(value) == "number" else ""
        yield f"{self.subject}{shown} {self.operator} {self.operand}"


@dataclass(frozen=True, slots=True)
class Match:
    """Conditions on the fields of an object, of one object of a list, or of every one.

    With ``fk_resource_type`` the attribute holds keys of instances of that type, and their attributes are looked at. An
    empty list proves nothing: neither any nor all of it matches, and the opposite is not proved either.
    """

    subject: AttributeName
    operator: str
    inner: Condition
    fk_resource_type: str | None

    def verdict(self, scope: Scope) -> Verdict:
        """The outcome on ``scope``."""
        value = self.subject.value(scope)
        if self.operator == "object_match":
            return self._one(value, scope)
        if kind_of(value) != "array" or not value:
            return None
        verdicts = [self._one(item, scope) for item in value]
        return _any(verdicts) if self.operator == "any_match" else _all(verdicts)

    def _one(self, item: Any, scope: Scope) -> Verdict:
        if self.fk_resource_type is not None:
            item = scope.stored(self.fk_resource_type, item) if isinstance(item, str) else None
        if not isinstance(item, Mapping):
            return None
        return self.inner.verdict(Scope(scope.user, item, scope.environment, scope.stored))

    def lines(self, scope: Scope) -> Iterator[str]:
        """What was matched."""
        yield f"{self.subject} {self.operator}"


@dataclass(frozen=True, slots=True)
class Logic:
    """``all``, ``any`` or ``not`` (of its only part)."""

    kind: str
    parts: tuple[Condition, ...]

    def verdict(self, scope: Scope) -> Verdict:
        """The outcome on ``scope``."""
        if self.kind == "not":
            inner = self.parts[0].verdict(scope)
            return None if inner is None else not inner
        verdicts = [part.verdict(scope) for part in self.parts]
        return _any(verdicts) if self.kind == "any" else _all(verdicts)

    def lines(self, scope: Scope) -> Iterator[str]:
        """The parts that make it true."""
        if self.kind == "not":
            yield from (f"not {line}" for line in self.parts[0].lines(scope))
            return
        for part in self.parts:
            if self.kind == "all" or part.verdict(scope):
                yield from part.lines(scope)


Condition = Comparison | Match | Logic


def _all(verdicts: list[Verdict]) -> Verdict:
    if False in verdicts:
        return False
    return None if None in verdicts else True


def _any(verdicts: list[Verdict]) -> Verdict:
    if True in verdicts:
        return True
    return None if None in verdicts else False


def holding_lines(condition: Condition, scope: Scope) -> list[str]:
    """The comparisons that make a condition true, one readable line each."""
    return list(condition.lines(scope))


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
    def __init__(self, declared: Declared) -> None:
        self._declared = declared

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
                parts.append(Logic("not", (self._object(value, below, what, entry),)))
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
            known = "allOf, anyOf, not, user.…, resource.… or environment.…"
            raise ConditionFault(path, f"expected one of {known}; found {text!r}")
        declared = self._declared.type_of(root, names[0])
        if declared is None:
            raise ConditionFault(path, f"expected an attribute that is declared; {root}.{names[0]} is not")
        if len(names) > 1:
            if declared not in {"object", "json"}:
                raise ConditionFault(path, f"expected no further name: {root}.{names[0]} is a {declared}")
            declared = "json"
        return AttributeName(root, names), declared

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
            return Comparison(name, key, self._reference(declared, operator.operand, value["ref"], (*path, "ref")))
        expected = _operand_fault(operator.operand, declared, value)
        if expected is not None:
            raise ConditionFault(path, f"expected {expected} after {key}, because {name} is of type {declared}")
        return Comparison(name, key, value)

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
        inner = _Parser(replace(self._declared, resource=foreign, any_field=foreign is None))
        return Match(name, key, inner.fields(value["match"], (*path, "match")), foreign)

    def fields(self, raw: Any, path: Path) -> Condition:
        """Conditions on fields: an entry's key is a bare field name."""

        def field(key: str, value: Any, at: Path) -> Condition:
            name, declared = self._attribute(f"resource.{key}", at)
            return self._tests(name, declared, value, at)

        return self._object(raw, path, "conditions on fields", field)


def _operand_fault(operand: Operand, declared: AttributeType, value: Any) -> str | None:
    """What should have stood right of an operator; None when ``value`` does."""
    kind, wanted = kind_of(value), KIND_OF_TYPE[declared]
    if operand == "alike":
        fits = kind is not None and wanted in {None, kind}
        return None if fits else f"a value of type {declared}"
    if operand == "ordered":
        return None if _ordered(kind, declared) else "a number" if declared == "number" else "a number or a time"
    if operand == "text":
        return None if kind == "string" else "a text"
    if operand == "scalar":
        return None if kind in _SCALARS else "a text, a number, true or false"
    if kind != "array":
        return "a list"
    kinds = [kind_of(item) for item in value]
    if operand == "pair":
        pair = len(value) == 2 and kinds[0] == kinds[1] and _ordered(kinds[0], declared) and value[0] <= value[1]
        return None if pair else "a list of two, the lower first,"
    fitting = all(item in _SCALARS and (declared in {"array", "json"} or item == wanted) for item in kinds)
    return None if value and fitting else "a list, not empty, of fitting values"


def _ordered(kind: str | None, declared: AttributeType) -> bool:
    return kind in {"number", "string"} and KIND_OF_TYPE[declared] in {None, kind}
