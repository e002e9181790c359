"""The closed shape of a policy file.

Whatever is not named here is an error. The words are Permit.io's (resources with actions, attributes, roles and
relations; derived roles; condition sets and set rules) plus the two things a policy says about asking a human.
``docs/policy-language.md`` describes them for authors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from permit_core.access import OBJECT_KEY, USER_KEY

AttributeType = Literal["bool", "number", "string", "time", "array", "json", "object", "object_array"]
ConfirmedBy = Literal["in_client", "self", "reviewer"]
PinOperator = Literal["equals", "not-equals", "less-than", "less-than-equals", "greater-than", "greater-than-equals"]

_DURATION = re.compile(r"(\d{1,6}) (second|minute|hour|day)s?\Z")


def _check_key(value: Any) -> Any:
    if not isinstance(value, str) or not OBJECT_KEY.match(value):
        raise PydanticCustomError("key", "a key of letters, digits, '-' and '_' (at most 100); quote a number")
    return value


def _read_duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise PydanticCustomError("duration", "a duration such as '30 minutes', '1 hour' or '7 days'")
    return timedelta(**{f"{match[2]}s": int(match[1])})


def duration_in_words(length: timedelta) -> str:
    """A length of time as the policy writes it: ``7 days``, ``90 minutes``."""
    seconds = int(length.total_seconds())
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}{'' if seconds == size else 's'}"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def _check_user_key(value: Any) -> Any:
    if not isinstance(value, str) or not USER_KEY.match(value):
        raise PydanticCustomError("key", "a user key of letters, digits and | @ + - . _; quote a number")
    return value


def _check_pattern(pattern: str, expected: str) -> BeforeValidator:
    known = re.compile(pattern)

    def check(value: Any) -> Any:
        if not isinstance(value, str) or not known.match(value):
            raise PydanticCustomError("key", expected)
        return value

    return BeforeValidator(check)


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, Mapping | BaseModel) else value


def _check_when(*words: str) -> BeforeValidator:
    expected = " or ".join((*words, "a condition: a mapping that is not empty"))

    def check(value: Any) -> Any:
        if (isinstance(value, str) and value in words) or (isinstance(value, Mapping) and value):
            return value
        raise PydanticCustomError("when", expected)

    return BeforeValidator(check)


def _check_most(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise PydanticCustomError("most", "a number, 0 or more")
    return value


def _read_tool_rule(value: Any) -> Any:
    return {"open": True} if value == "open" else value


Key = Annotated[str, BeforeValidator(_check_key)]
UserKey = Annotated[str, BeforeValidator(_check_user_key)]
ToolName = Annotated[
    str,
    _check_pattern(r"[A-Za-z0-9_./-]{1,128}\Z", "a tool's name: letters, digits, '_', '-', '.' and '/' (at most 128)"),
]
ArgumentName = Annotated[
    str,
    _check_pattern(r"[A-Za-z_][A-Za-z0-9_-]{0,99}\Z", "an argument's name: a letter first, then letters, digits, '_'"),
]
ResourceUri = Annotated[str, _check_pattern(r"\S{1,2000}\Z", "a URI or a URI template, without spaces")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Duration = Annotated[timedelta, BeforeValidator(_read_duration)]


class Part(BaseModel):
    """Any part of a policy: closed and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Attribute(Part):
    """An attribute of a resource type or of users."""

    type: AttributeType
    description: Text | None = None


class DerivationSettings(Part):
    """When a derived role is withheld."""

    no_direct_roles_on_object: StrictBool = False


class DerivationRule(Part):
    """Whoever has ``role`` on an instance of ``on_resource`` that is linked to the object gets the derived role."""

    role: Key
    on_resource: Key
    linked_by_relation: Key
    when: DerivationSettings = DerivationSettings()


class Derivation(Part):
    """How a resource role is derived from roles on related instances."""

    users_with_role: tuple[DerivationRule, ...] = Field(min_length=1)
    when: DerivationSettings = DerivationSettings()


class ResourceRole(Part):
    """A role that is held on one instance. Permissions are actions of the type, bare or as ``type:action``."""

    name: Text | None = None
    description: Text | None = None
    permissions: tuple[Text, ...] = ()
    extends: tuple[Key, ...] = ()
    granted_to: Derivation | None = None


class ResourceType(Part):
    """A kind of thing that is protected. ``relations`` maps a relation to the type of its subjects."""

    name: Text | None = None
    description: Text | None = None
    actions: tuple[Key, ...] = Field(min_length=1)
    attributes: Mapping[Key, Attribute] = Field(default_factory=dict)
    relations: Mapping[Key, Key] = Field(default_factory=dict)
    roles: Mapping[Key, ResourceRole] = Field(default_factory=dict)


class TenantRole(Part):
    """A role that is held in a whole tenant. Permissions are ``type:action``; ``tools`` are what its holders see."""

    name: Text | None = None
    description: Text | None = None
    permissions: tuple[Text, ...] = ()
    extends: tuple[Key, ...] = ()
    tools: tuple[ToolName, ...] = ()


class UserSet(Part):
    """Users, described by conditions on their attributes."""

    name: Text | None = None
    description: Text | None = None
    conditions: Mapping[str, Any]


class ResourceSet(Part):
    """Instances of one type, described by conditions on their attributes."""

    name: Text | None = None
    description: Text | None = None
    resource: Key
    conditions: Mapping[str, Any]


class SetRule(Part):
    """Users of a set may do one thing with resources of a set, where ``when`` holds as well.

    ``is_role``: ``user_set`` is a tenant role, or ``type#role`` for holders of that role on the very object.
    ``is_resource``: ``resource_set`` is a resource type, meaning all of it.
    """

    user_set: Text
    permission: Text
    resource_set: Key
    is_role: StrictBool = False
    is_resource: StrictBool = False
    when: Mapping[str, Any] | None = None


class AccessRequestRule(Part):
    """A role that can be asked for.

    Attributes:
        resource: the type on whose instances it can be asked for.
        role: the role, one of that type.
        asked_by: the tenant roles whose holders may ask.
        review_action: who may do this on the instance decides.
        pending_expires: how long an undecided request stands.
        granted_for: how long the role is held when it is granted; for good if None.
        ask_again_after: the pause after a denial, twice as long after each further one; none if None.
    """

    resource: Key
    role: Key
    asked_by: frozenset[Key] = Field(min_length=1)
    review_action: Key
    pending_expires: Duration
    granted_for: Duration | None = None
    ask_again_after: Duration | None = None


class OperationRule(Part):
    """An operation that can be approved once.

    Attributes:
        resource: the type on whose instances it is done.
        operation: an action of that type.
        asked_by: the roles on the object, direct or derived, whose holders may ask.
        review_action: who may do this on the instance decides.
        pending_expires: how long an undecided request stands.
        approval_expires: how long an approval can be used.
        pinned: attribute -> operator: when the approval is used, the value of that moment must stand in this relation
            to the value that was approved.
        ask_again_after: the pause after a denial, twice as long after each further one; none if None.
    """

    resource: Key
    operation: Key
    asked_by: frozenset[Key] = Field(min_length=1)
    review_action: Key
    pending_expires: Duration
    approval_expires: Duration
    pinned: Mapping[Key, PinOperator] = Field(default_factory=dict)
    ask_again_after: Duration | None = None


class Confirm(Part):
    """When a call that is allowed waits for a yes, and whose.

    Attributes:
        when: ``always``; ``tainted``, an outward or writing call of a session that holds untrusted text; or a condition.
        by: the person in whose name it is made, here or in their client; or somebody who may do ``review_action``.
        review_action: an action of the tool's type; for ``by: reviewer``, ``review`` if None.
        pending_expires: how long the question stands.
        approval_expires: how long the yes can be used.
        pinned: attribute -> operator, as in :class:`OperationRule`.
        ask_again_after: the pause after a denial, twice as long after each further one; none if None.
    """

    when: Annotated[str | Mapping[str, Any], _check_when("always", "tainted")]
    by: ConfirmedBy = "reviewer"
    review_action: Key | None = None
    pending_expires: Duration = timedelta(days=1)
    approval_expires: Duration = timedelta(hours=1)
    pinned: Mapping[Key, PinOperator] = Field(default_factory=dict)
    ask_again_after: Duration | None = None


class Quota(Part):
    """How much of something may be done in a period.

    Attributes:
        most: the largest number of calls, or the largest sum.
        per: the period. Periods follow each other without a gap; those of a day begin at midnight, UTC.
        sum: the number that is added up, ``call.amount`` or ``resource.price_cents``; calls are counted if None.
        by: whose calls are counted together.
        when: a condition on the calls that count; all if None.
    """

    most: Annotated[int | float, BeforeValidator(_check_most)]
    per: Duration
    sum: Text | None = None
    by: frozenset[Literal["user", "agent"]] = Field(default=frozenset({"user"}), min_length=1)
    when: Mapping[str, Any] | None = None


class ToolRule(Part):
    """What a tool, a resource or a prompt of an MCP server means to the policy.

    Attributes:
        open: nothing has to be allowed; everything below still counts.
        action: what a call does, an action of the resource's type.
        resource: what it is done with, ``files:{name}`` with the name of an argument, or a type.
        arguments: argument -> type: what conditions call ``call.``.
        never: a call on which this holds is refused, whatever allows it; ``always`` refuses every call.
        confirm: when a call that is allowed waits for a yes. Of several that hold, the strictest counts.
        quota: how much may be done; of several, each counts.
        reads: what the answer holds: ``private`` data, ``untrusted`` text.
        outward: whether a call reaches others than the person in whose name it is made.
        read_only: whether a call changes nothing.
    """

    open: StrictBool = False
    action: Key | None = None
    resource: Text | None = None
    arguments: Mapping[ArgumentName, AttributeType] = Field(default_factory=dict)
    never: Annotated[str | Mapping[str, Any], _check_when("always")] | None = None
    confirm: Annotated[tuple[Confirm, ...], BeforeValidator(_one_or_many)] = ()
    quota: Annotated[tuple[Quota, ...], BeforeValidator(_one_or_many)] = ()
    reads: frozenset[Literal["private", "untrusted"]] = frozenset()
    outward: StrictBool = False
    read_only: StrictBool = False

    @model_validator(mode="after")
    def _is_open_or_guarded(self) -> Self:
        if self.open is (self.action is not None) or (self.open and self.resource is not None):
            raise PydanticCustomError("tool", "either the word open (open: true), or an action and a resource")
        return self


class ComputedRule(ToolRule):
    """A rule that is declared in code, with a function that finds the resource in the arguments."""


OneRule = Annotated[ToolRule, BeforeValidator(_read_tool_rule)]


class PolicyDocument(Part):
    """A whole policy file, its shape checked, what its names refer to not yet."""

    version: Literal[1, 2]
    name: Text
    operators: frozenset[UserKey] = frozenset()
    reload: Literal["now", "ask"] = "now"
    resources: Mapping[Key, ResourceType] = Field(min_length=1)
    roles: Mapping[Key, TenantRole] = Field(default_factory=dict)
    user_attributes: Mapping[Key, Attribute] = Field(default_factory=dict)
    user_sets: Mapping[Key, UserSet] = Field(default_factory=dict)
    resource_sets: Mapping[Key, ResourceSet] = Field(default_factory=dict)
    set_rules: tuple[SetRule, ...] = ()
    access_requests: tuple[AccessRequestRule, ...] = ()
    operation_approvals: tuple[OperationRule, ...] = ()
    tools: Mapping[ToolName, OneRule] = Field(default_factory=dict)
    mcp_resources: Mapping[ResourceUri, OneRule] = Field(default_factory=dict)
    prompts: Mapping[Text, OneRule] = Field(default_factory=dict)
