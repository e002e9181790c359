"""Why a decision is what it is: lines for people and the audit log, written when somebody reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from permit_core.policy.conditions import holding_lines
from permit_core.policy.policy_index import Grant, IndexedOperation, IndexedSetRule
from permit_core.policy.question import Question
from permit_core.policy.relations import Holding
from permit_core.policy.strangers import knows_role


def by_tenant_role(question: Question, grant: Grant) -> tuple[str, ...]:
    """Allowed by a tenant-wide role."""
    return _has_tenant_role(question, grant.role), _grants(question, grant)


def by_instance_role(question: Question, holding: Holding, grant: Grant) -> tuple[str, ...]:
    """Allowed by a role on the instance."""
    return (*holding.lines(question.check.actor.user), _grants(question, grant))


def by_set_rule(question: Question, rule: IndexedSetRule) -> tuple[str, ...]:
    """Allowed by a set rule that holds."""
    lines = [*_in_user_set(question, rule)]
    if rule.things is not None:
        held = "; ".join(holding_lines(rule.things, question.scope))
        lines.append(f"{question.check.resource} is in {rule.resource_set}: {held}")
    if rule.when is not None:
        lines.append(f"when: {'; '.join(holding_lines(rule.when, question.scope))}")
    return (*lines, f"{rule.user_set} may {question.permission} on {rule.resource_set} ({rule.rule})")


def by_approval(question: Question, holding: Holding, operation: IndexedOperation) -> tuple[str, ...]:
    """Refused, and the user may ask for approval."""
    may_ask = f"that role may ask for {question.permission} once ({operation.rule})"
    return (*_missed_by_rules(question), *holding.lines(question.check.actor.user), may_ask)


def refused(question: Question) -> tuple[str, ...]:
    """Nothing grants it: what was looked for, source by source."""
    lines = list(_missed_by_rules(question))
    operation = question.index.operations.get(question.key)
    if operation is not None and question.instance is not None:
        where = f"on {question.check.resource} to ask for approval"
        lines.append(_missed(question, "role, direct or derived,", operation.asked_by, where))
    return tuple(lines)


def no_such_instance(question: Question) -> tuple[str, ...]:
    """No tenant-wide role grants it, and there is nothing to hold another role on."""
    return _missed_tenant_role(question), "the directory has no such instance"


def _missed_by_rules(question: Question) -> Iterator[str]:
    yield _missed_tenant_role(question)
    resource = question.check.resource
    if question.whole_type:
        yield "roles on instances do not answer a question about a whole type"
    else:
        roles = question.index.instance_roles.get(question.key, ())
        yield _missed(question, "role, direct or derived,", roles, f"on {resource}")
        limit = question.limit(roles)
        if limit is not None:
            yield limit
    rules = question.index.set_rules.get(question.key, ())
    for rule in rules:
        if question.in_user_set(rule):
            yield f"{rule.rule}: {_not_that_resource(question, rule)}"
        else:
            yield f"{rule.rule}: user {question.check.actor.user} is not in {rule.user_set}"
    if not rules:
        yield f"no set rule is about {question.permission}"
    for on in (None, resource):
        for role in question.held.get(on, ()):
            if not knows_role(question.model, on, role):
                where = f"in tenant {question.check.actor.tenant}" if on is None else f"on {resource}"
                yield f"user {question.check.actor.user} holds {role} {where}, which this policy does not have: it grants nothing"


def _not_that_resource(question: Question, rule: IndexedSetRule) -> str:
    if rule.things is not None and rule.things.verdict(question.scope) is not True:
        return f"{question.check.resource} is not in {rule.resource_set}"
    return "what stands under when does not hold"


def _missed_tenant_role(question: Question) -> str:
    roles = [grant.role for grant in question.index.tenant_grants.get(question.key, ())]
    return _missed(question, "tenant role", roles, f"in tenant {question.check.actor.tenant}")


def _missed(question: Question, what: str, roles: Sequence[str], where: str) -> str:
    if roles:
        return f"no {what} {where} (looked for: {', '.join(roles)})"
    return f"no {what} in the policy grants {question.permission}"


def _in_user_set(question: Question, rule: IndexedSetRule) -> Iterator[str]:
    if rule.tenant_role is not None:
        yield _has_tenant_role(question, rule.tenant_role)
    elif rule.object_role is not None:
        holding = question.holding((rule.object_role,))
        yield from holding.lines(question.check.actor.user) if holding is not None else ()
    elif rule.users is not None:
        held = "; ".join(holding_lines(rule.users, question.scope))
        yield f"user {question.check.actor.user} is in {rule.user_set}: {held}"


def _has_tenant_role(question: Question, role: str) -> str:
    return f"user {question.check.actor.user} has role {role} in tenant {question.check.actor.tenant}"


def _grants(question: Question, grant: Grant) -> str:
    through = "" if grant.through == grant.role else f" by extending {grant.through}"
    return f"role {grant.role} grants {question.permission}{through} ({grant.rule})"
