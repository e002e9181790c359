"""Whether entries are in the policy's words."""

from typing import Any

import pytest

from permit_core.access import ResourceRef
from permit_core.directory.vocabulary import Vocabulary
from permit_core.entries import ResourceInstance, User
from permit_core.errors import InvalidInput
from permit_core.policy.model import PolicyModel

VOCABULARY = Vocabulary(
    PolicyModel.model_validate(
        {
            "version": 1,
            "name": "Notes",
            "resources": {
                "notes": {"actions": ["read"], "attributes": {"extra": {"type": "json"}, "due": {"type": "time"}}}
            },
            "user_attributes": {"age": {"type": "number"}},
        }
    )
)


def note(extra: Any) -> ResourceInstance:
    return ResourceInstance(ResourceRef("notes", "1"), "home", {"extra": extra})


@pytest.mark.parametrize("extra", [None, True, 1.5, "text", ["a", {"b": None}]])
def test_an_attribute_of_any_json_kind_may_be_declared(extra: Any) -> None:
    VOCABULARY.check_instance(note(extra))


@pytest.mark.parametrize("extra", [b"bytes", {1, 2}, [float("inf")], object()])
def test_what_has_no_json_form_is_no_attribute(extra: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        VOCABULARY.check_instance(note(extra))
    assert caught.value.code == "invalid_attributes"


def test_attributes_of_users_are_declared_too() -> None:
    VOCABULARY.check_user(User("henry@home", "Henry", attributes={"age": 9}))
    for attributes in ({"age": "nine"}, {"age": True}, {"height": 1.2}):
        with pytest.raises(InvalidInput, match="attribute"):
            VOCABULARY.check_user(User("henry@home", "Henry", attributes=attributes))


@pytest.mark.parametrize("due", ["2026-9-1", "tomorrow", 20261122, None, ""])
def test_a_declared_time_is_one_when_it_is_written(due: Any) -> None:
    for fits in ("2026-11-22", "2026-11-22T08:30:00Z", "08:30"):
        VOCABULARY.check_instance(ResourceInstance(ResourceRef("notes", "1"), "home", {"due": fits}))

    with pytest.raises(InvalidInput) as caught:
        VOCABULARY.check_instance(ResourceInstance(ResourceRef("notes", "1"), "home", {"due": due}))

    assert caught.value.code == "invalid_attributes"
    assert caught.value.hint == "The policy wants a time such as 2026-11-22, 2026-11-22T08:30:00Z or 08:30."
