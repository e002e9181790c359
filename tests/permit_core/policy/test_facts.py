import pytest

from permit_core.access import ResourceRef
from permit_core.entries import RelationshipTuple, ResourceInstance, RoleAssignment, User
from permit_core.policy.facts import Facts

BOX, LID = ResourceRef("box", "1"), ResourceRef("lid", "1")


def facts(*assignments: RoleAssignment, lid_tenant: str = "default", link_tenant: str = "default") -> Facts:
    return Facts.of(
        [User("3", "Henry")],
        ["default", "other"],
        [ResourceInstance(BOX, "default"), ResourceInstance(LID, lid_tenant)],
        assignments,
        [RelationshipTuple(BOX, "box", LID, link_tenant)],
    )


def test_roles_are_kept_by_tenant_and_thing_and_sorted() -> None:
    known = facts(
        RoleAssignment("3", "b", "default"),
        RoleAssignment("3", "a", "default"),
        RoleAssignment("3", "a", "default"),
        RoleAssignment("3", "c", "default", BOX),
    )

    assert known.direct_roles("3", "default", None) == ("a", "b")
    assert known.direct_roles("3", "default", BOX) == ("c",)
    assert known.direct_roles("3", "other", None) == ()
    assert known.direct_roles("4", "default", None) == ()


def test_an_instance_is_found_in_its_own_tenant_only() -> None:
    assert facts().instance(BOX, "default") is not None
    assert facts().instance(BOX, "other") is None
    assert facts().instance(ResourceRef("box", "2"), "default") is None


@pytest.mark.parametrize(
    ("lid_tenant", "link_tenant", "linked"),
    [("default", "default", (BOX,)), ("other", "default", ()), ("other", "other", ()), ("default", "other", ())],
)
def test_a_tuple_counts_only_within_one_tenant(
    lid_tenant: str, link_tenant: str, linked: tuple[ResourceRef, ...]
) -> None:
    assert facts(lid_tenant=lid_tenant, link_tenant=link_tenant).subjects_of(LID, "box") == linked


def test_a_tuple_with_an_end_that_does_not_exist_does_not_count() -> None:
    lost = Facts.of(
        [], ["default"], [ResourceInstance(LID, "default")], [], [RelationshipTuple(BOX, "box", LID, "default")]
    )

    assert lost.subjects_of(LID, "box") == ()


def test_things_are_in_order_numbers_by_value() -> None:
    keys = ["b", "10", "a1", "9", "009", "1a", "Z", "0", "-"]
    refs = [ResourceRef("lid", key) for key in keys]
    known = Facts.of(
        [],
        ["default", "other"],
        [ResourceInstance(BOX, "default"), *(ResourceInstance(ref, "default") for ref in refs)],
        [],
        [RelationshipTuple(BOX, "box", ref, "default") for ref in refs],
    )

    in_order = ["0", "009", "9", "10", "-", "1a", "Z", "a1", "b"]
    assert [each.ref.key for each in known.instances_of("lid", "default")] == in_order
    assert [ref.key for ref in known.objects_of(BOX, "box")] == in_order
    assert known.instances_of("lid", "other") == ()
    assert known.objects_of(BOX, "lid") == ()


def test_one_key_for_two_is_refused() -> None:
    with pytest.raises(ValueError, match="two users have the key '3'"):
        Facts.of([User("3", "Henry"), User("3", "Rose")], [], [], [], [])
    with pytest.raises(ValueError, match="two instances have the key 'box:1'"):
        Facts.of([], [], [ResourceInstance(BOX, "default"), ResourceInstance(BOX, "other")], [], [])
    assert len(Facts.of([User("3", "Henry")] * 2, [], [], [], []).users) == 1
