"""The decision: a pure function of a policy, facts and a check.

The sources are asked in this order and the first that grants wins: tenant roles, roles on the instance, condition
sets. When none grants, the policy may say that a human can be asked; otherwise the answer is no.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from permit_core.access import Check, Decision, Effect, ReasonCode, Remedy, ResourceRef
from permit_core.entries import ResourceInstance
from permit_core.policy.conditions import Scope, holding_lines
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel
from permit_core.policy.policy_index import Grant, IndexedSetRule
from permit_core.policy.relations import find_holding
from permit_core.policy.remedies import find_remedies


def decide(model: PolicyModel, facts: Facts, check: Check) -> Decision:
    """Decide a check. Neither argument is changed, and nothing else is looked at.

    A denial names what was looked for and every access request that would help.
    """
    decision = _decide(model, facts, check)
    if decision.reason_code is not ReasonCode.NO_PERMISSION:
        return decision
    remedies = find_remedies(model, facts, check, lambda other: _decide(model, other, check))
    return Decision(Effect.DENY, decision.reason_code, decision.rule, decision.chain, remedies)


def _decide(model: PolicyModel, facts: Facts, check: Check) -> Decision:
    """The decision without remedies."""
    return _unanswerable(model, facts, check) or _Question(model, facts, check).answer()


def _deny(code: ReasonCode, *chain: str) -> Decision:
    return Decision(Effect.DENY, code, chain=chain)


def _unanswerable(model: PolicyModel, facts: Facts, check: Check) -> Decision | None:
    """A denial when the question names something that is not there. Names that are not there are not repeated."""
    resource = check.resource
    if model.resource_type(resource.type) is None:
        return _deny(ReasonCode.NO_SUCH_RESOURCE, "the policy has no such resource type")
    if not model.has_action(resource.type, check.action):
        return _deny(ReasonCode.NO_SUCH_ACTION, f"{resource.type} has no such action in the policy")
    if check.tenant not in facts.tenants:
        return _deny(ReasonCode.NO_SUCH_TENANT, "the directory has no such tenant")
    if check.user not in facts.users:
        return _deny(ReasonCode.NO_SUCH_USER, "the directory has no such user")
    instance = facts.instances.get(resource)
    if instance is not None and instance.tenant != check.tenant:
        return _deny(ReasonCode.TENANT_MISMATCH, f"{resource} does not belong to tenant {check.tenant}")
    return None


class _Question:
    """One check whose type, action, tenant and user exist."""

    def __init__(self, model: PolicyModel, facts: Facts, check: Check) -> None:
        self._model, self._facts, self._check = model, facts, check
        self._index = model.index
        self._key = (check.resource.type, check.action)
        self._permission = ":".join(self._key)
        self._tenant_roles = facts.direct_roles(check.user, check.tenant, None)
        self._instance: ResourceInstance | None = facts.instances.get(check.resource)
        self._looked_for: list[str] = []

    def answer(self) -> Decision:
        """Ask the sources in turn."""
        decision = self._by_tenant_role()
        if decision is not None:
            return decision
        if self._check.resource.key is not None and self._instance is None:
            return _deny(ReasonCode.NO_SUCH_INSTANCE, *self._looked_for, "the directory has no such instance")
        decision = self._by_instance_role() or self._by_condition_set() or self._by_approval()
        return decision or _deny(ReasonCode.NO_PERMISSION, *self._looked_for)

    def _by_tenant_role(self) -> Decision | None:
        grants = self._index.tenant_grants.get(self._key, ())
        for grant in grants:
            if grant.role in self._tenant_roles:
                chain = (
                    f"user {self._check.user} has role {grant.role} in tenant {self._check.tenant}",
                    self._granted(grant),
                )
                return Decision(Effect.ALLOW, ReasonCode.TENANT_ROLE, grant.rule, chain)
        self._miss("tenant role", [grant.role for grant in grants], f"in tenant {self._check.tenant}")
        return None

    def _by_instance_role(self) -> Decision | None:
        if self._instance is None:
            self._looked_for.append("roles on instances do not answer a question about a whole type")
            return None
        grants = self._index.instance_grants.get(self._key, ())
        check = self._check
        roles = [grant.role for grant in grants]
        holding = find_holding(self._model, self._facts, check, roles)
        if holding is None:
            self._miss("role, direct or derived,", roles, f"on {check.resource}")
            return None
        grant = next(grant for grant in grants if grant.role == holding.role)
        chain = (*holding.lines(check.user), self._granted(grant))
        return Decision(Effect.ALLOW, ReasonCode.INSTANCE_ROLE, grant.rule, chain)

    def _by_condition_set(self) -> Decision | None:
        rules = self._index.set_rules.get(self._key, ())
        scope = self._scope() if rules else None
        for rule in rules:
            chain = self._set_rule_holds(rule, scope) if scope else None
            if chain is not None:
                what = f"{rule.user_set} may {self._permission} on {rule.resource_set} ({rule.rule})"
                return Decision(Effect.ALLOW, ReasonCode.CONDITION_SET, rule.rule, (*chain, what))
        if not rules:
            self._looked_for.append(f"no set rule is about {self._permission}")
        return None

    def _set_rule_holds(self, rule: IndexedSetRule, scope: Scope) -> list[str] | None:
        """The facts that make a set rule hold, or None; then what failed is noted."""
        chain = self._user_set_lines(rule, scope)
        if chain is None:
            self._looked_for.append(f"{rule.rule}: user {self._check.user} is not in {rule.user_set}")
            return None
        if rule.things is None:
            return chain
        if rule.things.verdict(scope) is not True:
            self._looked_for.append(f"{rule.rule}: {self._check.resource} is not in {rule.resource_set}")
            return None
        lines = "; ".join(holding_lines(rule.things, scope))
        return [*chain, f"{self._check.resource} is in {rule.resource_set}: {lines}"]

    def _user_set_lines(self, rule: IndexedSetRule, scope: Scope) -> list[str] | None:
        check = self._check
        if rule.tenant_role is not None:
            held = rule.tenant_role in self._tenant_roles
            return [f"user {check.user} has role {rule.tenant_role} in tenant {check.tenant}"] if held else None
        if rule.object_role is not None:
            return self._held_lines([rule.object_role])
        if rule.users is None or rule.users.verdict(scope) is not True:
            return None
        return [f"user {check.user} is in {rule.user_set}: {'; '.join(holding_lines(rule.users, scope))}"]

    def _held_lines(self, roles: Sequence[str]) -> list[str] | None:
        if self._instance is None:
            return None
        check = self._check
        holding = find_holding(self._model, self._facts, check, roles)
        return None if holding is None else list(holding.lines(check.user))

    def _by_approval(self) -> Decision | None:
        operation = self._index.operations.get(self._key)
        if operation is None or self._instance is None:
            return None
        lines = self._held_lines(operation.asked_by)
        if lines is None:
            self._miss("role, direct or derived,", operation.asked_by, f"on {self._check.resource} to ask for approval")
            return None
        chain = (*self._looked_for, *lines, f"that role may ask for {self._permission} once ({operation.rule})")
        remedy = Remedy("operation_approval", str(self._check.resource), operation=self._check.action)
        return Decision(Effect.REQUIRE_APPROVAL, ReasonCode.APPROVAL_NEEDED, operation.rule, chain, (remedy,))

    def _granted(self, grant: Grant) -> str:
        through = "" if grant.through == grant.role else f" by extending {grant.through}"
        return f"role {grant.role} grants {self._permission}{through} ({grant.rule})"

    def _miss(self, what: str, roles: Sequence[str], where: str) -> None:
        if roles:
            self._looked_for.append(f"no {what} {where} (looked for: {', '.join(roles)})")
        else:
            self._looked_for.append(f"no {what} in the policy grants {self._permission}")

    def _scope(self) -> Scope:
        """Stored attributes, those of the check over them, and the built-in ones over both: they cannot be claimed."""
        check, tenant = self._check, self._check.tenant
        user = self._facts.users[check.user]
        names = {"email": user.email, "first_name": user.first_name, "last_name": user.last_name}
        return Scope(
            user={
                **user.attributes,
                **check.user_attributes,
                **{name: value or None for name, value in names.items()},
                "key": user.key,
                "roles": self._tenant_roles,
            },
            resource={
                **(self._instance.attributes if self._instance else {}),
                **check.resource_attributes,
                "type": check.resource.type,
                "key": check.resource.key,
                "tenant": tenant,
            },
            environment=check.context,
            stored=self._stored_attributes,
        )

    def _stored_attributes(self, resource_type: str, key: str) -> dict[str, Any] | None:
        ref = ResourceRef(resource_type, key)
        found = self._facts.instance(ref, self._check.tenant)
        if found is None:
            return None
        return {**found.attributes, "type": resource_type, "key": key, "tenant": found.tenant}
