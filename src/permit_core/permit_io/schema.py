"""Writing the policy into Permit.io: what it has words for, so that it decides as the policy file says.

Every step looks before it writes and takes nothing away but permissions: done twice, or again after it was cut short,
it ends the same. What somebody added in Permit.io beside the policy stays.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from typing import Any

from permit_core.errors import ConfigurationError
from permit_core.permit_io.client import PermitClient
from permit_core.permit_io.faults import during
from permit_core.permit_io.reader import or_none
from permit_core.policy.model import PolicyModel
from permit_core.policy.schema import (
    Derivation,
    DerivationRule,
    ResourceRole,
    ResourceSet,
    ResourceType,
    SetRule,
    TenantRole,
    UserSet,
)

OPERATE = "operate"
APPROVED = "_Approved_"
REVIEWER = "_Reviewer_"
"""What an operation approval of Permit.io needs on a resource: one action and two roles."""


class SchemaWriter:
    """Makes Permit.io's schema what the policy says. ``done`` names each thing that was not so before."""

    def __init__(self, model: PolicyModel, client: PermitClient) -> None:
        self._model = model
        self._client = client
        self.done: list[str] = []

    async def write(self) -> None:
        """Write everything but the set rules, in an order in which each thing finds what it refers to.

        Raises:
            PermitFault: Permit.io does not answer, or does not take something.
        """
        for key, kind in self._model.resources.items():
            await self._resource(key, kind)
        for key, kind in self._model.resources.items():
            for relation, subject in kind.relations.items():
                await self._relation(key, relation, subject)
            for role_key, role in kind.roles.items():
                await self._resource_role(key, role_key, role)
        for key in sorted({rule.resource for rule in self._model.operation_approvals}):
            await self._approvals(key)
        for role_key, tenant_role in self._model.roles.items():
            await self._tenant_role(role_key, tenant_role)
        await self._connect_roles()
        for set_key, users in self._model.user_sets.items():
            await self._condition_set(set_key, users)
        for set_key, things in self._model.resource_sets.items():
            await self._condition_set(set_key, things)

    async def write_rules(self) -> None:
        """Write the set rules; after everything else, for they ask most of Permit.io.

        Raises:
            PermitFault: as of :meth:`write`.
        """
        for rule in self._model.set_rules:
            await self._set_rule(rule)

    async def _connect_roles(self) -> None:
        for key, kind in self._model.resources.items():
            for role_key, role in kind.roles.items():
                await self._connect(key, role_key, role)
        for role_key, tenant_role in self._model.roles.items():
            await self._extend(role_key, tenant_role)

    async def _resource(self, key: str, kind: ResourceType) -> None:
        actions = {action: {"name": action.capitalize()} for action in kind.actions}
        attributes = {
            name: {"type": each.type, **_some(description=each.description)} for name, each in kind.attributes.items()
        }
        found = await or_none(self._client.sdk("a resource", lambda sdk: sdk.api.resources.get(key), safe=True))
        if found is None:
            body: dict[str, Any] = {
                "key": key,
                "name": kind.name or key,
                **_some(description=kind.description),
                "actions": actions,
                "attributes": attributes,
            }
            await self._make(key, self._client.sdk("a new resource", lambda sdk: sdk.api.resources.create(body)))
            return
        for action in actions.keys() - (found.actions or {}).keys():
            await self._action(key, action)
        for name in attributes.keys() - (found.attributes or {}).keys():
            await self._attribute(key, {"key": name, **attributes[name]})

    async def _action(self, resource: str, action: str) -> None:
        body = {"key": action, "name": action.capitalize()}
        await self._make(
            f"{resource}:{action}",
            self._client.sdk("an action", lambda sdk: sdk.api.resource_actions.create(resource, body)),
        )

    async def _attribute(self, resource: str, body: dict[str, Any]) -> None:
        await self._make(
            f"{resource}.{body['key']}",
            self._client.sdk("an attribute", lambda sdk: sdk.api.resource_attributes.create(resource, body)),
        )

    async def _relation(self, resource: str, key: str, subject: str) -> None:
        found = await or_none(
            self._client.sdk("a relation", lambda sdk: sdk.api.resource_relations.get(resource, key), safe=True)
        )
        if found is None:
            body = {"key": key, "name": key, "subject_resource": subject}
            await self._make(
                f"{subject} {key} {resource}",
                self._client.sdk("a new relation", lambda sdk: sdk.api.resource_relations.create(resource, body)),
            )

    async def _resource_role(self, resource: str, key: str, role: ResourceRole) -> None:
        found = await or_none(
            self._client.sdk("a role", lambda sdk: sdk.api.resource_roles.get(resource, key), safe=True)
        )
        wanted = {_action_of(permission) for permission in role.permissions}
        if found is None:
            body = {**_role(key, role), "permissions": sorted(wanted)}
            await self._make(
                f"{resource}#{key}",
                self._client.sdk("a new role", lambda sdk: sdk.api.resource_roles.create(resource, body)),
            )
            return
        held = {_action_of(permission) for permission in found.permissions or ()}
        if missing := sorted(wanted - held):
            await self._make(
                f"{resource}#{key} {missing}",
                self._client.sdk(
                    "permissions", lambda sdk: sdk.api.resource_roles.assign_permissions(resource, key, missing)
                ),
            )
        if too_many := sorted(held - wanted - {OPERATE}):
            await self._make(
                f"{resource}#{key} without {too_many}",
                self._client.sdk(
                    "permissions", lambda sdk: sdk.api.resource_roles.remove_permissions(resource, key, too_many)
                ),
            )

    async def _tenant_role(self, key: str, role: TenantRole) -> None:
        found = await or_none(self._client.sdk("a role", lambda sdk: sdk.api.roles.get(key), safe=True))
        wanted = set(role.permissions)
        if found is None:
            body = {**_role(key, role), "permissions": sorted(wanted)}
            await self._make(key, self._client.sdk("a new role", lambda sdk: sdk.api.roles.create(body)))
            return
        held = set(found.permissions or ())
        if missing := sorted(wanted - held):
            await self._make(
                f"{key} {missing}",
                self._client.sdk("permissions", lambda sdk: sdk.api.roles.assign_permissions(key, missing)),
            )
        if too_many := sorted(held - wanted):
            await self._make(
                f"{key} without {too_many}",
                self._client.sdk("permissions", lambda sdk: sdk.api.roles.remove_permissions(key, too_many)),
            )

    async def _approvals(self, resource: str) -> None:
        """What Permit.io's operation approvals live by on a type; an element makes the same by itself."""
        found = await self._client.sdk("a resource", lambda sdk: sdk.api.resources.get(resource), safe=True)
        if OPERATE not in (found.actions or {}):
            await self._action(resource, OPERATE)
        for key in (REVIEWER, APPROVED):
            declared = self._model.resources[resource].roles.get(key, ResourceRole(name=key.strip("_")))
            role = declared.model_copy(update={"permissions": (*declared.permissions, OPERATE)})
            await self._resource_role(resource, key, role)

    async def _connect(self, resource: str, key: str, role: ResourceRole) -> None:
        found = await self._client.sdk("a role", lambda sdk: sdk.api.resource_roles.get(resource, key), safe=True)
        if set(role.extends) != set(found.extends or ()):
            change = {"extends": list(role.extends)}
            await self._make(
                f"{resource}#{key} extends {sorted(role.extends)}",
                self._client.sdk("a role", lambda sdk: sdk.api.resource_roles.update(resource, key, change)),
            )
        if role.granted_to is not None:
            await self._derive(resource, key, role.granted_to, found.granted_to)

    async def _derive(self, resource: str, key: str, wanted: Derivation, found: Any) -> None:
        rules = (found.users_with_role or ()) if found is not None else ()
        known = {(rule.role, rule.on_resource, rule.linked_by_relation) for rule in rules}
        for rule in wanted.users_with_role:
            if (rule.role, rule.on_resource, rule.linked_by_relation) in known:
                continue
            await self._derivation(resource, key, rule)
        before = bool(found is not None and found.when and found.when.no_direct_roles_on_object)
        if before != wanted.when.no_direct_roles_on_object:
            when = wanted.when.model_dump()
            await self._make(
                f"when {resource}#{key} is derived",
                self._client.sdk(
                    "a derivation",
                    lambda sdk: sdk.api.resource_roles.update_role_derivation_conditions(resource, key, when),
                ),
            )

    async def _derivation(self, resource: str, key: str, rule: DerivationRule) -> None:
        body: dict[str, Any] = rule.model_dump()
        await self._make(
            f"{resource}#{key} from {rule.on_resource}#{rule.role}",
            self._client.sdk(
                "a derivation", lambda sdk: sdk.api.resource_roles.create_role_derivation(resource, key, body)
            ),
        )

    async def _extend(self, key: str, role: TenantRole) -> None:
        found = await self._client.sdk("a role", lambda sdk: sdk.api.roles.get(key), safe=True)
        if set(role.extends) != set(found.extends or ()):
            change = {"extends": list(role.extends)}
            await self._make(
                f"{key} extends {sorted(role.extends)}",
                self._client.sdk("a role", lambda sdk: sdk.api.roles.update(key, change)),
            )

    async def _condition_set(self, key: str, wanted: UserSet | ResourceSet) -> None:
        conditions = _plain(wanted.conditions)
        found = await or_none(
            self._client.sdk("a condition set", lambda sdk: sdk.api.condition_sets.get(key), safe=True)
        )
        if found is None:
            body: dict[str, Any] = {
                "key": key,
                "name": wanted.name or key,
                "type": "resourceset" if isinstance(wanted, ResourceSet) else "userset",
                **({"resource_id": wanted.resource} if isinstance(wanted, ResourceSet) else {}),
                **_some(description=wanted.description),
                "conditions": conditions,
            }
            await self._make(
                key, self._client.sdk("a new condition set", lambda sdk: sdk.api.condition_sets.create(body))
            )
        elif found.conditions != conditions:
            change = {"conditions": conditions}
            await self._make(
                f"conditions of {key}",
                self._client.sdk("a condition set", lambda sdk: sdk.api.condition_sets.update(key, change)),
            )

    async def _set_rule(self, rule: SetRule) -> None:
        found = await self._client.sdk(
            "set rules",
            lambda sdk: sdk.api.condition_set_rules.list(
                user_set_key=rule.user_set, resource_set_key=rule.resource_set
            ),
            safe=True,
        )
        if not any(each.permission in {rule.permission, _action_of(rule.permission)} for each in found):
            body: dict[str, Any] = rule.model_dump(exclude={"when"})  # bootstrap refuses a policy that has one
            await self._make(
                f"{rule.user_set} {rule.permission} {rule.resource_set}",
                self._client.sdk("a new set rule", lambda sdk: sdk.api.condition_set_rules.create(body)),
            )

    async def _make(self, what: str, call: Awaitable[Any]) -> None:
        with during(what):
            await call
        self.done.append(what)


class ElementsWriter:
    """Makes the elements through which requests go.

    Raises:
        ConfigurationError: the policy is one for which Permit.io has no element.
    """

    def __init__(self, model: PolicyModel, client: PermitClient) -> None:
        self._model = model
        self._levels = _levels(model)
        self._client = client
        self.done: list[str] = []

    async def write(self, access_key: str, operation_key: str) -> None:
        """Make the elements that are not there.

        Args:
            access_key: of the user-management element that access requests go through.
            operation_key: of the approval-management element that operation approvals go through.

        Raises:
            PermitFault: Permit.io does not answer, or does not take something.
        """
        if self._levels:
            levels = {
                level: [await self._role_id(resource, key) for resource, key in roles]
                for level, roles in self._levels.items()
            }
            resource = min(rule.resource for rule in self._model.access_requests)
            await self._element(access_key, "Access requests", "user_management", resource, levels)
        for resource in sorted({rule.resource for rule in self._model.operation_approvals}):
            await self._element(f"{resource}-approval", "Ask to do it once", "operation_approval", resource, {})
        for resource in sorted({rule.resource for rule in self._model.operation_approvals})[:1]:
            await self._element(operation_key, "Approvals", "approval_management", resource, {})

    async def _element(
        self, key: str, name: str, elements_type: str, resource: str, levels: Mapping[str, list[str]]
    ) -> None:
        if await or_none(self._client.api("GET", await self._client.elements("config", key))) is not None:
            return
        body = {
            "key": key,
            "name": name,
            "elements_type": elements_type,
            "settings": {"resource": resource},
            "roles_to_levels": {level: list(dict.fromkeys(roles)) for level, roles in levels.items()},
        }
        path = await self._client.elements("config")
        with during(f"the element {key}"):
            await self._client.api("POST", path, body=body)
        self.done.append(f"element {key}")

    async def _role_id(self, resource: str, key: str) -> str:
        found = await self._client.sdk("a role", lambda sdk: sdk.api.resource_roles.get(resource, key), safe=True)
        return str(found.id)


def _levels(model: PolicyModel) -> dict[str, list[tuple[str, str]]]:
    """Which roles, by type and key, decide and which can be asked for; an element has each role at one level alone."""
    if not model.access_requests:
        return {}
    deciding = [
        (rule.resource, key)
        for rule in model.access_requests
        for key, role in model.resources[rule.resource].roles.items()
        if rule.review_action in _actions(role)
    ]
    assignable = [(rule.resource, rule.role) for rule in model.access_requests]
    for resource, key in deciding:
        if (resource, key) in assignable:
            raise ConfigurationError(
                f"POLICY_FILE: the role {key} of {resource} can be asked for and decides what is asked, and in an "
                "element of Permit.io a role has one level; let another role hold the review_action, or take the role "
                "out of access_requests"
            )
    return {"LEVEL_1": deciding, "LEVEL_4": assignable}


def _role(key: str, role: ResourceRole | TenantRole) -> dict[str, Any]:
    return {"key": key, "name": role.name or key, **_some(description=role.description)}


def _actions(role: ResourceRole) -> set[str]:
    return {_action_of(permission) for permission in role.permissions}


def _action_of(permission: str) -> str:
    return permission.rpartition(":")[2]


def _some(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    """Conditions as JSON has them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value
