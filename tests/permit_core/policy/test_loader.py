import hashlib
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from permit_core.errors import PolicyFileError
from permit_core.policy.loader import brought_forward, load_policy, policy_errors, read_policy
from permit_core.policy.marked_yaml import MAX_BYTES, MAX_KEYS, parse_marked
from permit_core.policy.model import PolicyModel
from tests.support.core import POLICIES

VALID = """\
version: 1
name: Documents
user_attributes:
  level: {type: number}
  groups: {type: array}
  profile: {type: object}
resources:
  account:
    actions: [read]
    roles:
      admin: {permissions: [read]}
      owner: {permissions: [], extends: [admin]}
  document:
    actions: [read, write, review]
    attributes:
      title: {type: string}
      pages: {type: number}
      tags: {type: array}
      secret: {type: bool}
    relations:
      owner: account
    roles:
      editor:
        permissions: [read, "document:write"]
        granted_to:
          when: {no_direct_roles_on_object: true}
          users_with_role:
            - {role: admin, on_resource: account, linked_by_relation: owner}
roles:
  member:
    permissions: ["document:read"]
    tools: [look]
  chief:
    permissions: []
    extends: [member]
user_sets:
  seniors:
    conditions:
      user.level: {greater-than: 5}
resource_sets:
  short:
    resource: document
    conditions:
      allOf:
        - resource.pages: {less-than: 10}
set_rules:
  - user_set: seniors
    permission: document:write
    resource_set: short
access_requests:
  - resource: document
    role: editor
    asked_by: [member]
    review_action: review
    pending_expires: 7 days
operation_approvals:
  - resource: document
    operation: write
    asked_by: [editor]
    review_action: review
    pending_expires: 1 day
    approval_expires: 1 hour
    pinned:
      pages: less-than-equals
"""

# What is replaced, by what, the key the error names, and words of what was expected. The line is where the
# replacement carries the mark.
HERE = "# <- here"
ERRORS = [
    ("version: 1", f"version: 3 {HERE}", "version", "expected 1 or 2"),
    ("name: Documents", f"name: '' {HERE}", "name", "a text that is not empty"),
    ("name: Documents", f"name: 7 {HERE}", "name", "quote a number"),
    ("name: Documents", f"nome: x {HERE}\nname: Documents", "nome", "found 'nome' (did you mean 'name'?)"),
    ("    actions: [read]\n", f"    actions: [] {HERE}\n", "resources.account.actions", "not empty"),
    ("    actions: [read]\n", f"    actions: read {HERE}\n", "resources.account.actions", "expected a list"),
    ("    actions: [read]\n", f"    actions: [read, read] {HERE}\n", "resources.account.actions.1", "repeated"),
    ("  account:\n    actions: [read]\n", f"  account: {HERE}\n", "resources.account.actions", "it is missing"),
    ("    actions: [read]\n", f"    actions: [read, 'a b'] {HERE}\n", "resources.account.actions.1", "letters, digits"),
    ("pages: {type: number}", f"pages: {{type: money}} {HERE}", "resources.document.attributes.pages.type", "'number'"),
    ("pages: {type: number}", f"pages: {{tipe: number}} {HERE}", "resources.document.attributes.pages.tipe", "type"),
    ("title: {type: string}", f"key: {{type: string}} {HERE}", "resources.document.attributes.key", "built in"),
    ("level: {type: number}", f"roles: {{type: number}} {HERE}", "user_attributes.roles", "built in"),
    ("owner: account", f"owner: acount {HERE}", "resources.document.relations.owner", "account, document"),
    ("{permissions: [read]}", f"{{permissions: [rede]}} {HERE}", "resources.account.roles.admin.permissions.0", "rede"),
    ("extends: [admin]}", f"extends: [boss]}} {HERE}", "resources.account.roles.owner.extends.0", "boss"),
    ("extends: [admin]}", f"extends: [owner]}} {HERE}", "resources.account.roles.owner.extends", "lead back"),
    (
        "{no_direct_roles_on_object: true}",
        f"{{no_direct_roles_on_object: yes}} {HERE}",
        "resources.document.roles.editor.granted_to.when.no_direct_roles_on_object",
        "true or false",
    ),
    (
        "{role: admin, on",
        f"{{role: king, on{HERE[:0]}",
        "resources.document.roles.editor.granted_to.users_with_role.0.role",
        "a role of account",
    ),
    (
        "on_resource: account,",
        "on_resource: acount,",
        "resources.document.roles.editor.granted_to.users_with_role.0.on_resource",
        "resource type",
    ),
    (
        "linked_by_relation: owner",
        "linked_by_relation: parent",
        "resources.document.roles.editor.granted_to.users_with_role.0.linked_by_relation",
        "whose subjects are account",
    ),
    ('["document:read"]', f"[read] {HERE}", "roles.member.permissions.0", "resource:action"),
    ('["document:read"]', f"['document:fly'] {HERE}", "roles.member.permissions.0", "an action of document"),
    ('["document:read"]', f"['car:read'] {HERE}", "roles.member.permissions.0", "resource type"),
    ("extends: [member]", f"extends: [chief] {HERE}", "roles.chief.extends", "lead back"),
    ("tools: [look]", f"tools: [look, look] {HERE}", "roles.member.tools.1", "repeated"),
    (
        "{greater-than: 5}",
        f"{{larger-than: 5}} {HERE}",
        "user_sets.seniors.conditions.user.level.larger-than",
        "operator",
    ),
    ("user.level: {", f"user.lvel: {{ {HERE}\n        ", "user_sets.seniors.conditions.user.lvel", "declared"),
    (
        "{greater-than: 5}",
        f"{{greater-than: five}} {HERE}",
        "user_sets.seniors.conditions.user.level.greater-than",
        "a number",
    ),
    (
        "{greater-than: 5}",
        f"{{greater-than: true}} {HERE}",
        "user_sets.seniors.conditions.user.level.greater-than",
        "a number",
    ),
    (
        "{greater-than: 5}",
        f"{{contains: '5'}} {HERE}",
        "user_sets.seniors.conditions.user.level.contains",
        "for number",
    ),
    (
        "user.level: {greater-than: 5}",
        f"resource.pages: {{less-than: 5}} {HERE}",
        "user_sets.seniors.conditions.resource.pages",
        "declared",
    ),
    (
        "resource: document\n    conditions",
        f"resource: paper {HERE}\n    conditions",
        "resource_sets.short.resource",
        "resource type",
    ),
    (
        "allOf:\n        - resource.pages: {less-than: 10}",
        f"allOf: [] {HERE}",
        "resource_sets.short.conditions.allOf",
        "not empty",
    ),
    (
        "allOf:\n        - resource.pages: {less-than: 10}",
        f"oneOf: [] {HERE}",
        "resource_sets.short.conditions.oneOf",
        "allOf, anyOf, not",
    ),
    ("user_set: seniors", f"user_set: juniors {HERE}", "set_rules.0.user_set", "seniors"),
    ("user_set: seniors", f"is_role: true\n    user_set: king {HERE}", "set_rules.0.user_set", "tenant role"),
    ("user_set: seniors", f"is_role: true\n    user_set: account#admin {HERE}", "set_rules.0.user_set", "document"),
    ("user_set: seniors", f"is_role: true\n    user_set: document#king {HERE}", "set_rules.0.user_set", "editor"),
    ("permission: document:write", f"permission: write {HERE}", "set_rules.0.permission", "resource:action"),
    ("resource_set: short", f"resource_set: long {HERE}", "set_rules.0.resource_set", "short"),
    (
        "resource_set: short",
        f"is_resource: true\n    resource_set: account {HERE}",
        "set_rules.0.resource_set",
        "document",
    ),
    ("role: editor\n", f"role: reader {HERE}\n", "access_requests.0.role", "editor"),
    ("asked_by: [member]", f"asked_by: [guest] {HERE}", "access_requests.0.asked_by", "member"),
    ("asked_by: [member]", f"asked_by: [] {HERE}", "access_requests.0.asked_by", "not empty"),
    ("7 days", f"a week {HERE}", "access_requests.0.pending_expires", "'7 days'"),
    ("7 days", f"0 days {HERE}", "access_requests.0.pending_expires", "'7 days'"),
    ("operation: write", f"operation: fly {HERE}", "operation_approvals.0.operation", "read, review, write"),
    ("asked_by: [editor]", f"asked_by: [member] {HERE}", "operation_approvals.0.asked_by", "editor"),
    ("pages: less-than-equals", f"pages: contains {HERE}", "operation_approvals.0.pinned.pages", "'less-than-equals'"),
    ("pages: less-than-equals", f"price: less-than-equals {HERE}", "operation_approvals.0.pinned.price", "attribute"),
    ("pages: less-than-equals", f"title: less-than-equals {HERE}", "operation_approvals.0.pinned.title", "for string"),
    (
        "- resource: document\n    role",
        f"- resource: paper {HERE}\n    role",
        "access_requests.0.resource",
        "resource type",
    ),
    (
        "- resource: document\n    operation",
        f"- resource: paper {HERE}\n    operation",
        "operation_approvals.0.resource",
        "resource type",
    ),
    (
        "when: {no_direct_roles_on_object: true}",
        f"whenever: {{}} {HERE}",
        "resources.document.roles.editor.granted_to.whenever",
        "one of the keys users_with_role, when; found 'whenever'",
    ),
    ("name: Documents", f"name: {'x' * 501} {HERE}", "name", "at most 500"),
    ("version: 1", f"version: !!int 1 {HERE}", "version", "without a tag"),
    ("name: Documents", f"name: Documents\nname: Again {HERE}", "name", "every key once"),
    ("name: Documents", f"name: &x Documents {HERE}", "name", "no anchor"),
    ("name: Documents", f"name: Documents\nroles: *x {HERE}", "roles", "aliases"),
    ("name: Documents", f"name: [unclosed\nroles: {HERE}", "", "valid YAML"),
    ("name: Documents", f"name: !!python/name:os.system '' {HERE}", "name", "without a tag"),
    (
        "tags: {type: array}",
        f"tags: !!python/object/apply:os.system ['id'] {HERE}",
        "resources.document.attributes.tags",
        "without a tag",
    ),
    ("name: Documents", f"name: Documents: all {HERE}", "", "at column 16: a text with ': ' in it stands in quotes"),
    ("name: Documents", f"\tname: x {HERE}", "", "spaces at the beginning of a line"),
    ("user_sets:\n", f"user_sets: {HERE}\nuser_sets_: \n", "user_sets", "expected a mapping"),
    (
        "    review_action: review\n    pending_expires: 7 days",
        f"    reviewaction: review {HERE}\n    pending_expires: 7 days",
        "access_requests.0.reviewaction",
        "did you mean 'review_action'?",
    ),
    ("name: Documents", f"1: Documents {HERE}", "", "a text as key"),
    ("name: Documents", f"name: ? {{a: b}} {HERE}", "", "valid YAML"),
]


@pytest.mark.parametrize(("old", "new", "key", "expected"), ERRORS, ids=[f"{e[2]}: {e[3]}" for e in ERRORS])
def test_an_error_names_file_line_key_and_what_was_expected(
    tmp_path: Path, old: str, new: str, key: str, expected: str
) -> None:
    assert old in VALID
    text = VALID.replace(old, new, 1)
    file = tmp_path / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    marked = HERE if HERE in text else new
    line = next(number for number, each in enumerate(text.splitlines(), 1) if marked in each)

    with pytest.raises(PolicyFileError) as caught:
        load_policy(file)

    assert (caught.value.key, caught.value.line) == (key, line), caught.value
    assert expected in caught.value.expected
    assert str(caught.value).startswith(f"{file}:{line}: ")


def test_the_policy_the_errors_are_planted_in_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(VALID, encoding="utf-8")

    assert policy_errors(file) == []
    assert load_policy(file).has_action("document", "review")


def test_every_error_is_listed_in_the_order_of_the_lines(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    text = VALID.replace("owner: account", "owner: acount").replace("user_set: seniors", "user_set: juniors")
    file.write_text(text, encoding="utf-8")

    errors = policy_errors(file)

    assert [error.line for error in errors] == sorted(error.line or 0 for error in errors)
    assert {"resources.document.relations.owner", "set_rules.0.user_set"} <= {error.key for error in errors}


def test_a_repeated_rule_is_refused(tmp_path: Path) -> None:
    document = yaml.safe_load(VALID)
    for section in ("access_requests", "operation_approvals"):
        twice = {**document, section: document[section] * 2}
        with pytest.raises(ValidationError, match="is repeated"):
            PolicyModel.model_validate(twice)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty document"),
        (b"- a\n- b\n", "expected a mapping"),
        (b"version: 1\nname: \xff\xfe\n", "UTF-8"),
        (b"name: \x01", "valid YAML"),
        (b"[" * 5000, "levels of nesting"),
        (b"a: " + b"[" * 60 + b"]" * 60, "levels of nesting"),
        (b"#" * (MAX_BYTES + 1), "at most"),
    ],
    ids=["empty", "list", "not utf-8", "control character", "nested without end", "nested too deep", "too large"],
)
def test_what_is_no_policy_at_all_is_refused_in_one_sentence(tmp_path: Path, content: bytes, expected: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(content)

    with pytest.raises(PolicyFileError, match=expected):
        load_policy(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert [error.line for error in policy_errors(tmp_path / "nowhere.yaml")] == [None]
    with pytest.raises(PolicyFileError, match=r"nowhere\.yaml: document: expected a file that can be read"):
        load_policy(tmp_path / "nowhere.yaml")
    with pytest.raises(PolicyFileError, match="a file that can be read"):
        load_policy("a\0b")


def test_the_shipped_policy_is_valid_and_answers_what_it_says() -> None:
    model = load_policy(POLICIES / "family_food.yaml")
    written = yaml.safe_load((POLICIES / "family_food.yaml").read_text(encoding="utf-8"))

    for role, body in written["roles"].items():
        assert model.tools_for([role]) == frozenset(body["tools"])
    assert model.tools_for(written["roles"]) == model.role_tools
    assert model.tools_for(["nobody"]) == frozenset()
    (asked,) = written["access_requests"]
    (rule,) = model.requestable_roles(asked["resource"])
    assert (rule.role, set(rule.asked_by), rule.pending_expires.days) == (asked["role"], set(asked["asked_by"]), 7)
    assert model.requestable_roles("dishes") == ()
    operation = model.operation_rule("order", "dishes")
    assert operation is not None
    assert operation.approval_expires.total_seconds() == 3600
    assert operation.pinned == {"price_cents": "less-than-equals"}
    assert model.operation_rule("order", None) == operation
    assert model.operation_rule("order", "restaurants") is None
    assert model.operation_rule("read", "dishes") is None
    assert model.operations == {"order"}
    assert model.has_action("dishes", "order")
    assert not model.has_action("dishes", "delete")
    assert not model.has_action("drinks", "order")
    assert model.has_resource_role("dishes", "parent")
    assert not model.has_resource_role("orders", "parent")
    assert model.relation_subject("dishes", "restaurant") == "restaurants"
    assert model.relation_subject("drinks", "bar") is None


def test_an_operation_of_two_types_needs_the_type_to_be_named() -> None:
    document = yaml.safe_load(VALID)
    document["resources"]["account"]["actions"] = ["read", "write"]
    rule = document["operation_approvals"][0]
    document["operation_approvals"].append(
        {**rule, "resource": "account", "review_action": "read", "asked_by": ["admin"], "pinned": {}}
    )
    model = PolicyModel.model_validate(document)

    assert model.operation_rule("write", None) is None
    assert model.operation_rule("write", "account") is not None


def test_a_model_cannot_be_changed() -> None:
    model = load_policy(POLICIES / "family_food.yaml")

    with pytest.raises(ValidationError):
        model.name = "other"  # type: ignore[misc]


# Version 2 ends by name.

SHIPPED = (POLICIES / "family_food.yaml").read_text(encoding="utf-8")


def test_a_policy_of_version_2_that_is_cut_short_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    lines = SHIPPED.splitlines(keepends=True)
    assert lines[-1] == "...\n"
    for kept in range(len(lines)):
        file.write_text("".join(lines[:kept]), encoding="utf-8")
        with pytest.raises(PolicyFileError):
            load_policy(file)
    for section in ("resource_sets:", "access_requests:", "operation_approvals:"):
        text = SHIPPED[: SHIPPED.index(f"\n{section}")]
        file.write_text(text, encoding="utf-8")
        with pytest.raises(PolicyFileError, match=r"expected \.\.\. as the last line: .* cut short") as caught:
            load_policy(file)
        assert caught.value.line is not None
        assert caught.value.line >= len(text.splitlines()) - 1
        assert [str(error) for error in policy_errors(file)] == [str(caught.value)]
    file.write_text(SHIPPED.removesuffix("\n"), encoding="utf-8")
    assert load_policy(file).version == 2


@pytest.mark.parametrize("end", ["", "# a comment\n", "\n# a comment\n\n"])
def test_what_follows_the_end_is_a_comment_or_an_error(tmp_path: Path, end: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(SHIPPED + end, encoding="utf-8")
    assert load_policy(file).version == 2

    file.write_text(SHIPPED + end + "user_sets: {}\n", encoding="utf-8")
    with pytest.raises(PolicyFileError):
        load_policy(file)


def test_a_policy_is_named_by_the_hash_of_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(VALID, encoding="utf-8")
    read = read_policy(file)
    assert read.hash == hashlib.sha256(file.read_bytes()).hexdigest()
    assert read.model == load_policy(file)
    file.write_text(VALID + "# a comment\n", encoding="utf-8")
    assert read_policy(file).hash != read.hash


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("tail", ["", "\n", "\n# the end\n", "\n...\n", "\n...\n# the end\n"])
def test_version_1_is_brought_forward_and_keeps_its_comments(tail: str, newline: str) -> None:
    text = ("# Mine.\n" + VALID.replace("version: 1", "version: 1  # old").rstrip("\n") + tail).replace("\n", newline)
    forward = brought_forward(text, "policy.yaml")

    assert "# Mine." in forward
    assert f"version: 2  # old{newline}" in forward
    assert ("# the end" in forward) is ("# the end" in tail)
    assert forward.count("...") == 1
    assert "\n" not in forward.replace(newline, "") if newline == "\r\n" else True
    assert brought_forward(forward, "policy.yaml") == forward
    document = parse_marked(forward, "policy.yaml")
    assert document.ended
    assert document.value == {**parse_marked(text, "policy.yaml").value, "version": 2}


def test_what_cannot_be_brought_forward_says_so() -> None:
    with pytest.raises(PolicyFileError, match="change it by hand"):
        brought_forward(VALID.replace("version: 1", "version:\n  1"), "policy.yaml")
    with pytest.raises(PolicyFileError, match="did you mean 'name'"):
        brought_forward(VALID.replace("name: Documents", "nome: Documents"), "policy.yaml")


def test_a_mapping_has_a_bound_and_many_faults_end_soon(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(VALID + "".join(f"key{number}: x\n" for number in range(60_000)), encoding="utf-8")

    with pytest.raises(PolicyFileError, match=f"at most {MAX_KEYS} keys in one mapping") as caught:
        load_policy(file)
    assert caught.value.line == len(VALID.splitlines()) + MAX_KEYS - len(yaml.safe_load(VALID)) + 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1, 2\nb: 3\n", r"a list that began with \[ ends with \]"),
        ("a: {b: 1\nc: 2\n", "a mapping that began with { ends with }"),
        ("a: 'open\nb: 1\n", "a text that began with a quote ends with one"),
        ("a: 1\n b: 2\n", "at column"),
        ("a: 1\n---\nb: 2\n", "one document"),
        ("a: 1\nb\n", "key: value"),
        ("a:\n  - 1\n b: 2\n", "the same column"),
        ("a: \x00\n", "a character that YAML forbids"),
        ("# nothing\n", "an empty document"),
        (f"a: {'9' * 65}\n", "at most 64 characters"),
        ("a: 1e999\n", "not too large"),
        ("? [a]\n: b\n", "a text as key"),
        ("true: b\n", "a text as key"),
        ("a: " + "[" * 60 + "]" * 60, "at most 40 levels"),
    ],
)
def test_a_file_that_is_no_plain_yaml_is_told_what_to_write(text: str, expected: str) -> None:
    with pytest.raises(PolicyFileError, match=expected):
        parse_marked(text, "policy.yaml")


def test_scalars_are_read_as_json_reads_them() -> None:
    text = "{a: no, b: 010, c: 0x1F, d: 1_0, e: 2026-01-01, f: ~, g: , h: 'true', i: -1.5e3, j: .5, k: .inf, l: 1.0, m: \"1\"}"
    assert parse_marked(text, "x").value == {
        "a": "no", "b": "010", "c": "0x1F", "d": "1_0", "e": "2026-01-01", "f": None, "g": None, "h": "true", "i": -1500.0,
        "j": ".5", "k": ".inf", "l": 1.0, "m": "1",
    }  # fmt: skip
