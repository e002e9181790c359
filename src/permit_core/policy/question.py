"""One check over one state of the facts, and the facts about it that deciding and explaining both need."""

from __future__ import annotations

from typing import Any

from permit_core.access import Check, ResourceRef
from permit_core.entries import ResourceInstance
from permit_core.policy.conditions import Scope
from permit_core.policy.facts import Facts, Held
from permit_core.policy.model import PolicyModel
from permit_core.policy.policy_index import IndexedSetRule
from permit_core.policy.relations import Holding, find_holding, search


class Question:
    """A check, and what the facts say of the user and the instance in it.

    Args:
        model: the policy.
        facts: the state of the facts.
        check: what is asked.
        held: the user's direct roles, where they are not those of the facts.
    """

    __slots__ = ("_found", "_scope", "check", "facts", "held", "index", "instance", "key", "model", "tenant_roles")

    def __init__(self, model: PolicyModel, facts: Facts, check: Check, held: Held | None = None) -> None:
        self.model, self.facts, self.check = model, facts, check
        self.index = model.index
        self.key = (check.resource.type, check.action)
        self.held = facts.held_by(check.actor.user, check.actor.tenant) if held is None else held
        self.tenant_roles = self.held.get(None, ())
        self.instance: ResourceInstance | None = facts.instances.get(check.resource)
        self._found: tuple[tuple[str, ...], Holding | None] | None = None
        self._scope: Scope | None = None

    def assuming(self, role: str, on: ResourceRef) -> Question:
        """The same question, had the user been given one more role on an instance."""
        held = {**self.held, on: (*self.held.get(on, ()), role)}
        return Question(self.model, self.facts, self.check, held)

    @property
    def permission(self) -> str:
        """``type:action``."""
        return ":".join(self.key)

    @property
    def whole_type(self) -> bool:
        """Whether it is about a type and no instance of it."""
        return self.check.resource.key is None

    def holding(self, roles: tuple[str, ...]) -> Holding | None:
        """How the user holds one of these roles on the instance; None when none is held, or there is no instance."""
        if self.instance is None:
            return None
        if self._found is None or self._found[0] != roles:  # sources that follow each other often ask for the same
            holding = find_holding(self.index, self.facts, self.held, self.check.resource, roles)
            self._found = (roles, holding)
        return self._found[1]

    def limit(self, roles: tuple[str, ...]) -> str | None:
        """Which limit ended the search for one of these roles before everything was seen; None when none did."""
        if self.instance is None:
            return None
        return search(self.index, self.facts, self.held, self.check.resource, roles).limit

    def in_user_set(self, rule: IndexedSetRule) -> bool:
        """Whether the user is one of those whom a set rule is about."""
        if rule.tenant_role is not None:
            return rule.tenant_role in self.tenant_roles
        if rule.object_role is not None:
            return self.holding((rule.object_role,)) is not None
        return rule.users is not None and rule.users.verdict(self.scope) is True

    def in_resource_set(self, rule: IndexedSetRule) -> bool:
        """Whether the resource is one of those that a set rule is about, and what else the rule asks for holds."""
        if rule.things is not None and rule.things.verdict(self.scope) is not True:
            return False
        return rule.when is None or rule.when.verdict(self.scope) is True

    @property
    def scope(self) -> Scope:
        """Stored attributes, those of the check over them, and the built-in ones over both: they cannot be claimed."""
        if self._scope is None:
            self._scope = self._made_scope()
        return self._scope

    def _made_scope(self) -> Scope:
        check, tenant = self.check, self.check.actor.tenant
        user = self.facts.users[check.actor.user]
        names = {"email": user.email, "first_name": user.first_name, "last_name": user.last_name}
        return Scope(
            user={
                **user.attributes,
                **check.user_attributes,
                **{name: value or None for name, value in names.items()},
                "key": user.key,
                "roles": self.tenant_roles,
            },
            resource={
                **(self.instance.attributes if self.instance else {}),
                **check.resource_attributes,
                "type": check.resource.type,
                "key": check.resource.key,
                "tenant": tenant,
            },
            environment=check.context,
            call=check.call,
            stored=lambda resource_type, key: _stored(self.facts, ResourceRef(resource_type, key), tenant),
        )


def _stored(facts: Facts, ref: ResourceRef, tenant: str) -> dict[str, Any] | None:
    found = facts.instance(ref, tenant)
    return None if found is None else {**found.attributes, "type": ref.type, "key": ref.key, "tenant": tenant}
