"""Whether what is to be written into the directory is in the policy's words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from permit_core.access import OBJECT_KEY, USER_KEY, ResourceRef
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.errors import InvalidInput
from permit_core.policy.model import PolicyModel
from permit_core.policy.operators import check_value
from permit_core.policy.schema import Attribute, ResourceType
from permit_core.views import plain

MAX_NAME = 200
MAX_EMAIL = 320


class Vocabulary:
    """The policy's resource types, roles and relations, as a check on entries. Pure."""

    def __init__(self, model: PolicyModel) -> None:
        self._model = model

    def check_key(self, key: str, what: str, pattern: re.Pattern[str] = OBJECT_KEY) -> None:
        """A well-formed key.

        Raises:
            InvalidInput: ``invalid_key``.
        """
        if not pattern.match(key):
            raise InvalidInput(
                f"That is not a valid {what} key.",
                code="invalid_key",
                hint="Use 1 to 100 letters, digits, '-' and '_'.",
            )

    def check_name(self, text: str, what: str, longest: int = MAX_NAME) -> None:
        """One visible line, not too long.

        Raises:
            InvalidInput: ``invalid_name``.
        """
        if plain(text) != text or len(text) > longest:
            raise InvalidInput(
                f"That is not a valid {what}.", code="invalid_name", hint=f"Use one line of at most {longest} letters."
            )

    def check_user(self, user: User) -> None:
        """A user with a well-formed key, names, and attributes that the policy declares.

        Raises:
            InvalidInput: ``invalid_key``, ``invalid_name``, ``invalid_attributes``.
        """
        self.check_key(user.key, "user", USER_KEY)
        self.check_name(user.first_name, "first name")
        self.check_name(user.last_name, "last name")
        self.check_name(user.email, "e-mail address", MAX_EMAIL)
        _check_attributes(user.attributes, self._model.user_attributes)

    def check_instance(self, instance: ResourceInstance) -> None:
        """An instance, well named, of a type of the policy, with attributes that the type declares.

        Raises:
            InvalidInput: ``no_such_resource``, ``invalid_key``, ``invalid_attributes``.
        """
        self.check_ref(instance.ref)
        _check_attributes(instance.attributes, self._resource(instance.ref.type).attributes)

    def check_ref(self, ref: ResourceRef) -> None:
        """A well-formed reference to an instance of a type of the policy.

        Raises:
            InvalidInput: ``no_such_resource``, ``invalid_key``.
        """
        self._resource(ref.type)
        self.check_key(ref.key or "", "instance")

    def check_role(self, assignment: RoleAssignment) -> None:
        """A role of the policy, on something that can have it.

        Raises:
            InvalidInput: ``no_such_role``, ``no_such_resource``, ``invalid_key``.
        """
        if assignment.resource is None:
            known = assignment.role in self._model.roles
        else:
            self.check_ref(assignment.resource)
            known = assignment.role in self._resource(assignment.resource.type).roles
        if not known:
            where = "tenant-wide" if assignment.resource is None else f"on {assignment.resource.type}"
            raise InvalidInput(
                f"The policy has no such role {where}.", code="no_such_role", hint="Use a role that the policy names."
            )

    def check_tuple(self, link: RelationshipTuple) -> None:
        """A relation that the object's type declares, to a subject of the declared type.

        Raises:
            InvalidInput: ``no_such_relation``, ``no_such_resource``, ``invalid_key``.
        """
        self.check_ref(link.subject)
        self.check_ref(link.object)
        if self._resource(link.object.type).relations.get(link.relation) != link.subject.type:
            raise InvalidInput(
                f"The policy has no such relation of {link.object.type} to {link.subject.type}.",
                code="no_such_relation",
                hint="Use a relation that the policy declares on the object's type.",
            )

    def _resource(self, resource_type: str) -> ResourceType:
        found = self._model.resources.get(resource_type)
        if found is None:
            raise InvalidInput(
                "The policy has no such resource type.",
                code="no_such_resource",
                hint="Use a type that the policy names.",
            )
        return found


def _check_attributes(values: Mapping[str, Any], declared: Mapping[str, Attribute]) -> None:
    """What the policy does not declare cannot be decided on, and a price in words is no price."""
    for name, value in values.items():
        if name not in declared:
            raise InvalidInput(
                "The policy declares no such attribute.",
                code="invalid_attributes",
                hint=f"Use {', '.join(sorted(declared)) or 'none'}.",
            )
        expected = check_value(declared[name].type, value)
        if expected is not None:
            raise InvalidInput(
                f"The attribute {name} has a value of another kind.",
                code="invalid_attributes",
                hint=f"The policy wants {expected}.",
            )
    try:
        json.dumps(dict(values), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(
            "These attributes have no JSON form.", code="invalid_attributes", hint="Use texts, numbers, lists, objects."
        ) from error
