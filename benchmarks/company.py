"""A company to decide about: organisations, their folders, the documents in those, and people with three roles each."""

from __future__ import annotations

import random
from dataclasses import dataclass
from textwrap import dedent

from permit_core.access import Check, ResourceRef
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.identity import Actor
from permit_core.policy.facts import Facts
from permit_core.policy.loader import read_shape
from permit_core.policy.marked_yaml import parse_marked
from permit_core.policy.model import PolicyModel

TENANT = "company"
ORGANISATIONS, FOLDERS, DOCUMENTS = 10, 90, 900
"""One thousand instances."""

_POLICY = """
    version: 1
    name: Company
    resources:
      organisation:
        actions: [read, manage]
        roles:
          member: {permissions: [read]}
          admin: {permissions: [manage], extends: [member]}
      folder:
        actions: [read, write]
        relations: {organisation: organisation}
        roles:
          viewer:
            permissions: [read]
            granted_to:
              users_with_role: [{role: member, on_resource: organisation, linked_by_relation: organisation}]
          editor:
            permissions: [write]
            extends: [viewer]
            granted_to:
              users_with_role: [{role: admin, on_resource: organisation, linked_by_relation: organisation}]
      document:
        actions: [read, write]
        relations: {folder: folder}
        roles:
          viewer:
            permissions: [read]
            granted_to:
              users_with_role: [{role: viewer, on_resource: folder, linked_by_relation: folder}]
          editor:
            permissions: [write]
            extends: [viewer]
            granted_to:
              users_with_role: [{role: editor, on_resource: folder, linked_by_relation: folder}]
    roles:
      employee: {permissions: ["organisation:read"]}
    access_requests:
      - {resource: folder, role: viewer, asked_by: [employee], review_action: write, pending_expires: 1 day}
      - {resource: document, role: viewer, asked_by: [employee], review_action: write, pending_expires: 1 day}
"""


@dataclass(frozen=True)
class Company:
    """What is true of the company, ready to be indexed or stored."""

    model: PolicyModel
    users: list[User]
    instances: list[ResourceInstance]
    assignments: list[RoleAssignment]
    tuples: list[RelationshipTuple]

    def facts(self) -> Facts:
        """The same, indexed."""
        return Facts.of(self.users, [TENANT], self.instances, self.assignments, self.tuples)


def make_company(people: int) -> Company:
    """The same company each time, with so many people.

    Each of them is an employee, a member or an admin of one organisation, and views one folder or document of any.
    """
    chance = random.Random(people)  # noqa: S311 - no secret
    organisations, folders, documents = _refs("organisation"), _refs("folder"), _refs("document")
    assignments = []
    for person in range(people):
        role = "admin" if person % 4 == 0 else "member"
        seen = chance.choice(folders if person % 2 else documents)
        assignments.append(RoleAssignment(_key(person), "employee", TENANT))
        assignments.append(RoleAssignment(_key(person), role, TENANT, organisations[person % ORGANISATIONS]))
        assignments.append(RoleAssignment(_key(person), "viewer", TENANT, seen))
    tuples = [
        RelationshipTuple(organisations[n % ORGANISATIONS], "organisation", folder, TENANT)
        for n, folder in enumerate(folders)
    ]
    tuples += [
        RelationshipTuple(folders[n % FOLDERS], "folder", document, TENANT) for n, document in enumerate(documents)
    ]
    return Company(
        read_shape(parse_marked(dedent(_POLICY), "company.yaml"), PolicyModel),
        [User(_key(person), f"Person {person}") for person in range(people)],
        [ResourceInstance(ref, TENANT) for ref in (*organisations, *folders, *documents)],
        assignments,
        tuples,
    )


def questions(people: int, count: int) -> list[Check]:
    """Who asks what, as a company would: mostly about documents of one's own organisation."""
    chance = random.Random(count)  # noqa: S311 - no secret
    documents = _refs("document")
    found = []
    for _ in range(count):
        person = chance.randrange(people)
        number = chance.randrange(DOCUMENTS // ORGANISATIONS) * ORGANISATIONS + person % ORGANISATIONS
        if chance.random() < 1 / 3:
            number = chance.randrange(DOCUMENTS)
        action = "write" if chance.random() < 1 / 4 else "read"
        found.append(Check(Actor("default", TENANT, _key(person)), action, documents[number]))
    return found


def _key(person: int) -> str:
    return f"person-{person}"


def _refs(kind: str) -> list[ResourceRef]:
    many = {"organisation": ORGANISATIONS, "folder": FOLDERS, "document": DOCUMENTS}[kind]
    return [ResourceRef(kind, f"{kind}-{number}") for number in range(many)]
