"""Declared tools: what they act on, what their conditions may name, and that arguments open nothing."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permit_core.access import OBJECT_KEY, Check, ReasonCode, ResourceRef
from permit_core.errors import PolicyFileError
from permit_core.identity import Actor
from permit_core.policy.engine import decide
from permit_core.policy.facts import Facts
from permit_core.policy.guards import resource_of, shown_resource, split_resource
from permit_core.policy.judgement import Hold, Judgement, Refuse, about_type, judge, scope_of
from permit_core.policy.model import PolicyModel
from permit_core.policy.tool_rules import ComputedRule, declare
from tests.support.policies import facts_of, policy_of

ANN = Actor("default", "default", "ann")
BEN = Actor("default", "default", "ben")
RESOURCES = """
resources:
  files:
    actions: [read, delete, review]
    attributes: {size: {type: number}, word: {type: string}, due: {type: time}}
    roles: {owner: {permissions: [delete]}}
"""
MODEL = policy_of(
    RESOURCES
    + """
roles: {helper: {permissions: ["files:delete"]}}
tools:
  delete_file:
    action: delete
    resource: "files:{name}"
    arguments: {name: string, sure: bool}
    confirm: {when: {call.sure: {equals: false}}, by: self}
"""
)
FACTS = facts_of("""
users: [{key: ann, first_name: Ann}, {key: ben, first_name: Ben}]
resource_instances: [{resource: files, key: stored, attributes: {size: 1}}]
role_assignments: [{user: ann, role: helper}]
""")


def called(
    actor: Actor, name: str, arguments: dict[str, Any], model: PolicyModel = MODEL, facts: Facts = FACTS
) -> Judgement:
    """One call from its arguments to its judgement, as every adapter makes it."""
    guard = model.guard("tools", name)
    assert guard is not None
    check = guard.check(actor, arguments)
    decision = decide(model, facts, check)
    if decision.reason_code is ReasonCode.NO_SUCH_INSTANCE:
        check = about_type(check)
        decision = decide(model, facts, check)
    return judge(model, guard, kind="tools", name=name, check=check, decision=decision, scope=scope_of(facts, check, model),
                 actor=actor, now=datetime(2026, 11, 22, tzinfo=UTC))  # fmt: skip


@pytest.mark.parametrize("name", ["report.txt", "a b/c.md", "../x", "nowhere", "stored"])
def test_what_it_acts_on_need_not_be_stored_nor_be_a_key(name: str) -> None:
    assert not isinstance(called(ANN, "delete_file", {"name": name, "sure": True}), Hold | Refuse)
    held = called(ANN, "delete_file", {"name": name, "sure": False})
    assert isinstance(held, Hold)
    assert held.rule == "tools.delete_file.confirm.0"
    refused = called(BEN, "delete_file", {"name": name, "sure": True})
    assert isinstance(refused, Refuse)
    assert refused.code == "access_denied"


@pytest.mark.parametrize(
    ("value", "ref", "shown"),
    [
        ("stored", "files:stored", "files:stored"),
        (7, "files:7", "files:7"),
        ("report.txt", "files", 'files:"report.txt"'),
        ("a b/c.md", "files", 'files:"a b/c.md"'),
        ("../x", "files", 'files:"../x"'),
        ("", "files", 'files:""'),
        ("a:b", "files", 'files:"a:b"'),
        ('say "x"\\', "files", 'files:"say \\"x\\"\\\\"'),
        (
            "a\nb\x1b[2J\u202e\u200b\u3164\U000e0041",
            "files",
            'files:"a\\u000ab\\u001b[2J\\u202e\\u200b\\u3164\\U000e0041"',
        ),
        ("e\u0301", "files", 'files:"e\u0301"'),
        ("a" * 101, "files", f'files:"{"a" * 101}"'),
        (True, "files", "files"),
        (None, "files", "files"),
        (1.5, "files", "files"),
        (["stored"], "files", "files"),
    ],
)
def test_a_value_is_escaped_for_people_and_never_normalised(value: Any, ref: str, shown: str) -> None:
    guard = MODEL.guard("tools", "delete_file")
    assert guard is not None

    assert str(guard.resource({"name": value})) == ref
    assert guard.acts_on({"name": value}) == shown


@given(st.text())
def test_two_values_never_look_alike_and_what_is_shown_is_visible(value: str) -> None:
    shown = shown_resource(("files", value))

    assert shown.isprintable()
    if OBJECT_KEY.match(value):
        assert (shown, resource_of(("files", value))) == (f"files:{value}", ResourceRef("files", value))
    else:
        assert shown.startswith('files:"')
        assert resource_of(("files", value)) == ResourceRef("files", None)


def test_code_may_find_the_resource_itself() -> None:
    model = declare(MODEL, tools={"wipe": ComputedRule(action="delete")})
    guard = model.guard("tools", "wipe")
    assert guard is not None

    assert guard.acts_on({"name": "x"}) == ""
    with pytest.raises(ValueError, match="names no resource"):
        guard.check(ANN, {"name": "x"})
    assert split_resource("files:a:b c") == ("files", "a:b c")
    assert split_resource("files") == ("files", None)
    assert shown_resource(split_resource("files")) == "files"


def test_a_resource_may_be_fixed_or_a_type() -> None:
    model = policy_of(
        RESOURCES
        + """
tools:
  wipe: {action: delete, resource: files}
  look: {action: read, resource: "files:readme"}
  doc: {action: read, resource: "files:doc-{number}", arguments: {number: number}}
  list_files: open
"""
    )

    def refs(name: str, arguments: dict[str, Any]) -> str:
        guard = model.guard("tools", name)
        assert guard is not None
        return str(guard.check(ANN, arguments).resource)

    assert refs("wipe", {}) == "files"
    assert refs("look", {"name": "x"}) == "files:readme"
    assert refs("doc", {"number": 3}) == "files:doc-3"
    open_one = model.guard("tools", "list_files")
    assert open_one is not None
    assert open_one.check(ANN, {"a": 1}) == Check(ANN, "", ResourceRef("", None), call={"a": 1})


# Arguments are the model's: named like whatever is stored, they open nothing.

OPENING = policy_of("""
resources:
  files:
    actions: [by_user, by_resource, by_key, by_role, by_call]
    attributes: {size: {type: number}, word: {type: string}, flag: {type: bool}, tags: {type: array}, due: {type: time},
                 owner: {type: string}, body: {type: object}, any: {type: json}}
user_attributes: {level: {type: number}, team: {type: string}}
roles: {guest: {}}
user_sets:
  seniors: {conditions: {allOf: [{user.level: {greater-than: 5}}, {user.team: {equals: red}}]}}
  named: {conditions: {anyOf: [{user.key: {equals: boss}}, {user.email: {equals: "boss@x"}}, {user.first_name: {equals: Boss}}]}}
  bosses: {conditions: {user.roles: {array_contains: boss}}}
resource_sets:
  small: {resource: files, conditions: {resource.size: {less-than: 5}, resource.word: {equals: free}, resource.flag: {equals: true},
          resource.tags: {array_contains: public}, resource.due: {less-than: "2026-01-01"}, resource.owner: {equals: {ref: user.key}},
          resource.body.x: {equals: 1}, resource.any: {equals: 1}}}
  keyed: {resource: files, conditions: {resource.key: {equals: public}}}
  called: {resource: files, conditions: {call.size: {less-than: 5}}}
set_rules:
  - {user_set: seniors, permission: "files:by_user", resource_set: files, is_resource: true}
  - {user_set: named, permission: "files:by_user", resource_set: files, is_resource: true}
  - {user_set: guest, is_role: true, permission: "files:by_resource", resource_set: small}
  - {user_set: guest, is_role: true, permission: "files:by_key", resource_set: keyed}
  - {user_set: bosses, permission: "files:by_role", resource_set: files, is_resource: true}
  - {user_set: guest, is_role: true, permission: "files:by_call", resource_set: called}
tools:
  touch:
    action: by_call
    resource: "files:{name}"
    arguments: {name: string, size: number, word: string, flag: bool, tags: array, due: time, owner: string, body: object, any: json,
                level: number, team: string, key: string, email: string, first_name: string, roles: array, tenant: string, type: string}
""")
WISHES: dict[str, Any] = {
    "size": 1, "word": "free", "flag": True, "tags": ["public"], "due": "2025-01-01", "owner": "ann", "body": {"x": 1}, "any": 1,
    "level": 9, "team": "red", "key": "public", "email": "boss@x", "first_name": "Boss", "roles": ["boss"], "tenant": "other",
    "type": "files", "user.level": 9, "resource.size": 1, "resource": {"size": 1}, "user": {"level": 9, "key": "boss"},
}  # fmt: skip
STORED = facts_of("""
tenants: [{key: default, name: Default}, {key: other, name: Other}]
users: [{key: ann, first_name: Ann, attributes: {level: 1, team: blue}}]
resource_instances:
  - {resource: files, key: f, attributes: {size: 9, word: dear, flag: false, tags: [], due: "2030-01-01", owner: ben, body: {}, any: 2}}
  - {resource: files, key: bare}
role_assignments: [{user: ann, role: guest}]
""")


@pytest.mark.parametrize("action", ["by_user", "by_resource", "by_key", "by_role"])
@pytest.mark.parametrize("key", ["f", "bare", None])
def test_an_argument_named_like_a_stored_attribute_opens_nothing(action: str, key: str | None) -> None:
    resource = ResourceRef("files", key)

    assert not decide(OPENING, STORED, Check(ANN, action, resource)).allowed
    assert not decide(OPENING, STORED, Check(ANN, action, resource, call=WISHES)).allowed


def test_what_the_program_gives_and_what_a_model_says_are_two_things() -> None:
    by_call = Check(ANN, "by_call", ResourceRef("files", "f"), call={"size": 1})
    given_size = Check(ANN, "by_call", ResourceRef("files", "f"), resource_attributes={"size": 1})

    assert decide(OPENING, STORED, by_call).rule == "set_rules.5"
    assert not decide(OPENING, STORED, given_size).allowed
    assert not decide(OPENING, STORED, Check(ANN, "by_call", ResourceRef("files", "f"), call={"size": "1"})).allowed


def test_a_rule_may_ask_for_more_than_its_sets() -> None:
    model = policy_of(
        RESOURCES
        + """
roles: {guest: {}}
set_rules:
  - {user_set: guest, is_role: true, permission: "files:read", resource_set: files, is_resource: true,
     when: {call.pages: {less-than: 5}}}
tools: {read: {action: read, resource: "files:{name}", arguments: {name: string, pages: number}}}
"""
    )
    facts = facts_of("""
users: [{key: ann, first_name: Ann}]
resource_instances: [{resource: files, key: f}]
role_assignments: [{user: ann, role: guest}]
""")
    few = decide(model, facts, Check(ANN, "read", ResourceRef("files", "f"), call={"pages": 4}))
    many = decide(model, facts, Check(ANN, "read", ResourceRef("files", "f"), call={"pages": 5}))

    assert (few.allowed, few.chain[1]) == (True, "when: call.pages less-than 5")
    assert not many.allowed
    assert "set_rules.0: what stands under when does not hold" in many.chain


FAULTS = [
    ("x: {action: burn, resource: files}", "tools.x.action", "an action of files (delete, read, review); found 'burn'"),
    ("x: {action: read}", "tools.x", "a resource beside the action"),
    ("x: {action: read, resource: file}", "tools.x.resource", "did you mean 'files'?"),
    ("x: {action: read, resource: 'files:'}", "tools.x.resource", "type:{argument}"),
    ("x: {action: read, resource: 'files:{a}{b}'}", "tools.x.resource", "one argument"),
    ("x: {action: read, resource: 'files:{a'}", "tools.x.resource", "type:{argument}"),
    ("x: {action: read, resource: 'files:{}'}", "tools.x.resource", "an argument's name in the braces"),
    ("x: {action: read, resource: 'files:a b'}", "tools.x.resource", "type:{argument}"),
    ("x: {action: read, resource: 'files:{a}', arguments: {b: string}}", "tools.x.resource", "in the braces"),
    ("x: {action: read, resource: files, arguments: {'a b': string}}", "tools.x.arguments.a b", "an argument's name"),
    ("x: {action: read, resource: files, arguments: {a: text}}", "tools.x.arguments.a", "'bool', 'number'"),
    ("x: {action: read, resource: files, never: {call.a: {equals: 1}}}", "tools.x.never.call.a", "is not declared"),
    ("x: {action: read, resource: files, arguments: {abc: number}, never: {call.abd: {equals: 1}}}", "tools.x.never.call.abd",
     "did you mean 'abc'?"),
    ("x: {action: read, resource: files, arguments: {a: number}, never: {call.a: {equals: '1'}}}",
     "tools.x.never.call.a.equals", "of the same type"),
    ("x: {action: read, resource: files, never: sometimes}", "tools.x.never", "always or a condition"),
    ("x: {action: read, resource: files, never: {}}", "tools.x.never", "always or a condition"),
    ("x: {action: read, resource: files, confirm: {by: self}}", "tools.x.confirm.when", "missing"),
    ("x: {action: read, resource: files, confirm: {when: often}}", "tools.x.confirm.when", "always or tainted or a condition"),
    ("x: {action: read, resource: files, confirm: {whn: always}}", "tools.x.confirm.whn", "did you mean 'when'?"),
    ("x: {action: read, resource: files, confirm: [{when: always, by: me}]}", "tools.x.confirm.0.by", "'in_client', 'self'"),
    ("x: {action: read, resource: files, confirm: {when: {resource.sze: {equals: 1}}, by: self}}",
     "tools.x.confirm.when.resource.sze", "did you mean 'size'?"),
    ("x: {action: read, resource: files, confirm: {when: always, review_action: burn}}", "tools.x.confirm.review_action",
     "an action of files"),
    ("x: {action: read, resource: files, confirm: {when: always, by: self, review_action: read}}",
     "tools.x.confirm.review_action", "nobody reviews"),
    ("x: {action: read, resource: files, confirm: {when: always, pinned: {sze: equals}}}", "tools.x.confirm.pinned.sze",
     "an attribute of files"),
    ("x: {action: look, resource: plain, confirm: {when: always}}", "tools.x.confirm", "expected review_action"),
    ("x: {open: true, confirm: {when: always}}", "tools.x.confirm.by", "an open tool has no resource"),
    ("x: {open: true, confirm: {when: always, by: self, pinned: {size: equals}}}", "tools.x.confirm.pinned", "nothing pinned"),
    ("x: {open: true, never: {resource.size: {equals: 1}}}", "tools.x.never.resource.size", "declared"),
    ("x: {action: read, resource: files, quota: {most: -1, per: 1 day}}", "tools.x.quota.most", "a number, 0 or more"),
    ("x: {action: read, resource: files, quota: {most: true, per: 1 day}}", "tools.x.quota.most", "a number, 0 or more"),
    ("x: {action: read, resource: files, quota: {most: 1, per: a day}}", "tools.x.quota.per", "a duration"),
    ("x: {action: read, resource: files, quota: {most: 1, per: 1 day, sum: amount}}", "tools.x.quota.sum", "call.argument"),
    ("x: {action: read, resource: files, quota: {most: 1, per: 1 day, sum: call.amount}}", "tools.x.quota.sum", "there is none"),
    ("x: {action: read, resource: files, quota: {most: 1, per: 1 day, sum: resource.word}}", "tools.x.quota.sum", "a number"),
    ("x: {action: read, resource: files, quota: {most: 1, per: 1 day, by: [team]}}", "tools.x.quota.by.0", "'user' or 'agent'"),
    ("x: {action: read, resource: files, quota: {most: 1, per: 1 day, when: {call.a: {equals: 1}}}}",
     "tools.x.quota.when.call.a", "is not declared"),
    ("x: {action: read, resource: files, reads: [secrets]}", "tools.x.reads.0", "'private' or 'untrusted'"),
    ("x: shut", "tools.x", "expected a mapping"),
    ("x: {}", "tools.x", "either the word open"),
    ("'a b': open", "tools.a b", "a tool's name"),
]  # fmt: skip


@pytest.mark.parametrize(("tool", "key", "expected"), FAULTS, ids=[f"{each[1]}: {each[2]}" for each in FAULTS])
def test_what_is_wrong_with_a_declaration_is_named_where_it_stands(tool: str, key: str, expected: str) -> None:
    with pytest.raises(PolicyFileError) as caught:
        policy_of(f"{RESOURCES}  plain: {{actions: [look]}}\ntools:\n  {tool}\n")

    assert caught.value.key == key
    assert expected in caught.value.expected, caught.value.expected
    assert caught.value.line == 11


@pytest.mark.parametrize("section", ["mcp_resources", "prompts"])
def test_resources_and_prompts_are_declared_like_tools(section: Any) -> None:
    model = policy_of(
        f'{RESOURCES}\n{section}:\n  "x://{{name}}": {{action: read, resource: "files:{{name}}"}}\n  y: open\n'
    )

    guard, open_one = model.guard(section, "x://{name}"), model.guard(section, "y")
    assert guard is not None
    assert guard.resource({"name": "f"}) == ResourceRef("files", "f")
    assert open_one is not None
    assert open_one.is_open
    assert model.guard("tools", "y") is None
    with pytest.raises(PolicyFileError, match=f"{section}.y.confirm: expected"):
        policy_of(f"{RESOURCES}\n{section}: {{y: {{action: read, resource: files, confirm: 1}}}}\n")


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        ("resource_sets: {s: {resource: files, conditions: {call.limit: {less-than: 5}}}}", "of one type"),
        ("resource_sets: {s: {resource: files, conditions: {call.lim: {less-than: 5}}}}", "is not declared"),
        ("user_sets: {s: {conditions: {call.only: {less-than: 5}}}}", "no tool is called where users are described"),
        ("set_rules: [{user_set: g, is_role: true, permission: 'files:delete', resource_set: files, is_resource: true, "
         "when: {call.only: {less-than: 5}}}]", "is not declared"),
    ],
)  # fmt: skip
def test_sets_and_rules_name_arguments_that_tools_of_their_type_declare(sets: str, expected: str) -> None:
    tools = """
roles: {g: {}}
tools:
  a: {action: read, resource: files, arguments: {limit: number, only: number}}
  b: {action: read, resource: files, arguments: {limit: string}}
"""
    with pytest.raises(PolicyFileError, match=expected):
        policy_of(f"{RESOURCES}{tools}{sets}\n")
    assert policy_of(
        f"{RESOURCES}{tools}resource_sets: {{s: {{resource: files, conditions: {{call.only: {{less-than: 5}}}}}}}}\n"
    )
