"""What a changed policy loosens: decisions that allow more than before, and gates that went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from permit_core.access import Check, Decision, Effect
from permit_core.policy.engine import decide
from permit_core.policy.facts import Facts
from permit_core.policy.guards import STRICTNESS
from permit_core.policy.model import PolicyModel
from permit_core.policy.references import guarded
from permit_core.policy.schema import Confirm, Quota, ToolRule, duration_in_words

_RANK = {Effect.DENY: 0, Effect.REQUIRE_APPROVAL: 1, Effect.ALLOW: 2}


@dataclass(frozen=True, slots=True)
class Loosening:
    """A check that the new policy answers more generously."""

    check: Check
    before: Decision
    after: Decision

    def __str__(self) -> str:
        check = self.check
        what = f"user {check.actor.user} {check.action} {check.resource} in tenant {check.actor.tenant}"
        return f"{what}: {self.before.effect} becomes {self.after.effect} ({self.after.rule or self.after.reason_code})"


def loosened(before: PolicyModel, after: PolicyModel, facts: Facts, checks: Iterable[Check]) -> list[Loosening]:
    """The checks that ``after`` answers more generously than ``before``, on the same facts, in their order."""
    found = []
    for check in checks:
        old, new = decide(before, facts, check), decide(after, facts, check)
        if _RANK[new.effect] > _RANK[old.effect]:
            found.append(Loosening(check, old, new))
    return found


def loosened_guards(before: PolicyModel, after: PolicyModel) -> list[str]:
    """What the new policy asks less of, beside its decisions, one line each: gates, quotas, labels, operators."""
    old = dict(guarded(before))
    found = []
    for here, rule in guarded(after):
        place = f"{here[0]}.{here[1]}"
        lines = _rule(old[here], rule) if here in old else ["was not declared, so it was refused"]
        found += [f"{place}: {line}" for line in lines]
    found += [f"operators: {key} may act at a bare terminal" for key in sorted(after.operators - before.operators)]
    if before.reload == "ask" and after.reload != "ask":
        found.append("reload: the next change is taken up at once, and waits for nobody")
    for role in after.roles:
        more = after.tools_for([role]) - (before.tools_for([role]) if role in before.roles else frozenset())
        found += [f"roles.{role}.tools: sees {tool}" for tool in sorted(more)]
    return [*found, *_asking(before, after)]


def _rule(old: ToolRule, new: ToolRule) -> Iterator[str]:
    if new.open and not old.open:
        yield f"was guarded ({old.action} on {old.resource or 'what code finds'}) and is open"
    elif (new.action, new.resource) != (old.action, old.resource):
        yield f"acts as {new.action} on {new.resource or 'what code finds'}, before as {old.action} on {old.resource}"
    if old.never is not None and new.never != old.never:
        yield "never is gone" if new.never is None else "never says something else"
    yield from (f"confirm {_confirm(each)} is gone" for each in old.confirm if not _kept(each, new.confirm))
    yield from (f"quota {_quota(each)} is gone or larger" for each in old.quota if not _still_limited(each, new.quota))
    yield from (f"no longer reads {label}" for label in sorted(old.reads - new.reads))
    if old.outward and not new.outward:
        yield "is no longer outward"
    if new.read_only and not old.read_only:
        yield "is read only now"


def _kept(old: Confirm, confirms: tuple[Confirm, ...]) -> bool:
    """Whether a confirmation is asked for as before, of the same person or a stricter one."""
    strict = STRICTNESS.index(old.by)
    return any(each.when in ("always", old.when) and STRICTNESS.index(each.by) >= strict for each in confirms)


def _still_limited(old: Quota, quotas: tuple[Quota, ...]) -> bool:
    return any(
        each.most <= old.most and each.per >= old.per and (each.sum, each.by, each.when) == (old.sum, old.by, old.when)
        for each in quotas
    )


def _confirm(confirm: Confirm) -> str:
    return f"{confirm.when if isinstance(confirm.when, str) else 'on a condition'} by {confirm.by}"


def _quota(quota: Quota) -> str:
    return f"{quota.most} {quota.sum or 'calls'} per {duration_in_words(quota.per)}"


def _asking(before: PolicyModel, after: PolicyModel) -> Iterator[str]:
    """Who may ask for more, who decides it, and how long it lasts."""
    roles = {(rule.resource, rule.role): rule for rule in before.access_requests}
    for rule in after.access_requests:
        place = f"access_requests {rule.resource}#{rule.role}"
        old = roles.get((rule.resource, rule.role))
        yield from _asked_by(place, old.asked_by if old else frozenset(), rule.asked_by)
        if (
            old is not None
            and old.granted_for is not None
            and (rule.granted_for is None or rule.granted_for > old.granted_for)
        ):
            now = "good" if rule.granted_for is None else duration_in_words(rule.granted_for)
            yield f"{place}: granted for {now}, before for {duration_in_words(old.granted_for)}"
        if old is not None and old.review_action != rule.review_action:
            yield f"{place}: decided by whoever may {rule.review_action}, before {old.review_action}"
    operations = {(rule.resource, rule.operation): rule for rule in before.operation_approvals}
    for operation in after.operation_approvals:
        place = f"operation_approvals {operation.resource}:{operation.operation}"
        known = operations.get((operation.resource, operation.operation))
        yield from _asked_by(place, known.asked_by if known else frozenset(), operation.asked_by)
        if known is not None:
            if known.review_action != operation.review_action:
                yield f"{place}: decided by whoever may {operation.review_action}, before {known.review_action}"
            gone = known.pinned.keys() - operation.pinned.keys()
            yield from (f"{place}: {name} is no longer pinned" for name in sorted(gone))
            if operation.approval_expires > known.approval_expires:
                now, then = (duration_in_words(rule.approval_expires) for rule in (operation, known))
                yield f"{place}: a yes lasts {now}, before {then}"


def _asked_by(place: str, old: frozenset[str], new: frozenset[str]) -> Iterator[str]:
    yield from (f"{place}: can be asked for by {role}" for role in sorted(new - old))
