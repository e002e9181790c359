"""What OPA answered, taken only when it makes sense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from permit_core.access import Check, Decision, Effect, ReasonCode, Remedy
from permit_core.decision.opa_client import OpaFault

RULES_VERSION = 2
"""Of ``policies/opa``: the shape of question, answer and documents that this program knows."""

_EFFECTS: Mapping[ReasonCode, Effect] = {
    ReasonCode.TENANT_ROLE: Effect.ALLOW,
    ReasonCode.INSTANCE_ROLE: Effect.ALLOW,
    ReasonCode.CONDITION_SET: Effect.ALLOW,
    ReasonCode.APPROVAL_NEEDED: Effect.REQUIRE_APPROVAL,
}
"""All other reasons deny."""


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Decision(_Closed):
    effect: Effect
    reason: ReasonCode
    rule: str | None = Field(max_length=1000)
    because: tuple[str, ...] = Field(max_length=10)


class Answer(_Closed):
    """Either decisions, or what OPA lacks to decide."""

    rules: int
    decisions: tuple[_Decision, ...] = ()
    missing: frozenset[Literal["model", "facts"]] = frozenset()


def read_answer(result: Any, checks: list[Check]) -> Answer:
    """The answer to a question about ``checks``.

    Raises:
        OpaFault: it is of another shape, of other rules, not about all checks, or contradicts itself.
    """
    if isinstance(result, dict) and result.get("rules") != RULES_VERSION:
        raise OpaFault("OPA has rules of another version: load policies/opa of this release into it")
    try:
        answer = Answer.model_validate(result)
    except ValidationError as error:
        raise OpaFault(f"OPA answered nonsense: {error.error_count()} faults in its shape") from None
    if not answer.missing and len(answer.decisions) != len(checks):
        raise OpaFault("OPA answered nonsense: not one decision for each check")
    for each in answer.decisions:
        if each.effect is not _EFFECTS.get(each.reason, Effect.DENY):
            raise OpaFault("OPA answered nonsense: an effect that its reason does not have")
    return answer


def decision_of(check: Check, answered: _Decision) -> Decision:
    """One answer as a decision; a denial says neither what was looked for nor what would help."""
    remedies: tuple[Remedy, ...] = ()
    if answered.effect is Effect.REQUIRE_APPROVAL:
        remedies = (Remedy("operation_approval", str(check.resource), operation=check.action),)
    return Decision(answered.effect, answered.reason, answered.rule, answered.because, remedies)
