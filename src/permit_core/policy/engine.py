"""The decision: a pure function of a policy, facts and a check.

The sources are asked in this order and the first that grants wins: tenant roles, roles on the instance, condition
sets. When none grants, the policy may say that a human can be asked; otherwise the answer is no.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import partial

from permit_core.access import Check, Decision, Effect, ReasonCode, Remedy
from permit_core.policy import explanation
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel
from permit_core.policy.question import Question
from permit_core.policy.relations import ancestors

MAX_REMEDIES = 10

# Python takes a sixth of a microsecond to find a member of an enumeration by its name.
_ALLOW, _DENY = Effect.ALLOW, Effect.DENY
_INSTANCE_ROLE, _NO_PERMISSION = ReasonCode.INSTANCE_ROLE, ReasonCode.NO_PERMISSION


def decide(model: PolicyModel, facts: Facts, check: Check) -> Decision:
    """Decide a check. Neither argument is changed, and nothing else is looked at.

    A denial names what was looked for and every access request that would help: both are found when somebody looks at
    them, over these same facts.
    """
    if check.call or check.user_attributes or check.resource_attributes or check.context:
        check = _as_it_is_now(check)
    question = Question(model, facts, check)
    return _unanswerable(question) or _answer(question)


def _as_it_is_now(check: Check) -> Check:
    """The check, whatever its caller does to the mappings in it before somebody looks at the chain."""
    return replace(
        check,
        call=deepcopy(dict(check.call)),
        user_attributes=deepcopy(dict(check.user_attributes)),
        resource_attributes=deepcopy(dict(check.resource_attributes)),
        context=deepcopy(dict(check.context)),
    )


def _unanswerable(question: Question) -> Decision | None:
    """A denial when the question names something that is not there. Names that are not there are not repeated."""
    check, facts, instance = question.check, question.facts, question.instance
    actor = check.actor
    if question.key not in question.index.actions:
        return _not_in_the_policy(question)
    if actor.tenant not in facts.tenants:
        return _deny(ReasonCode.NO_SUCH_TENANT, "the directory has no such tenant")
    if actor.user not in facts.users:
        return _deny(ReasonCode.NO_SUCH_USER, "the directory has no such user")
    if instance is not None and instance.tenant != actor.tenant:
        return _deny(ReasonCode.TENANT_MISMATCH, f"{check.resource} does not belong to tenant {actor.tenant}")
    return None


def _not_in_the_policy(question: Question) -> Decision:
    kind = question.check.resource.type
    if question.model.resource_type(kind) is None:
        return _deny(ReasonCode.NO_SUCH_RESOURCE, "the policy has no such resource type")
    return _deny(ReasonCode.NO_SUCH_ACTION, f"{kind} has no such action in the policy")


def _deny(code: ReasonCode, *chain: str) -> Decision:
    return Decision(Effect.DENY, code, chain=chain)


def _answer(question: Question) -> Decision:
    """Ask the sources in turn."""
    decision = _by_tenant_role(question)
    if decision is not None:
        return decision
    if question.instance is None and not question.whole_type:
        chain = partial(explanation.no_such_instance, question)
        return Decision(Effect.DENY, ReasonCode.NO_SUCH_INSTANCE, chain=chain)
    decision = _by_instance_role(question) or _by_condition_set(question) or _by_approval(question)
    return decision or Decision(
        _DENY,
        _NO_PERMISSION,
        chain=partial(explanation.refused, question),
        remedies=partial(_remedies, question),
    )


def _by_tenant_role(question: Question) -> Decision | None:
    for grant in question.index.tenant_grants.get(question.key, ()):
        if grant.role in question.tenant_roles:
            chain = partial(explanation.by_tenant_role, question, grant)
            return Decision(Effect.ALLOW, ReasonCode.TENANT_ROLE, grant.rule, chain)
    return None


def _by_instance_role(question: Question) -> Decision | None:
    holding = question.holding(question.index.instance_roles.get(question.key, ()))
    if holding is None:
        return None
    grant = next(grant for grant in question.index.instance_grants[question.key] if grant.role == holding.role)
    chain = partial(explanation.by_instance_role, question, holding, grant)
    return Decision(_ALLOW, _INSTANCE_ROLE, grant.rule, chain)


def _by_condition_set(question: Question) -> Decision | None:
    for rule in question.index.set_rules.get(question.key, ()):
        if question.in_user_set(rule) and question.in_resource_set(rule):
            chain = partial(explanation.by_set_rule, question, rule)
            return Decision(Effect.ALLOW, ReasonCode.CONDITION_SET, rule.rule, chain)
    return None


def _by_approval(question: Question) -> Decision | None:
    operation = question.index.operations.get(question.key)
    holding = None if operation is None else question.holding(operation.asked_by)
    if operation is None or holding is None:
        return None
    chain = partial(explanation.by_approval, question, holding, operation)
    check = question.check
    remedy = Remedy("operation_approval", str(check.resource), operation=check.action)
    return Decision(Effect.REQUIRE_APPROVAL, ReasonCode.APPROVAL_NEEDED, operation.rule, chain, (remedy,))


def _remedies(question: Question) -> tuple[Remedy, ...]:
    """The access requests that would help, found by asking "what if", so that each is sure to.

    A role is offered when the user may ask for it, it stands on the instance or on something above it, and with it the
    same check would no longer be denied.
    """
    rules = [rule for rule in question.model.access_requests if rule.asked_by.intersection(question.tenant_roles)]
    if not rules or question.whole_type:
        return ()
    found: list[Remedy] = []
    for ref in ancestors(question.model, question.facts, question.check.resource):
        for rule in rules:
            if rule.resource != ref.type or len(found) == MAX_REMEDIES:
                continue
            if _answer(question.assuming(rule.role, ref)).effect is not Effect.DENY:
                found.append(Remedy("access_request", str(ref), role=rule.role))
    return tuple(found)
