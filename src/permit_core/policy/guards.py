"""Guards: the declared tools, resources and prompts of an MCP server, their conditions read and checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from permit_core.access import OBJECT_KEY, Check, ResourceRef
from permit_core.identity import Actor
from permit_core.policy.condition_reader import ConditionFault, Declared, parse_condition
from permit_core.policy.conditions import AttributeName, Condition, Scope
from permit_core.policy.marked_yaml import Path, dotted
from permit_core.policy.operators import Verdict, kind_of
from permit_core.policy.references import (
    Fault,
    declared_attributes,
    guarded,
    one_of,
    pinned_faults,
)
from permit_core.policy.schema import (
    ComputedRule,
    Confirm,
    ConfirmedBy,
    PolicyDocument,
    Quota,
    ResourceType,
    ToolRule,
)

GuardKind = Literal["tools", "mcp_resources", "prompts"]
"""Which section of the policy declares it."""

STRICTNESS: tuple[ConfirmedBy, ...] = get_args(ConfirmedBy)
"""Who confirms, the least strict first: a client can be an agent's, the person's own door cannot, and a reviewer is
somebody else."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
DEFAULT_REVIEW = "review"


@dataclass(frozen=True, slots=True)
class GuardCondition:
    """When a rule of a guard holds: ``always``, ``tainted``, or a condition."""

    word: str | None
    condition: Condition | None = None

    def may_hold(self, scope: Scope, *, tainted: bool) -> bool:
        """Whether it holds, or cannot be told: what is missing must not lift a rule that stands in the way."""
        if self.word is not None:
            return self.word == "always" or tainted
        verdict: Verdict = self.condition.verdict(scope) if self.condition is not None else None
        return verdict is not False


@dataclass(frozen=True, slots=True)
class GuardConfirm:
    """One ``confirm`` of a guard. ``review_action`` is set where a reviewer confirms."""

    place: str
    when: GuardCondition
    rule: Confirm
    review_action: str | None


@dataclass(frozen=True, slots=True)
class GuardQuota:
    """One ``quota`` of a guard; calls are counted where ``sums`` is None."""

    place: str
    when: GuardCondition
    rule: Quota
    sums: AttributeName | None


@dataclass(frozen=True, slots=True)
class Guard:
    """What the policy, or code, declares of a tool, a resource or a prompt.

    Attributes:
        kind: the section that declares it.
        name: the tool's name, the resource's URI or URI template, the prompt's name.
        rule: the declaration.
        place: where it stands in the policy, ``tools.delete_file``.
    """

    kind: GuardKind
    name: str
    rule: ToolRule
    place: str
    never: GuardCondition | None
    confirms: tuple[GuardConfirm, ...]
    quotas: tuple[GuardQuota, ...]

    @property
    def is_open(self) -> bool:
        """Whether nothing has to be allowed for it."""
        return self.rule.open

    @property
    def writes(self) -> bool:
        """Whether a call may change something: unless the policy says that it is read only."""
        return not self.rule.read_only

    @property
    def resource_type(self) -> str | None:
        """The type of what it acts on; None for an open one, and where code finds the resource."""
        return None if self.rule.resource is None else self.rule.resource.partition(":")[0]

    def resource(self, arguments: Mapping[str, Any]) -> ResourceRef:
        """What a call with these arguments is about: an instance, or the type where the value is no key of one.

        Raises:
            ValueError: the guard is open, or code finds the resource.
        """
        return resource_of(self._text(arguments))

    def check(self, actor: Actor, arguments: Mapping[str, Any]) -> Check:
        """What the decision point is asked about a call with these arguments.

        An open guard asks nothing: its check is about no resource, and only says what conditions see.

        Raises:
            ValueError: code finds the resource.
        """
        resource = ResourceRef("", None) if self.is_open else self.resource(arguments)
        return Check(actor, self.rule.action or "", resource, call=arguments)

    def acts_on(self, arguments: Mapping[str, Any]) -> str:
        """What a call acts on, for people: ``files:"a b/c.md"``, its value escaped and otherwise as it came."""
        if self.rule.resource is None:
            return ""
        return shown_resource(self._text(arguments))

    def _text(self, arguments: Mapping[str, Any]) -> tuple[str, str | None]:
        if self.rule.resource is None:
            raise ValueError(f"{self.place} names no resource")
        kind, colon, pattern = self.rule.resource.partition(":")
        if not colon:
            return kind, None
        found = _PLACEHOLDER.search(pattern)
        if found is None:
            return kind, pattern
        value = arguments.get(found[1])
        if isinstance(value, bool) or not isinstance(value, str | int):
            return kind, None  # the word true is the key of something, but true is not
        return kind, f"{pattern[: found.start()]}{value}{pattern[found.end() :]}"


def resource_of(named: tuple[str, str | None]) -> ResourceRef:
    """A type and a text that may be the key of an instance; about the type alone when it can be the key of none."""
    kind, text = named
    return ResourceRef(kind, text if text is not None and OBJECT_KEY.match(text) else None)


def shown_resource(named: tuple[str, str | None]) -> str:
    """A type and a text for people: a key as it is, any other text in quotes, with what cannot be seen escaped."""
    kind, text = named
    if text is None:
        return kind
    return f"{kind}:{text}" if OBJECT_KEY.match(text) else f"{kind}:{_quoted(text)}"


def split_resource(text: str) -> tuple[str, str | None]:
    """``type:text`` as code may find it, in two; the text may have colons of its own. Nothing is changed in it."""
    kind, colon, rest = text.partition(":")
    return kind, rest if colon else None


def _quoted(text: str) -> str:
    return '"' + "".join(map(_shown, text)) + '"'


def _shown(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character == " " or (character.isprintable() and character not in _LOOKS_LIKE_NOTHING):
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


_LOOKS_LIKE_NOTHING = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {
    chr(c) for c in range(0xFE00, 0xFE10)
}


def build_guards(document: PolicyDocument) -> dict[tuple[GuardKind, str], Guard]:
    """The guards of a document in which :func:`guard_faults` finds nothing."""
    found: dict[tuple[GuardKind, str], Guard] = {}
    for here, rule in guarded(document):
        kind, name = here[0], str(here[1])
        reader = _Reader(document, here, rule)
        found[kind, name] = Guard(  # type: ignore[index]  # guarded() names the three sections
            kind=kind,  # type: ignore[arg-type]
            name=name,
            rule=rule,
            place=dotted(here),
            never=None if rule.never is None else reader.when(rule.never, "never"),
            confirms=tuple(reader.confirms()),
            quotas=tuple(reader.quotas()),
        )
    return found


def guard_faults(document: PolicyDocument) -> list[Fault]:
    """Everything that is wrong with what a document declares of tools, resources and prompts."""
    return [fault for here, rule in guarded(document) for fault in _Checker(document, here, rule).faults()]


class _Reader:
    """The conditions of one declaration."""

    def __init__(self, document: PolicyDocument, here: Path, rule: ToolRule) -> None:
        self._document, self._here, self._rule = document, here, rule
        self.type = None if rule.resource is None else rule.resource.partition(":")[0]
        known = self.type if self.type in document.resources else None
        attributes = declared_attributes(document, known)
        self._declared = Declared(attributes.user, attributes.resources, known, call=rule.arguments)

    def when(self, raw: object, *below: str | int) -> GuardCondition:
        if isinstance(raw, str):
            return GuardCondition(raw)
        return GuardCondition(None, parse_condition(raw, (*self._here, *below), self._declared))

    def confirms(self) -> Iterator[GuardConfirm]:
        for place, confirm in enumerate(self._rule.confirm):
            by_reviewer = confirm.by == "reviewer"
            yield GuardConfirm(
                dotted((*self._here, "confirm", place)),
                self.when(confirm.when, "confirm", place, "when"),
                confirm,
                (confirm.review_action or DEFAULT_REVIEW) if by_reviewer else None,
            )

    def quotas(self) -> Iterator[GuardQuota]:
        for place, quota in enumerate(self._rule.quota):
            root, _, name = (quota.sum or "").partition(".")
            yield GuardQuota(
                dotted((*self._here, "quota", place)),
                GuardCondition("always") if quota.when is None else self.when(quota.when, "quota", place, "when"),
                quota,
                None if quota.sum is None else AttributeName("call" if root == "call" else "resource", (name,)),
            )


class _Checker(_Reader):
    """What is wrong with one declaration."""

    def faults(self) -> Iterator[Fault]:
        rule, here = self._rule, self._here
        kind = self._document.resources.get(self.type or "")
        if not rule.open:
            yield from self._acts_on(kind)
        if isinstance(rule.never, Mapping):
            yield from self._condition(rule.never, "never")
        for place, confirm in enumerate(rule.confirm):
            yield from self._confirm(confirm, kind, (*here, "confirm", place))
        for place, quota in enumerate(rule.quota):
            if quota.when is not None:
                yield from self._condition(quota.when, "quota", place, "when")
            if quota.sum is not None:
                yield from self._sum(quota.sum, kind, (*here, "quota", place, "sum"))

    def _condition(self, raw: object, *below: str | int) -> Iterator[Fault]:
        try:
            self.when(raw, *below)
        except ConditionFault as fault:
            yield Fault(fault.path, fault.expected)

    def _acts_on(self, kind: ResourceType | None) -> Iterator[Fault]:
        rule, here = self._rule, self._here
        if rule.resource is None:
            if not isinstance(rule, ComputedRule):
                yield Fault(here, "expected a resource beside the action, such as files or files:{name}")
            elif not any(rule.action in each.actions for each in self._document.resources.values()):
                known = {action for each in self._document.resources.values() for action in each.actions}
                yield from one_of((*here, "action"), rule.action or "", known, "an action of a resource type")
            return
        if kind is None:
            what = "a resource type before the colon"
            yield from one_of((*here, "resource"), self.type or "", self._document.resources, what)
            return
        yield from one_of((*here, "action"), rule.action or "", kind.actions, f"an action of {self.type}")
        yield from self._pattern(rule.resource.partition(":")[2], ":" in rule.resource)

    def _pattern(self, pattern: str, has_key: bool) -> Iterator[Fault]:
        path = (*self._here, "resource")
        names = _PLACEHOLDER.findall(pattern)
        rest = _PLACEHOLDER.sub("", pattern)
        if not has_key:
            return
        if len(names) > 1:
            yield Fault(path, "expected one argument in the resource: two could be run together to a third one's key")
        elif not pattern or "{" in rest or "}" in rest or (rest and not OBJECT_KEY.match(rest)):
            yield Fault(path, "expected type:{argument}, with letters, digits, '-' and '_' around it at most")
        elif names and self._rule.arguments:
            yield from one_of(path, names[0], self._rule.arguments, "an argument of the tool in the braces")
        elif names and not names[0]:
            yield Fault(path, "expected an argument's name in the braces")

    def _confirm(self, confirm: Confirm, kind: ResourceType | None, here: Path) -> Iterator[Fault]:
        if isinstance(confirm.when, Mapping):
            yield from self._condition(confirm.when, *here[len(self._here) :], "when")
        if confirm.by == "reviewer":
            yield from self._reviewer(confirm, kind, here)
        elif confirm.review_action is not None:
            yield Fault((*here, "review_action"), f"expected no review_action: by is {confirm.by}, nobody reviews")
        if confirm.pinned and kind is None:
            yield Fault((*here, "pinned"), "expected nothing pinned where no resource type is named")
        elif kind is not None:
            yield from pinned_faults(kind, str(self.type), confirm.pinned, here)

    def _reviewer(self, confirm: Confirm, kind: ResourceType | None, here: Path) -> Iterator[Fault]:
        if self._rule.open:
            yield Fault((*here, "by"), "expected self or in_client: an open tool has no resource to be reviewer of")
        elif kind is not None and confirm.review_action is None and DEFAULT_REVIEW not in kind.actions:
            known = ", ".join(kind.actions)
            yield Fault(
                here, f"expected review_action, an action of {self.type} ({known}), whose holders confirm; or by: self"
            )
        elif kind is not None and confirm.review_action is not None:
            what = f"an action of {self.type}"
            yield from one_of((*here, "review_action"), confirm.review_action, kind.actions, what)

    def _sum(self, text: str, kind: ResourceType | None, path: Path) -> Iterator[Fault]:
        root, _, name = text.partition(".")
        if root == "call":
            numbers = {each for each, declared in self._rule.arguments.items() if declared == "number"}
        elif root == "resource" and kind is not None:
            numbers = {each for each, declared in kind.attributes.items() if declared.type == "number"}
        else:
            yield Fault(path, "expected call.argument or resource.attribute, a number")
            return
        yield from one_of(path, name, numbers, f"a number after {root}.")


def amount_of(quota: GuardQuota, scope: Scope) -> int | float | None:
    """What a call adds to a quota; None when that cannot be said, or is less than nothing."""
    if quota.sums is None:
        return 1
    value = quota.sums.value(scope)
    return value if kind_of(value) == "number" and 0 <= value < float("inf") else None
