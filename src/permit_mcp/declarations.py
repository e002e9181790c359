"""What the host declares of its tools, resources and prompts: in code, beside what the policy declares."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from permit_core.access import ResourceRef
from permit_core.errors import ConfigurationError
from permit_core.policy.guards import Guard, GuardKind, resource_of, shown_resource, split_resource
from permit_core.policy.model import PolicyModel
from permit_core.policy.tool_rules import ComputedRule, ToolRule, arguments_of_schema, declare, schema_differences

FindResource = Callable[[Mapping[str, Any]], str]
"""From the arguments of a call to what it acts on, as ``type:key`` or ``type``."""


@dataclass(frozen=True, slots=True)
class Registered:
    """Something that the host put on its server.

    Attributes:
        kind: in which section of a policy it would be declared.
        name: the tool's or prompt's name, the resource's URI or URI template.
        function: what the host wrote; None when it is no function.
        schema: JSON schema of the arguments; None where they are not known.
    """

    kind: GuardKind
    name: str
    function: Callable[..., Any] | None
    schema: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Declared:
    """The policy, with what code declares, for one server.

    Attributes:
        model: policy and code together.
        finders: functions that find what a call acts on, where code has one.
        undeclared: what nothing is declared of.
        found_for: what was registered when this was put together.
    """

    model: PolicyModel
    finders: Mapping[tuple[GuardKind, str], FindResource]
    undeclared: tuple[Registered, ...]
    found_for: tuple[Registered, ...]

    def resource(self, guard: Guard, arguments: Mapping[str, Any]) -> tuple[ResourceRef, str]:
        """What a call acts on: for the decision, and as text for people.

        Raises:
            Exception: what the host's own function raises.
        """
        finder = self.finders.get((guard.kind, guard.name))
        if finder is None:
            return guard.resource(arguments), guard.acts_on(arguments)
        named = split_resource(finder(arguments))
        return resource_of(named), shown_resource(named)


@dataclass(slots=True)
class Declarations:
    """What code declares, by function until it is known under which name the function is registered."""

    own_tools: set[str] = field(default_factory=set)
    """Tools that ask the decision point themselves: the built-in ones, and the host's ``PermitTool``."""
    _made: list[tuple[Callable[..., Any], ToolRule, FindResource | None]] = field(default_factory=list)

    def add(self, function: Any, rule: ToolRule, finder: FindResource | None = None) -> None:
        """Remember what is declared of a function, or of what a server made of it."""
        self._made.append((getattr(function, "fn", function), rule, finder))

    def put_together(self, model: PolicyModel, registered: Iterable[Registered]) -> Declared:
        """The policy with everything that code declares.

        Raises:
            ConfigurationError: code and policy differ, a declaration does not fit the tool's arguments, or something is
                declared of a function that no tool, resource or prompt is made of.
        """
        there = list(registered)
        in_code: dict[GuardKind, dict[str, ToolRule]] = {"tools": {}, "mcp_resources": {}, "prompts": {}}
        finders: dict[tuple[GuardKind, str], FindResource] = {}
        wrong: list[str] = []
        for function, rule, finder in self._made:
            names = [it for it in there if it.function is not None and _same(it.function, function)]
            if not names:
                wrong.append(f"{_called(function)} is guarded, and no tool, resource or prompt is made of it")
            for it in names:
                if it.name in in_code[it.kind]:
                    wrong.append(f"{it.kind}.{it.name}: declared twice in code")
                in_code[it.kind][it.name] = _with_arguments(rule, it)
                if finder is not None:
                    finders[it.kind, it.name] = finder
        for name in self.own_tools:
            if name not in model.tools:
                in_code["tools"][name] = ToolRule(open=True)
        if wrong:
            raise ConfigurationError("; ".join(wrong))
        whole = declare(model, **in_code)
        for it in there:
            wrong += _misfits(it, whole.guard(it.kind, it.name))
        if wrong:
            raise ConfigurationError("; ".join(wrong))
        undeclared = tuple(it for it in there if whole.guard(it.kind, it.name) is None)
        return Declared(whole, finders, undeclared, tuple(there))


def acted_on(guard: Guard) -> tuple[str, ...]:
    """The arguments that name what a call acts on; the record never masks them, whatever they are called."""
    named = guard.rule.resource or ""
    return (named[named.find("{") + 1 : named.find("}")],) if "{" in named else ()


def guard_rule(action: str, resource: str | FindResource, rule: Mapping[str, Any]) -> ToolRule:
    """The rule that ``@permit.guard`` declares.

    Raises:
        ConfigurationError: it is none, with the reason.
    """
    named = {"action": action} if callable(resource) else {"action": action, "resource": resource}
    return rule_of(ComputedRule if callable(resource) else ToolRule, {**named, **rule})


def rule_of(kind: type[ToolRule], values: Mapping[str, Any]) -> ToolRule:
    """A rule made of what code says.

    Raises:
        ConfigurationError: it is none, with the reason.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".lstrip(": ") for fault in error.errors())
        raise ConfigurationError(f"what is declared of a tool is wrong: {said}") from None


def _with_arguments(rule: ToolRule, it: Registered) -> ToolRule:
    """The rule with the argument types of the signature, where it names none."""
    if rule.arguments or it.schema is None:
        return rule
    return rule.model_copy(update={"arguments": arguments_of_schema(it.schema)})


def _misfits(it: Registered, guard: Guard | None) -> list[str]:
    if guard is None or it.schema is None:
        return []
    place = f"{it.kind}.{it.name}"
    wrong = [f"{place}: {text}" for text in schema_differences(guard.rule.arguments, it.schema)]
    properties = it.schema.get("properties", {})
    for argument in acted_on(guard):
        if argument not in properties:
            known = ", ".join(properties) or "none"
            wrong.append(f"{place}: resource names {{{argument}}}, which is no argument of it (its arguments: {known})")
    return wrong


def _same(registered: Callable[..., Any], declared: Callable[..., Any]) -> bool:
    """Whether a server made the one of the other: servers wrap functions, and may do so more than once."""
    return bool({id(layer) for layer in _layers(registered)} & {id(layer) for layer in _layers(declared)})


def _layers(function: Callable[..., Any]) -> list[Callable[..., Any]]:
    found = [function]
    while (inner := getattr(found[-1], "__wrapped__", None) or getattr(found[-1], "raw_function", None)) is not None:
        found.append(inner)
        if len(found) > 20:
            break
    return [getattr(layer, "__func__", layer) if inspect.ismethod(layer) else layer for layer in found]


def _called(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))
