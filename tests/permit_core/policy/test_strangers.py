"""What is stored and the policy no longer knows is named, and a name that comes back wakes nothing by itself."""

from dataclasses import dataclass

from permit_core.access import Check, ResourceRef
from permit_core.entries import RelationshipTuple, RoleAssignment
from permit_core.identity import Actor
from permit_core.policy.engine import decide
from permit_core.policy.strangers import strangers, unknown_assignments, unknown_tuples
from tests.support.policies import facts_of, policy_of

BEFORE = """
resources:
  docs:
    actions: [read, publish, review]
    attributes: {size: {type: number}, due: {type: time}}
    relations: {folder: docs}
    roles: {reader: {permissions: [read]}, boss: {permissions: [publish, review]}}
roles: {staff: {}, chief: {}}
user_attributes: {level: {type: number}}
access_requests:
  - {resource: docs, role: reader, asked_by: [staff], review_action: review, pending_expires: 1 day}
operation_approvals:
  - {resource: docs, operation: publish, asked_by: [reader], review_action: review, pending_expires: 1 day, approval_expires: 1 hour}
"""
AFTER = """
resources:
  docs:
    actions: [read, publish, review]
    attributes: {size: {type: string}}
    relations: {shelf: docs}
    roles: {viewer: {permissions: [read]}, boss: {permissions: [publish, review]}}
roles: {chief: {}}
"""
FACTS = facts_of("""
users: [{key: ann, first_name: Ann, attributes: {level: 1}}, {key: bob, first_name: Bob}, {key: cat, first_name: Cat},
        {key: dan, first_name: Dan}]
resource_instances:
  - {resource: docs, key: d1, attributes: {size: 1, due: "2026-9-1"}}
  - {resource: docs, key: d2}
  - {resource: notes, key: n1}
relationship_tuples: [{subject: "docs:d2", relation: folder, object: "docs:d1"}]
role_assignments:
  - {user: ann, role: reader, resource_instance: "docs:d1"}
  - {user: bob, role: reader, resource_instance: "docs:d1"}
  - {user: cat, role: reader, resource_instance: "docs:d2"}
  - {user: dan, role: reader, resource_instance: "docs:d2"}
  - {user: dan, role: boss, resource_instance: "docs:d2"}
  - {user: ann, role: staff}
  - {user: ann, role: chief}
""")


@dataclass
class Asked:
    id: str
    resource: ResourceRef
    role: str | None = None
    operation: str | None = None


REQUESTS = [
    Asked("r1", ResourceRef("docs", "d1"), role="reader"),
    Asked("r2", ResourceRef("docs", "d1"), operation="publish"),
    Asked("r3", ResourceRef("docs", "d1")),
    Asked("r4", ResourceRef("notes", "n1")),
]


def test_what_the_policy_knows_is_no_stranger() -> None:
    model = policy_of(BEFORE)

    found = strangers(model, FACTS, REQUESTS[:3])

    assert [(each.kind, each.subject) for each in found] == [("type", "notes"), ("attribute", "docs.due")]
    assert "2026-11-22" in found[1].text


def test_every_stored_name_that_the_policy_lost_is_said_once() -> None:
    found = {(each.kind, each.subject): each.text for each in strangers(policy_of(AFTER), FACTS, REQUESTS)}

    assert list(found) == [
        ("role", "docs#reader"), ("role", "staff"), ("relation", "docs.folder"), ("type", "notes"), ("attribute", "docs.due"),
        ("attribute", "docs.size"), ("attribute", "user.level"), ("request", "r1"), ("request", "r2"), ("request", "r4"),
    ]  # fmt: skip
    assert found["role", "docs#reader"].startswith("role docs#reader is held by 4 users (ann, bob, cat, ...)")
    assert "did you mean" not in found["role", "staff"]
    assert "1 pair (docs:d2 folder docs:d1)" in found["relation", "docs.folder"]
    assert "the policy does not declare it" in found["attribute", "docs.due"]
    assert "says string, so a text is expected" in found["attribute", "docs.size"]
    assert "asks for role reader on docs:d1, which the policy has no rule for: deny it" in found["request", "r1"]
    assert "asks for operation publish" in found["request", "r2"]


def test_a_role_that_was_renamed_is_guessed() -> None:
    renamed = policy_of(AFTER.replace("viewer", "readers"))

    (text,) = (each.text for each in strangers(renamed, FACTS) if each.subject == "docs#reader")

    assert "(did you mean 'readers'?)" in text


def test_explaining_says_that_a_role_is_held_that_the_policy_lost() -> None:
    after = policy_of(AFTER)
    lost = decide(after, FACTS, Check(Actor("default", "default", "ann"), "read", ResourceRef("docs", "d1")))

    assert "user ann holds reader on docs:d1, which this policy does not have: it grants nothing" in lost.chain
    assert "user ann holds staff in tenant default, which this policy does not have: it grants nothing" in lost.chain
    known = decide(
        policy_of(BEFORE), FACTS, Check(Actor("default", "default", "ann"), "review", ResourceRef("docs", "d1"))
    )
    assert "which this policy does not have" not in " ".join(known.chain)


def test_grants_and_relations_to_put_to_sleep_are_those_the_policy_has_no_word_for() -> None:
    model = policy_of(AFTER)
    known = RoleAssignment("dan", "boss", "default", ResourceRef("docs", "d2"))
    lost = RoleAssignment("ann", "reader", "default", ResourceRef("docs", "d1"))
    nowhere = RoleAssignment("ann", "boss", "default", ResourceRef("notes", "n1"))
    everywhere = RoleAssignment("ann", "staff", "default"), RoleAssignment("ann", "chief", "default")

    assert unknown_assignments(model, [known, lost, nowhere, *everywhere]) == [lost, nowhere, everywhere[0]]

    one, two = ResourceRef("docs", "d1"), ResourceRef("docs", "d2")
    shelf, folder = RelationshipTuple(two, "shelf", one, "default"), RelationshipTuple(two, "folder", one, "default")
    foreign = RelationshipTuple(ResourceRef("notes", "n1"), "shelf", one, "default")
    assert unknown_tuples(model, [shelf, folder, foreign]) == [folder, foreign]
