"""What a refused user can ask for instead: found by asking "what if", so that it is sure to help."""

from __future__ import annotations

from collections.abc import Callable

from permit_core.access import Decision, Effect, Remedy
from permit_core.policy.question import Question
from permit_core.policy.relations import ancestors

MAX_REMEDIES = 10


def find_remedies(question: Question, answer: Callable[[Question], Decision]) -> tuple[Remedy, ...]:
    """The access requests that would help.

    A role is offered when the user may ask for it, it stands on the instance or on something above it, and with it the
    same check would no longer be denied.

    ``answer`` gives the decision on a question; nobody looks at the remedies of what it answers here.
    """
    rules = [rule for rule in question.model.access_requests if rule.asked_by.intersection(question.tenant_roles)]
    if not rules or question.whole_type:
        return ()
    found: list[Remedy] = []
    for ref in ancestors(question.model, question.facts, question.check.resource):
        for rule in rules:
            if rule.resource != ref.type or len(found) == MAX_REMEDIES:
                continue
            if answer(question.assuming(rule.role, ref)).effect is not Effect.DENY:
                found.append(Remedy("access_request", str(ref), role=rule.role))
    return tuple(found)
