"""The policy model: a policy that is valid, and the questions it answers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Self

from pydantic import model_validator

from permit_core.policy.guards import Guard, GuardKind, guard_faults
from permit_core.policy.policy_index import PolicyIndex, build_index
from permit_core.policy.references import PolicyFaults, find_faults
from permit_core.policy.schema import AccessRequestRule, OperationRule, PolicyDocument, ResourceType

__all__ = ["AccessRequestRule", "OperationRule", "PolicyModel"]


class PolicyModel(PolicyDocument):
    """A policy whose every name refers to something. Immutable; made by ``loader.load_policy``.

    Raises:
        pydantic.ValidationError: the shape is wrong, or a name refers to nothing (then caused by ``PolicyFaults``).
    """

    @model_validator(mode="after")
    def _refer_to_what_is_there(self) -> Self:
        faults = [*find_faults(self), *guard_faults(self)]
        if faults:
            raise PolicyFaults(faults)
        _ = self.index  # made now, whoever asks first
        return self

    @cached_property
    def index(self) -> PolicyIndex:
        """The policy rearranged for deciding. Not a private attribute: pydantic takes microseconds to find one."""
        return build_index(self)

    def resource_type(self, resource_type: str) -> ResourceType | None:
        """What the policy says of a type, None when it does not know it."""
        return self.resources.get(resource_type)

    def has_action(self, resource_type: str, action: str) -> bool:
        """Whether the type exists and has the action."""
        kind = self.resources.get(resource_type)
        return kind is not None and action in kind.actions

    def has_resource_role(self, resource_type: str, role: str) -> bool:
        """Whether ``role`` can be held on instances of the type."""
        kind = self.resources.get(resource_type)
        return kind is not None and role in kind.roles

    def relation_subject(self, resource_type: str, relation: str) -> str | None:
        """The type of the subjects of a relation that is declared on ``resource_type``; None when there is none."""
        kind = self.resources.get(resource_type)
        return None if kind is None else kind.relations.get(relation)

    def tools_for(self, roles: Iterable[str]) -> frozenset[str]:
        """The tools that a holder of these tenant roles sees; a role that the policy does not know adds none."""
        none: frozenset[str] = frozenset()
        return none.union(*(self.index.tools.get(role, none) for role in roles))

    def guard(self, kind: GuardKind, name: str) -> Guard | None:
        """What is declared of a tool (by its name), a resource (by its URI or template) or a prompt; None: nothing."""
        return self.index.guards.get((kind, name))

    @property
    def role_tools(self) -> frozenset[str]:
        """Every tool that some role sees."""
        return self.tools_for(self.roles)

    def requestable_roles(self, resource_type: str) -> tuple[AccessRequestRule, ...]:
        """The roles that can be asked for on instances of the type, in the order of the file."""
        return tuple(rule for rule in self.access_requests if rule.resource == resource_type)

    @property
    def operations(self) -> frozenset[str]:
        """Every operation that can be approved once."""
        return frozenset(rule.operation for rule in self.operation_approvals)

    def operation_rule(self, operation: str, resource_type: str | None) -> OperationRule | None:
        """The rule by which an operation can be approved once.

        Without a type, the only rule for that operation; None when there is none or more than one.
        """
        fitting = [
            rule
            for rule in self.operation_approvals
            if rule.operation == operation and resource_type in {None, rule.resource}
        ]
        return fitting[0] if len(fitting) == 1 else None
