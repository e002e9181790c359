"""What a changed policy loosens is said, and what it tightens is not."""

import pytest

from permit_core.access import Check, Effect, ResourceRef
from permit_core.identity import Actor
from permit_core.policy.changes import loosened, loosened_guards
from tests.support.policies import facts_of, policy_of

POLICY = """
operators: [olga]
resources:
  files:
    actions: [read, delete, review]
    attributes: {size: {type: number}}
    roles: {reader: {permissions: [read]}, owner: {permissions: [read, delete, review]}}
roles: {staff: {tools: [look]}}
access_requests:
  - {resource: files, role: reader, asked_by: [staff], review_action: review, pending_expires: 1 day, granted_for: 7 days}
operation_approvals:
  - {resource: files, operation: delete, asked_by: [reader], review_action: review, pending_expires: 1 day,
     approval_expires: 1 hour, pinned: {size: equals}}
tools:
  look: open
  delete_file:
    action: delete
    resource: "files:{name}"
    arguments: {name: string, count: number}
    never: {call.count: {greater-than: 100}}
    quota: {most: 5, per: 1 day}
    confirm: {when: {call.count: {greater-than: 10}}, by: self}
    reads: [private]
    outward: true
"""
FACTS = facts_of("""
users: [{key: ann, first_name: Ann}]
resource_instances: [{resource: files, key: f}]
role_assignments: [{user: ann, role: reader, resource_instance: "files:f"}]
""")
CHECKS = [
    Check(Actor("default", "default", "ann"), action, ResourceRef("files", "f"))
    for action in ("read", "delete", "review")
]


def test_checks_that_are_answered_more_generously_are_said() -> None:
    before = policy_of(POLICY)
    after = policy_of(POLICY.replace("reader: {permissions: [read]}", "reader: {permissions: [delete]}"))

    found = loosened(before, after, FACTS, CHECKS)

    assert [(each.check.action, each.before.effect, each.after.effect) for each in found] == [
        ("delete", Effect.REQUIRE_APPROVAL, Effect.ALLOW)
    ]
    assert str(found[0]) == (
        "user ann delete files:f in tenant default: require_approval becomes allow (resources.files.roles.reader)"
    )
    assert [each.check.action for each in loosened(after, before, FACTS, CHECKS)] == ["read"]
    assert loosened(before, before, FACTS, CHECKS) == []


LOOSER = [
    ("operators: [olga]", "operators: [olga, pete]", "operators: pete may act at a bare terminal"),
    ("tools: [look]", "tools: [look, delete_file]", "roles.staff.tools: sees delete_file"),
    ("roles: {staff:", "roles: {guest: {tools: [look]}, staff:", "roles.guest.tools: sees look"),
    ("  look: open\n", "  look: open\n  new: open\n", "tools.new: was not declared, so it was refused"),
    ("count: number}\n    never: {call.count: {greater-than: 100}}\n", "count: number}\n", "tools.delete_file: never is gone"),
    ("greater-than: 100", "greater-than: 200", "tools.delete_file: never says something else"),
    ("most: 5", "most: 6", "tools.delete_file: quota 5 calls per 1 day is gone or larger"),
    ("per: 1 day}", "per: 1 hour}", "tools.delete_file: quota 5 calls per 1 day is gone or larger"),
    ("greater-than: 10}", "greater-than: 20}", "tools.delete_file: confirm on a condition by self is gone"),
    ("by: self", "by: in_client", "tools.delete_file: confirm on a condition by self is gone"),
    ("reads: [private]", "reads: []", "tools.delete_file: no longer reads private"),
    ("outward: true", "outward: false", "tools.delete_file: is no longer outward"),
    ("outward: true", "outward: true\n    read_only: true", "tools.delete_file: is read only now"),
    ("action: delete\n", "action: read\n", "tools.delete_file: acts as read on files:{name}, before as delete on files:{name}"),
    ("asked_by: [staff]", "asked_by: [staff, guest]", "access_requests files#reader: can be asked for by guest"),
    ("granted_for: 7 days", "granted_for: 8 days", "access_requests files#reader: granted for 8 days, before for 7 days"),
    (", granted_for: 7 days", "", "access_requests files#reader: granted for good, before for 7 days"),
    ("asked_by: [staff], review_action: review", "asked_by: [staff], review_action: read",
     "access_requests files#reader: decided by whoever may read, before review"),
    ("asked_by: [reader]", "asked_by: [reader, owner]", "operation_approvals files:delete: can be asked for by owner"),
    ("[reader], review_action: review", "[reader], review_action: read",
     "operation_approvals files:delete: decided by whoever may read, before review"),
    (", pinned: {size: equals}", "", "operation_approvals files:delete: size is no longer pinned"),
    ("approval_expires: 1 hour", "approval_expires: 2 hours", "operation_approvals files:delete: a yes lasts 2 hours, before 1 hour"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), LOOSER, ids=[each[2] for each in LOOSER])
def test_a_gate_that_asks_for_less_is_said(old: str, new: str, said: str) -> None:
    base = POLICY.replace("roles: {staff:", "roles: {guest: {}, staff:") if "[staff, guest]" in new else POLICY
    assert old in base
    before, after = policy_of(base), policy_of(base.replace(old, new, 1))

    found = loosened_guards(before, after)

    assert len(found) == 1
    assert found[0].startswith(said)


def test_a_guarded_tool_that_becomes_open_is_said_and_what_is_tightened_is_not() -> None:
    before = policy_of(POLICY)
    start, end = POLICY.index("  delete_file:"), len(POLICY)
    opened = policy_of(POLICY[:start] + "  delete_file: open\n" + POLICY[end:])

    assert loosened_guards(before, opened)[0] == "tools.delete_file: was guarded (delete on files:{name}) and is open"
    assert loosened_guards(before, before) == []
    tight = policy_of(
        POLICY.replace("most: 5", "most: 4")
        .replace("when: {call.count: {greater-than: 10}}, by: self", "when: always, by: reviewer")
        .replace("look: open", "look: {open: true, reads: [untrusted]}")
        .replace("operators: [olga]", "operators: []")
        .replace("granted_for: 7 days", "granted_for: 1 day")
    )
    assert loosened_guards(before, tight) == []
