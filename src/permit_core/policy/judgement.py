"""The judgement on a call: allow, refuse, or hold until a human said yes.

A pure function of what is declared, what the decision point says, what the session has read and what was used up. It is
asked in one order, and the first that speaks is heard: ``never``, ``quota``, what nothing allows (a human can be asked,
or not), ``confirm``. An approval lets a call pass where it would be held and never where it would be refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, Literal

from permit_core.access import UNDECIDED, Check, Decision, Effect, Remedy, ResourceRef
from permit_core.errors import Forbidden, TooMany, UserFacing
from permit_core.identity import Actor
from permit_core.policy.conditions import Scope
from permit_core.policy.facts import Facts
from permit_core.policy.guards import STRICTNESS, Guard, GuardConfirm, GuardKind, amount_of
from permit_core.policy.model import PolicyModel
from permit_core.policy.policy_index import IndexedSetRule
from permit_core.policy.question import Question
from permit_core.policy.schema import ConfirmedBy, PinOperator

UNTRUSTED = "untrusted"
"""The label of a session that has read a text somebody else wrote."""

LONGEST_PAUSE = timedelta(days=30)

Gate = Literal["operation", "call"]
"""What holds a call: nothing allows the operation, or the policy wants a yes for what is allowed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANK = {Effect.DENY: 0, Effect.REQUIRE_APPROVAL: 1, Effect.ALLOW: 2}


@dataclass(frozen=True, slots=True)
class QuotaWindow:
    """One period of one quota, and whose calls are counted in it.

    Attributes:
        key: stable text, different for each quota of each guard and for whoever is counted together.
        starts: when the period begins, in UTC.
        ends: when the next one begins.
    """

    key: str
    starts: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Spending:
    """What a call adds to a period, once it is allowed."""

    window: QuotaWindow
    amount: int | float


@dataclass(frozen=True, slots=True)
class Allow:
    """The call may be made.

    Attributes:
        spends: what it uses up, to be written together with the record of the call.
        uses: the approvals without which it would be held.
    """

    spends: tuple[Spending, ...] = ()
    uses: frozenset[Gate] = frozenset()


@dataclass(frozen=True, slots=True)
class Refuse:
    """The call may not be made, and no approval changes that.

    Attributes:
        code: ``not_declared``, ``never``, ``quota_exceeded``, ``access_denied``, or that of a decision point that does
            not answer.
        message: one sentence: what is refused.
        hint: one sentence: what to do next.
        ask_for: what can be asked for instead.
        retry_at: when the same call fits again; None when waiting does not help.
        retry_after: the same in seconds from now.
        rule: the place in the policy that refuses.
        decision: what the decision point said, where that is the reason.
    """

    code: str
    message: str
    hint: str = ""
    ask_for: tuple[Remedy, ...] = ()
    retry_at: datetime | None = None
    retry_after: int | None = None
    rule: str | None = None
    decision: Decision | None = None

    def error(self) -> UserFacing:
        """The refusal as an error to raise."""
        if self.retry_at is not None and self.retry_after is not None:
            return TooMany(
                self.message,
                code=self.code,
                hint=self.hint,
                retry_after=self.retry_after,
                retry_at=self.retry_at.isoformat(),
            )
        more = {"ask_for": [remedy.as_dict() for remedy in self.ask_for]} if self.ask_for else {}
        return Forbidden(self.message, code=self.code, hint=self.hint, decision=self.decision, **more)


@dataclass(frozen=True, slots=True)
class Hold:
    """The call waits for a yes.

    Attributes:
        kind: ``operation``: nothing allows it, and a reviewer may be asked (``ask_for`` says for what). ``call``: it is
            allowed, and the policy wants this very call confirmed.
        check: what was decided on; None for an open tool.
        rule: the place in the policy that holds it.
        by: who must say yes.
        review_action: what a reviewer must be allowed to do on the resource; None unless ``by`` is ``reviewer``.
        pending_expires: how long the question stands.
        approval_expires: how long the yes can be used.
        pinned: attribute -> operator: what is compared when the yes is used.
        ask_again_after: the pause after a denial, see :func:`pause`.
        tainted: the session holds untrusted text, and the call writes or goes outward.
        ask_for: the request that would help, for an operation.
        code: ``approval_needed``.
    """

    kind: Gate
    check: Check | None
    rule: str
    by: ConfirmedBy
    review_action: str | None
    pending_expires: timedelta
    approval_expires: timedelta
    pinned: Mapping[str, PinOperator]
    ask_again_after: timedelta | None
    tainted: bool
    ask_for: tuple[Remedy, ...] = ()
    code: str = "approval_needed"


Judgement = Allow | Refuse | Hold


def about_type(check: Check) -> Check:
    """The same check about the type: what is not stored is decided on by type and by ``call.``."""
    return replace(check, resource=ResourceRef(check.resource.type, None))


def scope_of(facts: Facts, check: Check, model: PolicyModel) -> Scope:
    """What conditions see of a check; nothing of a user who is not stored."""
    if check.actor.user in facts.users:
        return Question(model, facts, check).scope
    return Scope({}, {}, check.context, check.call)


def windows(guard: Guard, actor: Actor, now: datetime) -> tuple[QuotaWindow, ...]:
    """The period that each quota of a guard is in, in their order. Periods begin at multiples of their length."""
    found = []
    for quota in guard.quotas:
        length = quota.rule.per
        starts = _EPOCH + (now - _EPOCH) // length * length
        who = [
            actor.tenant,
            actor.user if "user" in quota.rule.by else "",
            (actor.agent or "") if "agent" in quota.rule.by else "",
        ]
        found.append(QuotaWindow("|".join(map(_escaped, (quota.place, *who))), starts, starts + length))
    return tuple(found)


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("|", "%7C")


def judge(
    model: PolicyModel,
    guard: Guard | None,
    *,
    kind: GuardKind,
    name: str,
    check: Check | None,
    decision: Decision | None,
    scope: Scope,
    actor: Actor,
    now: datetime,
    labels: frozenset[str] = frozenset(),
    spent: Mapping[QuotaWindow, Any] | None = None,
    approved: Mapping[Gate, ConfirmedBy] | None = None,
) -> Judgement:
    """Judge one call.

    Args:
        model: the policy.
        guard: what is declared of the tool, resource or prompt; None when nothing is.
        kind: what is called.
        name: its name, for the sentence that says what to declare.
        check: what the decision point was asked; None for an open one.
        decision: what it said; None for an open one.
        scope: what conditions see, of :func:`scope_of`.
        actor: in whose name the call is made.
        now: the present moment, in UTC.
        labels: what the session has read.
        spent: what was used up in each of :func:`windows`; nothing where it is missing. Numbers of any kind.
        approved: what was approved for exactly this and is not used yet, with who said yes.
    """
    if guard is None:
        return _undeclared(kind, name)
    tainted = UNTRUSTED in labels and (guard.writes or guard.rule.outward)
    if guard.never is not None and guard.never.may_hold(scope, tainted=tainted):
        rule = f"{guard.place}.never"
        return Refuse("never", "The policy never allows this call.", "No approval changes that.", rule=rule)
    spending = _spending(guard, scope, tainted=tainted, periods=windows(guard, actor, now), spent=spent or {}, now=now)
    if isinstance(spending, Refuse):
        return spending
    given, uses = approved or {}, set[Gate]()
    if not guard.is_open:
        held = _unless_allowed(model, check, decision, tainted)
        if isinstance(held, Refuse) or (held is not None and "operation" not in given):
            return held
        if held is not None:
            uses.add("operation")
    confirm = _strictest(guard, scope, tainted)
    if confirm is not None:
        said = given.get("call")
        if said is None or STRICTNESS.index(said) < STRICTNESS.index(confirm.rule.by):
            return _to_confirm(confirm, check, tainted)
        uses.add("call")
    return Allow(spending, frozenset(uses))


def not_declared_hint(kind: GuardKind, name: str) -> str:
    """The line that would declare it open."""
    return f"Declare it in the policy, {kind}: {{{_as_key(name)}: open}}, or say which action on what it is."


def _as_key(name: str) -> str:
    plain = name.replace("_", "").replace("-", "").isalnum() and name.isascii() and not name[0].isdigit()
    return name if plain else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _undeclared(kind: GuardKind, name: str) -> Refuse:
    what = {"tools": "tool", "mcp_resources": "resource", "prompts": "prompt"}[kind]
    return Refuse("not_declared", f"The policy does not say what this {what} does.", not_declared_hint(kind, name))


def _spending(
    guard: Guard,
    scope: Scope,
    *,
    tainted: bool,
    periods: tuple[QuotaWindow, ...],
    spent: Mapping[QuotaWindow, Any],
    now: datetime,
) -> tuple[Spending, ...] | Refuse:
    found: list[Spending] = []
    too_much: list[Refuse] = []
    for quota, window in zip(guard.quotas, periods, strict=True):
        if not quota.when.may_hold(scope, tainted=tainted):
            continue
        amount = amount_of(quota, scope)
        if amount is None:
            message = "The policy limits what this adds up to, and what it would add cannot be told."
            too_much.append(Refuse("quota_exceeded", message, f"Give {quota.rule.sum} as a number.", rule=quota.place))
        elif _exact(amount) > _exact(quota.rule.most):
            message = f"The policy allows {quota.rule.most} at most, and this alone is more."
            too_much.append(Refuse("quota_exceeded", message, "Ask for less.", rule=quota.place))
        elif _exact(spent.get(window, 0)) + _exact(amount) > _exact(quota.rule.most):
            too_much.append(_later(quota.place, quota.rule.most, window, now))
        else:
            found.append(Spending(window, amount))
    if too_much:  # what waiting does not help is said first, then the longest wait
        return max(too_much, key=lambda refusal: refusal.retry_after if refusal.retry_after is not None else math.inf)
    return tuple(found)


def _later(place: str, most: float, window: QuotaWindow, now: datetime) -> Refuse:
    again = window.ends
    return Refuse(
        "quota_exceeded",
        f"The policy allows {most} in a period, and this would be more.",
        f"Try again from {again.isoformat(timespec='seconds')} on.",
        retry_at=again,
        retry_after=max(1, math.ceil((again - now).total_seconds())),
        rule=place,
    )


def _exact(number: Any) -> Fraction:
    """A number as it is written: ten times 0.1 is 1."""
    return Fraction(str(number)) if isinstance(number, float) else Fraction(number)


def _unless_allowed(
    model: PolicyModel, check: Check | None, decision: Decision | None, tainted: bool
) -> Refuse | Hold | None:
    if check is None or decision is None:
        return Refuse("access_denied", "Nothing was decided on this call.", decision=decision)
    if decision.effect is Effect.ALLOW:
        return None
    rule = model.operation_rule(check.action, check.resource.type)
    if decision.effect is Effect.REQUIRE_APPROVAL and rule is not None:
        place = model.operation_approvals.index(rule)
        return Hold(
            kind="operation",
            check=check,
            rule=f"operation_approvals.{place}",
            by="reviewer",
            review_action=rule.review_action,
            pending_expires=rule.pending_expires,
            approval_expires=rule.approval_expires,
            pinned=rule.pinned,
            ask_again_after=rule.ask_again_after,
            tainted=tainted,
            ask_for=decision.remedies,
        )
    undecided = UNDECIDED.get(decision.reason_code)
    if undecided is not None:
        return Refuse(decision.reason_code.value, undecided, "Try again later.", decision=decision)
    hint = "Ask for what ask_for names." if decision.remedies else ""
    return Refuse(
        "access_denied",
        "The policy does not allow this call.",
        hint,
        decision.remedies,
        rule=decision.rule,
        decision=decision,
    )


def _strictest(guard: Guard, scope: Scope, tainted: bool) -> GuardConfirm | None:
    holding = [confirm for confirm in guard.confirms if confirm.when.may_hold(scope, tainted=tainted)]
    return max(holding, key=lambda confirm: STRICTNESS.index(confirm.rule.by), default=None)


def _to_confirm(confirm: GuardConfirm, check: Check | None, tainted: bool) -> Hold:
    rule = confirm.rule
    return Hold(
        kind="call",
        check=check,
        rule=confirm.place,
        by=rule.by,
        review_action=confirm.review_action,
        pending_expires=rule.pending_expires,
        approval_expires=rule.approval_expires,
        pinned=rule.pinned,
        ask_again_after=rule.ask_again_after,
        tainted=tainted,
    )


def narrower(human: Decision, agent: Decision) -> Decision:
    """Of two decisions that must both allow, the one that allows less; the human's when they are alike."""
    return agent if _RANK[agent.effect] < _RANK[human.effect] else human


def pause(first: timedelta | None, denials: int) -> timedelta:
    """How long somebody waits before asking the same again after so many denials: twice as long after each."""
    if first is None or denials < 1:
        return timedelta(0)
    return LONGEST_PAUSE if denials > 40 else min(first * 2 ** (denials - 1), LONGEST_PAUSE)


def listed(model: PolicyModel, facts: Facts, actor: Actor, guard: Guard) -> bool:
    """Whether a guarded tool is shown to somebody: unless the judgement refuses whatever it is called with."""
    if guard.never is not None and guard.never.word == "always":
        return False
    if guard.is_open:
        return True
    kinds = [guard.resource_type] if guard.resource_type is not None else list(model.resources)
    action = guard.rule.action or ""
    return any(_could_be_granted(model, facts, actor, (kind, action)) for kind in kinds)


def _could_be_granted(model: PolicyModel, facts: Facts, actor: Actor, key: tuple[str, str]) -> bool:
    index, held = model.index, facts.held_by(actor.user, actor.tenant)
    if key not in index.actions or actor.user not in facts.users or actor.tenant not in facts.tenants:
        return False
    everywhere = held.get(None, ())
    somewhere = any(on is not None for on in held)
    if any(grant.role in everywhere for grant in index.tenant_grants.get(key, ())):
        return True
    if somewhere and (key in index.instance_grants or key in index.operations):
        return True
    return any(_could_be_in(rule, everywhere, somewhere) for rule in index.set_rules.get(key, ()))


def _could_be_in(rule: IndexedSetRule, everywhere: tuple[str, ...], somewhere: bool) -> bool:
    if rule.tenant_role is not None:
        return rule.tenant_role in everywhere
    return somewhere if rule.object_role is not None else True
