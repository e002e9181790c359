from pathlib import Path

import pytest

from permit_core.access import ResourceRef
from permit_core.entries import RoleAssignment, User
from permit_core.errors import PolicyFileError
from permit_core.policy.facts_file import load_facts
from permit_core.policy.loader import load_policy
from tests.support.core import POLICIES

MODEL = load_policy(POLICIES / "family_food.yaml")
HERE = "# <- here"
VALID = """\
tenants:
  - {key: default, name: The family}
  - {key: other, name: Another}
users:
  - {key: "1", first_name: Joe}
resource_instances:
  - {resource: restaurants, key: "1", attributes: {name: Pizza, allowed_for_children: true}}
  - {resource: dishes, key: 1-pie, attributes: {name: Pie, price_cents: 500}}
  - {resource: dishes, key: 2-pie, tenant: other}
relationship_tuples:
  - {subject: "restaurants:1", relation: restaurant, object: "dishes:1-pie"}
role_assignments:
  - {user: "1", role: parent}
  - {user: "1", role: parent, resource_instance: "restaurants:1"}
"""
ERRORS = [
    ("tenants:\n  - {key: default, name: The family}\n  - {key: other, name: Another}", f"tenants: [] {HERE}", "tenants", "not empty"),
    ('key: "1", first_name: Joe}', f"key: 1, first_name: Joe}} {HERE}", "users.0.key", "quote a number"),
    ("first_name: Joe}", f"first_name: Joe, age: 9}} {HERE}", "users.0.age", "one of the keys key, first_name"),
    ("first_name: Joe}", f"first_name: Joe, attributes: {{age: 9}}}} {HERE}", "users.0.attributes.age", "declares"),
    ("first_name: Joe}\n", f'first_name: Joe}}\n  - {{key: "1", first_name: Jane}} {HERE}\n', "users.1.key", "once"),
    ("key: 1-pie", "key: 1/pie", "resource_instances.1.key", "letters, digits"),
    ("key: 2-pie, tenant", "key: 1-pie, tenant", "resource_instances.2.key", "once"),
    ("price_cents: 500", "price_cents: '500'", "resource_instances.1.attributes.price_cents", "of type number"),
    ("price_cents: 500", "price_cents: true", "resource_instances.1.attributes.price_cents", "of type number"),
    ("price_cents: 500", "price: 500", "resource_instances.1.attributes.price", "declares"),
    ("resource: restaurants, key", "resource: bars, key", "resource_instances.0.resource", "resource type"),
    ("tenant: other", "tenant: nowhere", "resource_instances.2.tenant", "default, other"),
    ("restaurant, object", "bar, object", "relationship_tuples.0.relation", "whose subjects are restaurants"),
    ("object: \"dishes:1-pie\"", "object: \"dishes:2-pie\"", "relationship_tuples.0.object", "of tenant default"),
    ("object: \"dishes:1-pie\"", "object: \"dishes\"", "relationship_tuples.0.object", "type:key"),
    ("object: \"dishes:1-pie\"", "object: \"dishes:../pie\"", "relationship_tuples.0.object", "type:key"),
    ("object: \"dishes:1-pie\"", "object: 5", "relationship_tuples.0.object", "type:key"),
    ("subject: \"restaurants:1\"", "subject: \"restaurants:7\"", "relationship_tuples.0.subject", "of tenant default"),
    ("role: parent}", "role: boss}", "role_assignments.0.role", "a tenant role"),
    ("role: parent, resource", "role: boss, resource", "role_assignments.1.role", "a role of restaurants"),
    ('{user: "1", role: parent}', '{user: "7", role: parent}', "role_assignments.0.user", "key of a user"),
    ("\"restaurants:1\"}\n", f"\"restaurants:9\"}} {HERE}\n", "role_assignments.1.resource_instance", "of tenant default"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "key", "expected"), ERRORS, ids=[f"{e[2]}: {e[3]}" for e in ERRORS])
def test_an_error_names_file_line_key_and_what_was_expected(
    tmp_path: Path, old: str, new: str, key: str, expected: str
) -> None:
    assert old in VALID
    text = VALID.replace(old, new, 1)
    file = tmp_path / "facts.yaml"
    file.write_text(text, encoding="utf-8")
    marked = HERE if HERE in text else new
    line = next(number for number, each in enumerate(text.splitlines(), 1) if marked in each)

    with pytest.raises(PolicyFileError) as caught:
        load_facts(file, MODEL)

    assert (caught.value.key, caught.value.line) == (key, line), caught.value
    assert expected in caught.value.expected


def test_an_entry_without_tenant_belongs_to_the_first_one(tmp_path: Path) -> None:
    file = tmp_path / "facts.yaml"
    file.write_text(VALID, encoding="utf-8")

    known = load_facts(file, MODEL)

    assert [instance.tenant for instance in known.instances] == ["default", "default", "other"]
    assert known.users == (User("1", "Joe"),)
    assert known.assignments == (
        RoleAssignment("1", "parent", "default"),
        RoleAssignment("1", "parent", "default", ResourceRef("restaurants", "1")),
    )
    assert known.facts().subjects_of(ResourceRef("dishes", "1-pie"), "restaurant") == (ResourceRef("restaurants", "1"),)


def test_without_a_policy_only_the_shape_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "facts.yaml"
    file.write_text(VALID.replace("role: parent}", "role: boss}"), encoding="utf-8")

    assert load_facts(file).assignments[0].role == "boss"


def test_the_shipped_facts_are_the_family_its_restaurants_and_its_dishes() -> None:
    known = load_facts(POLICIES / "family_food.facts.yaml", MODEL)
    kinds = [instance.ref.type for instance in known.instances]

    assert [user.name for user in known.users] == ["Joe", "Jane", "Henry", "Rose"]
    assert (kinds.count("restaurants"), kinds.count("dishes"), len(known.tuples)) == (4, 12, 12)
    dishes = {link.object for link in known.tuples}
    assert dishes == {instance.ref for instance in known.instances if instance.ref.type == "dishes"}
    for link in known.tuples:
        assert str(link.object.key).startswith(f"{link.subject.key}-")
