"""What the SDK's repository tests of its errors and its distribution leaves out: each is raised with what it tells."""

from __future__ import annotations

import pytest
from permit import Permit
from permit.exceptions import (
    PermitAlreadyExistsError,
    PermitApiDetailedError,
    PermitApiError,
    PermitConnectionError,
    PermitNotFoundError,
    PermitValidationError,
)

from tests.support.permit_local import Environment


def tells_all(error: PermitApiDetailedError, status: int, code: str) -> None:
    """Everything that such an error has is there, and is what was answered."""
    assert (error.status_code, error.code, error.content_type) == (status, code, "application/json")
    assert error.details is not None
    assert {"id", "title", "error_code", "message"} <= set(error.details)
    assert (error.details["id"], error.details["title"]) == (error.id, error.title)
    assert error.explanation == error.details["message"]
    assert error.message == str(error)
    assert error.title in error.message
    assert error.id in error.message
    assert error.support_link in error.message
    assert error.additional_info is None


async def test_what_is_not_there_is_not_found(permit: Permit) -> None:
    with pytest.raises(PermitNotFoundError) as caught:
        await permit.api.users.get("nobody")
    tells_all(caught.value, 404, "NOT_FOUND")
    assert "'nobody'" in caught.value.explanation
    assert caught.value.request_url.endswith("/users/nobody")


async def test_what_is_there_already_is_a_conflict(permit: Permit) -> None:
    await permit.api.users.create({"key": "ann"})
    with pytest.raises(PermitAlreadyExistsError) as caught:
        await permit.api.users.create({"key": "ann"})
    tells_all(caught.value, 409, "DUPLICATE_ENTITY")


async def test_what_cannot_be_read_is_told_with_its_place(permit: Permit) -> None:
    with pytest.raises(PermitValidationError) as caught:
        await permit.api.users.list(per_page=1000)
    error = caught.value
    assert (error.status_code, error.content_type) == (422, "application/json")
    assert error.content.detail
    [where] = error.content.detail
    assert [*where.loc] == ["query", "per_page"]
    assert error.details == {"detail": [{"loc": ["query", "per_page"], "msg": where.msg, "type": where.type}]}
    assert error.message == f"Validation error\nquery -> per_page\n\t{where.msg} ({where.type})\n"


async def test_what_does_not_fit_together_is_told_in_detail(permit: Permit) -> None:
    with pytest.raises(PermitApiDetailedError) as caught:
        await permit.api.resource_instances.get("bare-key")
    assert not isinstance(caught.value, PermitNotFoundError | PermitAlreadyExistsError)
    tells_all(caught.value, 400, "INVALID_INPUT")


async def test_a_key_that_nobody_has_is_told_in_detail(environment: Environment) -> None:
    stranger = Permit(token="permit_key_of_nobody", pdp=environment.url, api_url=environment.url)
    with pytest.raises(PermitApiDetailedError) as caught:
        await stranger.api.users.list()
    tells_all(caught.value, 401, "UNAUTHORIZED")


async def test_every_error_of_the_api_is_caught_by_the_common_one(permit: Permit) -> None:
    with pytest.raises(PermitApiError):
        await permit.api.roles.get("none")
    with pytest.raises(PermitApiError):
        await permit.api.roles.list(per_page=1000)


async def test_an_address_where_nobody_listens_is_a_broken_connection() -> None:
    permit = Permit(token="permit_key_x", pdp="http://127.0.0.1:1", api_url="http://127.0.0.1:1")
    with pytest.raises(PermitConnectionError):
        await permit.api.users.list()
