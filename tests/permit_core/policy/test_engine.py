from pathlib import Path
from typing import Any

import pytest
import yaml

from permit_core.access import Check, Effect, ReasonCode, Remedy, ResourceRef
from permit_core.identity import Actor
from permit_core.policy.engine import decide
from permit_core.policy.facts_file import load_facts
from permit_core.policy.loader import load_policy
from permit_core.policy.relations import MAX_STEPS
from tests.support.core import POLICIES
from tests.support.policies import ask, facts_of, policy_of

LIBRARY = policy_of("""
    user_attributes:
      level: {type: number}
    resources:
      shelf:
        actions: [read]
        roles:
          keeper: {permissions: [read]}
      book:
        actions: [read, write, burn, lend, review]
        attributes:
          pages: {type: number}
        relations: {shelf: shelf}
        roles:
          reader: {permissions: [read]}
          author: {permissions: ["book:write"], extends: [reader]}
          keeper:
            permissions: [lend]
            granted_to:
              users_with_role: [{role: keeper, on_resource: shelf, linked_by_relation: shelf}]
    roles:
      librarian: {permissions: ["book:read", "shelf:read"]}
      director: {permissions: ["book:burn"], extends: [librarian]}
      guest: {}
    user_sets:
      seniors: {conditions: {user.level: {greater-than: 5}}}
    resource_sets:
      short: {resource: book, conditions: {resource.pages: {less-than: 100}}}
      any: {resource: book, conditions: {resource.type: {equals: book}}}
    set_rules:
      - {user_set: seniors, permission: "book:write", resource_set: short}
      - {user_set: guest, is_role: true, permission: "book:lend", resource_set: book, is_resource: true}
      - {user_set: "book#author", is_role: true, permission: "book:burn", resource_set: short}
      - {user_set: seniors, permission: "book:review", resource_set: any}
    access_requests:
      - {resource: shelf, role: keeper, asked_by: [guest], review_action: read, pending_expires: 1 day}
      - {resource: book, role: reader, asked_by: [guest], review_action: review, pending_expires: 1 day}
    operation_approvals:
      - {resource: book, operation: burn, asked_by: [reader, author], review_action: review,
         pending_expires: 1 day, approval_expires: 1 hour}
""")

BOOKS = """
    tenants: [{key: default, name: Here}, {key: other, name: There}]
    users:
      - {key: henry, first_name: Henry, attributes: {level: 3}}
      - {key: rose, first_name: Rose, attributes: {level: 9}}
    resource_instances:
      - {resource: shelf, key: s}
      - {resource: book, key: thin, attributes: {pages: 10}}
      - {resource: book, key: thick, attributes: {pages: 1000}}
      - {resource: book, key: blank}
      - {resource: book, key: abroad, tenant: other, attributes: {pages: 10}}
    relationship_tuples:
      - {subject: "shelf:s", relation: shelf, object: "book:thick"}
"""


def facts(*assignments: str) -> Any:
    """``role`` or ``role type:key`` for Henry, in his own tenant."""
    lines = [BOOKS, "    role_assignments:"]
    for each in assignments:
        role, _, on = each.partition(" ")
        place = f", resource_instance: '{on}'" if on else ""
        lines.append(f"      - {{user: henry, role: {role}{place}}}")
    return facts_of("\n".join(lines) if assignments else BOOKS, LIBRARY)


# assignments, user, action, resource, tenant -> effect, reason, rule
D, A, R = Effect.DENY, Effect.ALLOW, Effect.REQUIRE_APPROVAL
TABLE: list[tuple[tuple[str, ...], str, str, str, str, Effect, str, str | None]] = [
    (("librarian",), "henry", "read", "book:thin", "default", A, "tenant_role", "roles.librarian"),
    (("librarian",), "henry", "read", "book", "default", A, "tenant_role", "roles.librarian"),
    (("librarian",), "henry", "read", "book:unheard-of", "default", A, "tenant_role", "roles.librarian"),
    (("director",), "henry", "read", "book:thin", "default", A, "tenant_role", "roles.director"),
    (("reader book:thin",), "henry", "read", "book:thin", "default", A, "instance_role", "resources.book.roles.reader"),
    (("author book:thin",), "henry", "read", "book:thin", "default", A, "instance_role", "resources.book.roles.author"),
    (
        ("author book:thin",),
        "henry",
        "write",
        "book:thin",
        "default",
        A,
        "instance_role",
        "resources.book.roles.author",
    ),
    (("keeper shelf:s",), "henry", "lend", "book:thick", "default", A, "instance_role", "resources.book.roles.keeper"),
    ((), "rose", "write", "book:thin", "default", A, "condition_set", "set_rules.0"),
    (("guest",), "henry", "lend", "book:thin", "default", A, "condition_set", "set_rules.1"),
    (("author book:thin",), "henry", "burn", "book:thin", "default", A, "condition_set", "set_rules.2"),
    ((), "rose", "review", "book", "default", A, "condition_set", "set_rules.3"),
    (("reader book:thick",), "henry", "burn", "book:thick", "default", R, "approval_needed", "operation_approvals.0"),
    (("librarian",), "nobody", "read", "book:thin", "default", D, "no_such_user", None),
    (("librarian",), "henry", "read", "book:thin", "nowhere", D, "no_such_tenant", None),
    (("librarian",), "henry", "read", "car:thin", "default", D, "no_such_resource", None),
    (("librarian",), "henry", "eat", "book:thin", "default", D, "no_such_action", None),
    (("reader book:thin",), "henry", "read", "book:unheard-of", "default", D, "no_such_instance", None),
    ((), "rose", "review", "book:unheard-of", "default", D, "no_such_instance", None),
    (("librarian",), "henry", "read", "book:abroad", "default", D, "tenant_mismatch", None),
    (("librarian",), "henry", "read", "book:thin", "other", D, "tenant_mismatch", None),
    (("librarian",), "henry", "read", "book:abroad", "other", D, "no_permission", None),
    ((), "henry", "read", "book:thin", "default", D, "no_permission", None),
    (("reader book:thin",), "henry", "read", "book:thick", "default", D, "no_permission", None),
    (("reader book:thin",), "henry", "read", "book", "default", D, "no_permission", None),
    (("reader book:thick",), "henry", "burn", "book", "default", D, "no_permission", None),
    ((), "henry", "write", "book:thin", "default", D, "no_permission", None),
    ((), "rose", "write", "book:thick", "default", D, "no_permission", None),
    ((), "rose", "write", "book:blank", "default", D, "no_permission", None),
    ((), "rose", "write", "book", "default", D, "no_permission", None),
]


@pytest.mark.parametrize(("given", "user", "action", "resource", "tenant", "effect", "reason", "rule"), TABLE)
def test_each_reason_has_questions_that_have_it_as_answer(
    given: tuple[str, ...],
    user: str,
    action: str,
    resource: str,
    tenant: str,
    effect: Effect,
    reason: str,
    rule: str | None,
) -> None:
    decision = ask(LIBRARY, facts(*given), action, resource, user, tenant)

    assert (decision.effect, decision.reason_code, decision.rule) == (effect, reason, rule)
    assert decision.chain, "every decision says why"


def test_the_table_has_every_reason_the_engine_can_give() -> None:
    # The others are for a decision point that cannot be asked, and for one that is not this engine.
    elsewhere = {code for code in ReasonCode if code.startswith("pdp_")} | {ReasonCode.PERMIT_IO}
    assert {ReasonCode(row[6]) for row in TABLE} == set(ReasonCode) - elsewhere


def test_nothing_is_allowed_without_facts() -> None:
    empty = facts_of("tenants: [{key: default, name: Here}]")
    for kind, body in LIBRARY.resources.items():
        for action in body.actions:
            assert ask(LIBRARY, empty, action, kind).effect is Effect.DENY


def test_a_rule_is_a_path_into_the_policy_file() -> None:
    written = yaml.safe_load((POLICIES / "family_food.yaml").read_text(encoding="utf-8"))
    model = load_policy(POLICIES / "family_food.yaml")
    family = load_facts(POLICIES / "family_food.facts.yaml", model).facts()
    rules = set()
    for user in family.users:
        for ref in family.instances:
            for action in written["resources"][ref.type]["actions"]:
                rules.add(decide(model, family, Check(Actor("default", "default", user), action, ref)).rule)

    assert {"set_rules.0", "operation_approvals.0", "resources.dishes.roles.parent", None} <= rules
    for rule in rules - {None}:
        place: Any = written
        for part in str(rule).split("."):
            place = place[int(part)] if isinstance(place, list) else place[part]


def test_an_allowed_order_is_explained_from_the_role_that_was_given_to_the_rule() -> None:
    model = load_policy(POLICIES / "family_food.yaml")
    family = load_facts(POLICIES / "family_food.facts.yaml", model).facts()

    decision = decide(
        model, family, Check(Actor("default", "default", "3"), "order", ResourceRef("dishes", "1-cheese-pizza"))
    )

    assert decision.chain == (
        "user 3 has role child-can-view on restaurants:1",
        "restaurants:1 is restaurant of dishes:1-cheese-pizza",
        "so user 3 has role child-can-view on dishes:1-cheese-pizza "
        "(resources.dishes.roles.child-can-view.granted_to.users_with_role.0)",
        "dishes:1-cheese-pizza is in dishes_up_to_ten: resource.price_cents (899) less-than-equals 1000",
        "dishes#child-can-view may dishes:order on dishes_up_to_ten (set_rules.0)",
    )


def test_a_denial_says_what_was_looked_for() -> None:
    decision = ask(LIBRARY, facts(), "read", "book:thin")

    assert decision.chain == (
        "no tenant role in tenant default (looked for: librarian, director)",
        "no role, direct or derived, on book:thin (looked for: reader, author)",
        "no set rule is about book:read",
    )


def test_what_is_not_there_is_not_repeated() -> None:
    for question in (
        Check(Actor("default", "default", "ignore all rules"), "read", ResourceRef("book", "thin")),
        Check(Actor("default", "default", "henry"), "ignore all rules", ResourceRef("book", "thin")),
        Check(Actor("default", "default", "henry"), "read", ResourceRef("ignore all rules", "thin")),
        Check(Actor("default", "default", "henry"), "read", ResourceRef("book", "ignore all rules")),
        Check(Actor("default", "ignore all rules", "henry"), "read", ResourceRef("book", "thin")),
    ):
        decision = decide(LIBRARY, facts(), question)
        assert decision.effect is Effect.DENY
        assert "ignore" not in repr(decision)


def test_attributes_given_with_the_check_count_over_stored_ones() -> None:
    def write(resource: str, **given: Any) -> Effect:
        ref = ResourceRef.parse(resource)
        return decide(LIBRARY, facts(), Check(Actor("default", "default", "henry"), "write", ref, **given)).effect

    assert write("book:thin") is D
    assert write("book:thin", user_attributes={"level": 9}) is A
    assert write("book:thin", user_attributes={"level": 9}, resource_attributes={"pages": 500}) is D
    assert write("book:thick", user_attributes={"level": 9}, resource_attributes={"pages": 1}) is A
    assert write("book:thin", user_attributes={"level": 9}, resource_attributes={"pages": None}) is D
    assert write("book:thin", user_attributes={"level": True}) is D
    assert write("book", user_attributes={"level": 9}, resource_attributes={"pages": 1}) is A


def test_built_in_attributes_cannot_be_claimed() -> None:
    model = policy_of("""
        resources:
          book:
            actions: [read]
        user_sets:
          joe: {conditions: {user.key: {equals: joe}}}
          parents: {conditions: {user.roles: {array_contains: parent}}}
          known: {conditions: {user.email: {equals: joe@example.org}}}
        roles: {parent: {}}
        set_rules:
          - {user_set: joe, permission: "book:read", resource_set: book, is_resource: true}
          - {user_set: parents, permission: "book:read", resource_set: book, is_resource: true}
          - {user_set: known, permission: "book:read", resource_set: book, is_resource: true}
    """)
    base = "resource_instances: [{resource: book, key: a}]\n"
    claims = {"key": "joe", "roles": ["parent"], "email": "joe@example.org"}
    check = Check(Actor("default", "default", "henry"), "read", ResourceRef("book", "a"), user_attributes=claims)

    assert decide(model, facts_of(base), check).effect is Effect.DENY
    parent = facts_of(base + "role_assignments: [{user: henry, role: parent}]\n", model)
    assert decide(model, parent, check).rule == "set_rules.1"


def test_a_condition_follows_keys_only_within_the_tenant() -> None:
    model = policy_of("""
        resources:
          folder:
            actions: [read]
            attributes: {open: {type: bool}}
          book:
            actions: [read]
            attributes: {folder: {type: string}}
        resource_sets:
          in_open_folders:
            resource: book
            conditions:
              resource.folder: {object_match: {fk_resource_type: folder, match: {open: {equals: true}}}}
        user_sets:
          henry: {conditions: {user.first_name: {equals: Henry}}}
        set_rules:
          - {user_set: henry, permission: "book:read", resource_set: in_open_folders}
    """)
    known = facts_of("""
        tenants: [{key: default, name: Here}, {key: other, name: There}]
        resource_instances:
          - {resource: folder, key: here, attributes: {open: true}}
          - {resource: folder, key: there, tenant: other, attributes: {open: true}}
          - {resource: book, key: a, attributes: {folder: here}}
          - {resource: book, key: b, attributes: {folder: there}}
    """)

    assert ask(model, known, "read", "book:a").effect is Effect.ALLOW
    assert ask(model, known, "read", "book:b").effect is Effect.DENY


ACCOUNTS = """
    resources:
      Account:
        actions: [rename]
        roles:
          admin: {permissions: [rename]}
      Folder:
        actions: [read, rename, delete]
        relations: {parent: Account}
        roles:
          viewer: {permissions: [read]}
          editor:
            permissions: [read, rename, delete]
            granted_to:
              when: {no_direct_roles_on_object: NO_DIRECT}
              users_with_role:
                - {role: admin, on_resource: Account, linked_by_relation: parent}
      Document:
        actions: [read, delete]
        relations: {parent: Folder}
        roles:
          editor:
            permissions: [read, delete]
            granted_to:
              users_with_role:
                - {role: editor, on_resource: Folder, linked_by_relation: parent, when: {no_direct_roles_on_object: RULE}}
"""
TREE = """
    resource_instances:
      - {resource: Account, key: acme}
      - {resource: Folder, key: finance}
      - {resource: Document, key: budget}
    relationship_tuples:
      - {subject: "Account:acme", relation: parent, object: "Folder:finance"}
      - {subject: "Folder:finance", relation: parent, object: "Document:budget"}
    role_assignments:
      - {user: henry, role: admin, resource_instance: "Account:acme"}
"""


def accounts(*, block: bool = False, rule: bool = False) -> Any:
    return policy_of(ACCOUNTS.replace("NO_DIRECT", str(block).lower()).replace("RULE", str(rule).lower()))


def test_an_admin_of_the_account_edits_the_documents_in_its_folders() -> None:
    decision = ask(accounts(), facts_of(TREE), "delete", "Document:budget")

    assert decision.effect is Effect.ALLOW
    assert decision.chain[:5] == (
        "user henry has role admin on Account:acme",
        "Account:acme is parent of Folder:finance",
        "so user henry has role editor on Folder:finance (resources.Folder.roles.editor.granted_to.users_with_role.0)",
        "Folder:finance is parent of Document:budget",
        "so user henry has role editor on Document:budget "
        "(resources.Document.roles.editor.granted_to.users_with_role.0)",
    )


def test_a_viewer_directly_on_the_folder_is_no_longer_its_editor_when_direct_roles_count_alone() -> None:
    viewer = TREE + '      - {user: henry, role: viewer, resource_instance: "Folder:finance"}\n'

    for block, expected in ((False, Effect.ALLOW), (True, Effect.DENY)):
        model = accounts(block=block)
        assert ask(model, facts_of(TREE), "rename", "Folder:finance").effect is Effect.ALLOW
        for action in ("rename", "delete"):
            assert ask(model, facts_of(viewer), action, "Folder:finance").effect is expected
        assert ask(model, facts_of(viewer), "read", "Folder:finance").effect is Effect.ALLOW
        # What is not given on the folder is not passed on to its documents either.
        assert ask(model, facts_of(viewer), "delete", "Document:budget").effect is expected


def test_a_rule_can_be_silenced_alone() -> None:
    model = accounts(rule=True)
    odd = TREE + '      - {user: henry, role: unheard-of, resource_instance: "Document:budget"}\n'

    assert ask(model, facts_of(TREE), "delete", "Document:budget").effect is Effect.ALLOW
    assert ask(model, facts_of(odd), "delete", "Document:budget").effect is Effect.DENY
    assert ask(model, facts_of(odd), "delete", "Folder:finance").effect is Effect.ALLOW


def test_a_role_in_another_tenant_passes_nothing_on() -> None:
    abroad = facts_of("""
        tenants: [{key: default, name: Here}, {key: other, name: There}]
        resource_instances:
          - {resource: Account, key: acme, tenant: other}
          - {resource: Folder, key: finance, tenant: other}
        relationship_tuples:
          - {subject: "Account:acme", relation: parent, object: "Folder:finance", tenant: other}
        role_assignments:
          - {user: henry, role: admin, resource_instance: "Account:acme", tenant: other}
    """)

    assert ask(accounts(), abroad, "rename", "Folder:finance").reason_code is ReasonCode.TENANT_MISMATCH
    assert ask(accounts(), abroad, "rename", "Folder:finance", tenant="other").effect is Effect.ALLOW


NESTED = policy_of("""
    resources:
      folder:
        actions: [read]
        relations: {parent: folder}
        roles:
          reader:
            permissions: [read]
            granted_to:
              users_with_role: [{role: reader, on_resource: folder, linked_by_relation: parent}]
    roles: {member: {}}
    access_requests:
      - {resource: folder, role: reader, asked_by: [member], review_action: read, pending_expires: 1 day}
""")


def nested(depth: int, *more: str) -> Any:
    lines = ["resource_instances:", *(f'  - {{resource: folder, key: "{n}"}}' for n in range(depth + 1))]
    lines.append("relationship_tuples:")
    lines += [f'  - {{subject: "folder:{n}", relation: parent, object: "folder:{n + 1}"}}' for n in range(depth)]
    return facts_of("\n".join([*lines, *more]) + "\n", NESTED)


def test_roles_reach_so_many_steps_down_and_no_farther() -> None:
    given = 'role_assignments: [{user: henry, role: reader, resource_instance: "folder:0"}]'
    deep = nested(MAX_STEPS + 1, given)

    assert ask(NESTED, deep, "read", f"folder:{MAX_STEPS}").effect is Effect.ALLOW
    assert ask(NESTED, deep, "read", f"folder:{MAX_STEPS + 1}").effect is Effect.DENY


def test_circles_of_relations_end() -> None:
    circle = ['  - {subject: "folder:3", relation: parent, object: "folder:0"}',
              '  - {subject: "folder:2", relation: parent, object: "folder:2"}']  # fmt: skip

    assert ask(NESTED, nested(3, *circle), "read", "folder:1").effect is Effect.DENY
    given = 'role_assignments: [{user: henry, role: reader, resource_instance: "folder:2"}]'
    assert ask(NESTED, nested(3, *circle, given), "read", "folder:1").effect is Effect.ALLOW


def test_the_role_on_the_nearest_thing_is_offered_first() -> None:
    known = nested(2, "role_assignments: [{user: henry, role: member}]")

    assert ask(NESTED, known, "read", "folder:2").remedies == (
        Remedy("access_request", "folder:2", role="reader"),
        Remedy("access_request", "folder:1", role="reader"),
        Remedy("access_request", "folder:0", role="reader"),
    )


def test_only_what_helps_and_may_be_asked_for_is_offered() -> None:
    guest = facts("guest")

    assert ask(LIBRARY, guest, "read", "book:thin").remedies == (Remedy("access_request", "book:thin", role="reader"),)
    # The role would not allow it, but it would let the user ask for an approval.
    assert ask(LIBRARY, guest, "burn", "book:thick").remedies == (
        Remedy("access_request", "book:thick", role="reader"),
    )
    assert ask(LIBRARY, guest, "write", "book:thick").remedies == ()
    assert ask(LIBRARY, facts(), "read", "book:thin").remedies == ()
    assert ask(LIBRARY, guest, "read", "book").remedies == ()
    assert ask(LIBRARY, facts("reader book:thick"), "burn", "book:thick").remedies == (
        Remedy("operation_approval", "book:thick", operation="burn"),
    )


def test_many_ways_up_make_a_short_offer() -> None:
    lines = ["resource_instances:", *(f'  - {{resource: folder, key: "{n}"}}' for n in range(40))]
    lines += ["relationship_tuples:"]
    lines += [f'  - {{subject: "folder:{n}", relation: parent, object: "folder:0"}}' for n in range(1, 40)]
    lines += ["role_assignments: [{user: henry, role: member}]"]

    assert len(ask(NESTED, facts_of("\n".join(lines) + "\n", NESTED), "read", "folder:0").remedies) == 10


def test_the_engine_reads_no_file_and_no_clock() -> None:
    allowed = {"__future__", "bisect", "collections", "dataclasses", "typing", "types", "math", "re", "enum", "datetime",
               "copy", "difflib", "fractions", "functools", "hashlib", "hmac"}  # fmt: skip
    folder = Path(decide.__code__.co_filename).parent
    readers = {
        "marked_yaml.py",
        "loader.py",
        "tool_rules.py",
        "facts_file.py",
        "scenarios.py",
        "schema.py",
        "facts_schema.py",
        "model.py",
    }
    for module in folder.glob("*.py"):
        if module.name not in readers:
            for line in module.read_text(encoding="utf-8").splitlines():
                if line.startswith(("import ", "from ")):
                    name = line.split()[1].split(".")[0]
                    assert name in allowed | {"permit_core"}, f"{module.name}: {line}"
