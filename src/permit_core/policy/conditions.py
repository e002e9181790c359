"""Conditions on attributes, evaluated on what is known of user, resource and environment.

Logic is three-valued (see ``operators.py``): "not" of what is unknown is unknown, and only what is certainly true
holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from permit_core.policy.operators import OPERATORS, TIME_TESTS, Verdict, compare, kind_of

__all__ = ["AttributeName", "Comparison", "Condition", "Logic", "Match", "Root", "Scope", "compare", "holding_lines"]

Root = Literal["user", "resource", "environment", "call"]


_NO_ARGUMENTS: Mapping[str, Any] = MappingProxyType({})


class Scope(NamedTuple):
    """What is known when a condition is evaluated.

    ``call`` are the arguments of a tool, as a model wrote them: a name space of its own, so that they stand before nothing
    that is stored. ``stored`` answers the attributes of another instance of a type, for conditions that follow keys; None
    if there is no such instance in the tenant.
    """

    user: Mapping[str, Any]
    resource: Mapping[str, Any]
    environment: Mapping[str, Any]
    call: Mapping[str, Any] = _NO_ARGUMENTS
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
    """``subject operator operand``; the operand may be another attribute. ``timed``: the two are compared as times."""

    subject: AttributeName
    operator: str
    operand: Any
    timed: bool = False

    def verdict(self, scope: Scope) -> Verdict:
        """The outcome on ``scope``."""
        right = self.operand.value(scope) if isinstance(self.operand, AttributeName) else self.operand
        test = TIME_TESTS[self.operator] if self.timed else OPERATORS[self.operator].test
        return test(self.subject.value(scope), right)

    def lines(self, scope: Scope) -> Iterator[str]:
        """The comparison as it stands in the policy.

        Of the values only numbers of the resource are shown: the rest can be personal, and can be any text.
        """
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
        return self.inner.verdict(scope._replace(resource=item))

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
