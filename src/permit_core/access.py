"""The question and the answer: a check, and the decision on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from permit_core.errors import InvalidInput
from permit_core.identity import Actor

# Permit.io's own key patterns (its OpenAPI description): users may carry e-mail characters, all else may not.
USER_KEY = re.compile(r"[A-Za-z0-9|@+\-._]{1,100}\Z")
OBJECT_KEY = re.compile(r"[A-Za-z0-9\-_]{1,100}\Z")


class Effect(StrEnum):
    """What a decision says."""

    ALLOW = "allow"
    DENY = "deny"
    REQUIRE_APPROVAL = "require_approval"


class ReasonCode(StrEnum):
    """Why. Constant codes only; nothing of the request is echoed in them."""

    TENANT_ROLE = "tenant_role"  # allow: a tenant role grants the action (RBAC)
    INSTANCE_ROLE = "instance_role"  # allow: a role on the instance, direct or derived, grants it (ReBAC)
    CONDITION_SET = "condition_set"  # allow: a condition-set rule grants it (ABAC)
    PERMIT_IO = "permit_io"  # allow: Permit.io says so; it does not say by which rule
    APPROVAL_NEEDED = "approval_needed"  # require_approval: may be done once, when a reviewer agrees
    NO_SUCH_USER = "no_such_user"
    NO_SUCH_TENANT = "no_such_tenant"
    NO_SUCH_RESOURCE = "no_such_resource"  # the type is not in the model
    NO_SUCH_INSTANCE = "no_such_instance"
    NO_SUCH_ACTION = "no_such_action"
    TENANT_MISMATCH = "tenant_mismatch"
    NO_PERMISSION = "no_permission"
    PDP_ERROR = "pdp_error"  # deny: the decision point failed or timed out
    PDP_UNREACHABLE = "pdp_unreachable"  # deny: the decision point does not answer, or not in time
    PDP_REFUSED = "pdp_refused"  # deny: the decision point does not take our key
    PDP_BUSY = "pdp_busy"  # deny: the decision point is asked too often
    PDP_NONSENSE = "pdp_nonsense"  # deny: the decision point answers, but nothing that is a decision


UNDECIDED: dict[ReasonCode, str] = {
    ReasonCode.PDP_UNREACHABLE: "The permission service does not answer, so nothing is allowed.",
    ReasonCode.PDP_REFUSED: "The permission service does not accept this program's key, so nothing is allowed.",
    ReasonCode.PDP_BUSY: "The permission service is asked too much at the moment, so nothing is allowed.",
    ReasonCode.PDP_NONSENSE: "The permission service gave no usable answer, so nothing is allowed.",
}
"""Denials that say nothing of the policy: what to tell people instead of what they may ask for."""


class ResourceRef(NamedTuple):
    """A resource type, or one instance of it. A tuple, because every decision looks things up by it many times.

    Attributes:
        type: the resource type's key, ``dishes``.
        key: the instance's key, or None for a question about the type.
    """

    type: str
    key: str | None = None

    def __str__(self) -> str:
        return self.type if self.key is None else f"{self.type}:{self.key}"

    @classmethod
    def parse(cls, text: str, default_type: str | None = None) -> ResourceRef:
        """Read ``type:key``; a bare ``key`` when ``default_type`` is given, else a bare ``type``.

        Raises:
            InvalidInput: ``invalid_resource`` when a part does not match Permit's key pattern.
        """
        kind, colon, key = text.partition(":")
        if not colon and default_type is not None:
            kind, key = default_type, text
        parts = [kind, key] if (colon or default_type is not None) else [kind]
        if not all(OBJECT_KEY.match(part) for part in parts):
            raise InvalidInput(
                "That is not a valid resource instance.",
                code="invalid_resource",
                hint="Use a key from a list, in the form type:key; letters, digits, '-' and '_' only.",
            )
        return cls(kind, key if len(parts) == 2 else None)


@dataclass(frozen=True, slots=True)
class Check:
    """May ``actor`` do ``action`` on ``resource``, in the actor's environment and tenant?

    Attributes:
        actor: who asks; ``actor.user`` in ``actor.tenant`` is decided on.
        action: the action's key, such as ``read``.
        resource: a type or one instance of it.
        call: the arguments that a model wrote. A name space of their own: they never stand before stored attributes.
        user_attributes: known by the program; merged over the stored ones for this check alone.
        resource_attributes: the same, of the resource.
        context: known by the program; what conditions call ``environment``.
    """

    actor: Actor
    action: str
    resource: ResourceRef
    call: Mapping[str, Any] = field(default_factory=dict)
    user_attributes: Mapping[str, Any] = field(default_factory=dict)
    resource_attributes: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Remedy:
    """What can be asked for instead of a refused action: exactly the arguments of the request to make.

    Attributes:
        kind: which kind of request.
        resource_instance: ``type:key`` to name in it.
        role: the role to ask for (``access_request`` only).
        operation: the operation to ask for (``operation_approval`` only).
    """

    kind: Literal["access_request", "operation_approval"]
    resource_instance: str
    role: str | None = None
    operation: str | None = None

    def as_dict(self) -> dict[str, str]:
        """The set fields only, JSON-ready."""
        pairs = {
            "kind": self.kind,
            "resource_instance": self.resource_instance,
            "role": self.role,
            "operation": self.operation,
        }
        return {name: value for name, value in pairs.items() if value is not None}


class Decision:
    """The answer to a check. Never changes, and equals another that says the same.

    The chain and the remedies are for people and cost more than the answer, so an engine may give functions that find
    them: pure ones, over the facts that were decided on. They are called when somebody looks, at most once.

    Attributes:
        effect: allow, deny, or require_approval.
        reason_code: why, as a constant code.
        rule: the place in the policy that decided (``resources.dishes.roles.parent``), or None.
        chain: the facts that led here, outermost first, one readable line each; for people and the audit log.
        remedies: what can be asked for instead; empty when allowed or when nothing helps.
    """

    __slots__ = ("_chain", "_effect", "_reason_code", "_remedies", "_rule")

    def __init__(
        self,
        effect: Effect,
        reason_code: ReasonCode,
        rule: str | None = None,
        chain: tuple[str, ...] | Callable[[], tuple[str, ...]] = (),
        remedies: tuple[Remedy, ...] | Callable[[], tuple[Remedy, ...]] = (),
    ) -> None:
        self._effect, self._reason_code, self._rule = effect, reason_code, rule
        self._chain, self._remedies = chain, remedies

    @property
    def effect(self) -> Effect:
        """Allow, deny, or require_approval."""
        return self._effect

    @property
    def reason_code(self) -> ReasonCode:
        """Why, as a constant code."""
        return self._reason_code

    @property
    def rule(self) -> str | None:
        """The place in the policy that decided, or None."""
        return self._rule

    @property
    def chain(self) -> tuple[str, ...]:
        """The facts that led here, one line each."""
        if not isinstance(self._chain, tuple):
            self._chain = self._chain()
        return self._chain

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """What can be asked for instead."""
        if not isinstance(self._remedies, tuple):
            self._remedies = self._remedies()
        return self._remedies

    @property
    def allowed(self) -> bool:
        """True only for ``allow``."""
        return self._effect is Effect.ALLOW

    def _said(self) -> tuple[Any, ...]:
        return self.effect, self.reason_code, self.rule, self.chain, self.remedies

    def __eq__(self, other: object) -> bool:
        return self._said() == other._said() if isinstance(other, Decision) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._said())

    def __repr__(self) -> str:
        names = ("effect", "reason_code", "rule", "chain", "remedies")
        return f"Decision({', '.join(f'{name}={value!r}' for name, value in zip(names, self._said(), strict=True))})"

    def __reduce__(self) -> tuple[type[Decision], tuple[Any, ...]]:
        return Decision, self._said()
