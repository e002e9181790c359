"""Calls of Permit.io end in time, are repeated where that is safe, and answer in our errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from permit_core.errors import ConfigurationError
from permit_core.permit_io import client as client_module
from permit_core.permit_io.client import ATTEMPTS, PermitClient, escaped
from permit_core.permit_io.faults import PermitFault
from permit_core.permit_io.start import check_account
from permit_core.settings import Settings
from tests.support.core import family_settings
from tests.support.fake_permit import FakePermit, Reply, fake_permit, saying


class Answers:
    """What the next requests are answered with, the last one for ever."""

    def __init__(self) -> None:
        self.replies: list[Reply | None] = [saying({})]

    def __call__(self, _method: str, _path: str) -> Reply | None:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
async def fake(answers: Answers) -> AsyncIterator[FakePermit]:
    async with fake_permit(answers) as running:
        yield running


def settings(folder: Path, url: str) -> Settings:
    return family_settings(folder, permit_api_key="permit_key_x", permit_api_url=url, permit_pdp_url=url)


@pytest.fixture
async def client(fake: FakePermit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[PermitClient]:
    monkeypatch.setattr(client_module, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(client_module, "WHOLE_SECONDS", 1.0)
    opened = PermitClient(settings(tmp_path, fake.url))
    yield opened
    await opened.close()


async def refused(client: PermitClient, method: str = "GET") -> PermitFault:
    with pytest.raises(PermitFault) as caught:
        await client.api(method, "/v2/anything", body={} if method == "POST" else None)
    return caught.value


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_reading_is_tried_again_when_that_may_help(
    client: PermitClient, fake: FakePermit, answers: Answers, status: int
) -> None:
    answers.replies = [saying({}, status), saying({}, status), saying({"here": 1})]
    assert await client.api("GET", "/v2/anything") == {"here": 1}
    assert len(fake.asked) == ATTEMPTS


async def test_reading_is_given_up_after_a_few_times(client: PermitClient, fake: FakePermit, answers: Answers) -> None:
    answers.replies = [saying({}, 503)]
    assert (await refused(client)).code == "permit_unreachable"
    assert len(fake.asked) == ATTEMPTS


async def test_what_changes_something_is_not_repeated_when_it_may_have_been_done(
    client: PermitClient, fake: FakePermit, answers: Answers
) -> None:
    answers.replies = [saying({}, 503)]
    assert (await refused(client, "POST")).code == "permit_unreachable"
    assert len(fake.asked) == 1


async def test_what_was_certainly_not_done_is_repeated_even_if_it_changes_something(
    client: PermitClient, fake: FakePermit, answers: Answers
) -> None:
    answers.replies = [saying({}, 429, **{"retry-after": "0"}), saying({}, 429), saying({"done": 1})]
    assert await client.api("POST", "/v2/anything", body={}) == {"done": 1}
    assert len(fake.asked) == ATTEMPTS
    answers.replies = [saying({}, 429, **{"retry-after": "60"})]
    assert (await refused(client, "POST")).code == "permit_busy"
    answers.replies = [saying({}, 429, **{"retry-after": "0"}), saying({}, 503)]
    assert (await refused(client, "POST")).code == "permit_unreachable"
    assert len(fake.asked) == ATTEMPTS + 3


async def test_nobody_waits_longer_than_is_worth_it_for_retry_after(
    client: PermitClient, fake: FakePermit, answers: Answers
) -> None:
    answers.replies = [saying({}, 429, **{"retry-after": "60"})]
    fault = await refused(client)
    assert (fault.code, fault.retry_after) == ("permit_busy", 60.0)
    assert len(fake.asked) == 1


async def test_a_short_retry_after_is_waited_for(client: PermitClient, answers: Answers) -> None:
    answers.replies = [saying({}, 429, **{"retry-after": "0"}), saying([1])]
    assert await client.api("GET", "/v2/anything") == [1]


async def test_retry_after_may_be_a_date(client: PermitClient, fake: FakePermit, answers: Answers) -> None:
    answers.replies = [
        saying({}, 429, **{"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
        saying({}, 429, **{"retry-after": format_datetime(datetime.now(UTC) + timedelta(minutes=30), usegmt=True)}),
    ]
    fault = await refused(client)
    assert fault.retry_after is not None
    assert 1700 < fault.retry_after <= 1800
    assert len(fake.asked) == 2


@pytest.mark.parametrize("said", ["soon", "Wed, 99 Foo 2015 07:28:00 GMT", "nan", "-1"])
async def test_a_retry_after_that_is_neither_says_nothing(client: PermitClient, answers: Answers, said: str) -> None:
    answers.replies = [saying({}, 429, **{"retry-after": said})]
    assert (await refused(client)).retry_after is None


INVALID = {"detail": [{"loc": ["body", "settings", "resource"], "msg": "names \x1b[31mno\nresource", "type": "x"}]}
DETAILED = {"id": "1", "title": "Bad", "error_code": "INVALID_INPUT", "message": "a role is no user set"}


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (422, INVALID, "body.settings.resource: names [31mno resource"),
        (400, DETAILED, "a role is no user set"),
        (404, {"detail": "Not Found"}, "Not Found"),
        (400, {"message": "x" * 5000}, "x" * 300),
        (400, {"detail": [1, {"msg": 2}], "message": 3}, ""),
        (400, ["a list"], ""),
    ],
)
async def test_what_permit_io_says_was_wrong_is_kept_from_either_client(
    client: PermitClient, answers: Answers, status: int, body: Any, said: str
) -> None:
    answers.replies = [saying(body, status)]
    end = f"{status}: {said}" if said else f"{status}"
    assert (await refused(client, "POST")).about == f"POST /v2/anything: {end}"
    with pytest.raises(PermitFault) as caught:
        await client.sdk("a user", lambda sdk: sdk.api.users.get("1"), safe=True)
    assert caught.value.about == f"a user: {end}"


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_is_not_accepted_is_said_to_be(
    client: PermitClient, fake: FakePermit, answers: Answers, status: int
) -> None:
    answers.replies = [(status, {"content-type": "text/plain"}, b"Invalid API key")]
    fault = await refused(client)
    assert (fault.code, fault.status) == ("permit_refused", status)
    assert len(fake.asked) == 1


async def test_an_answer_that_is_no_json_is_nonsense(client: PermitClient, answers: Answers) -> None:
    answers.replies = [(200, {"content-type": "text/html"}, b"<html>hello</html>")]
    assert (await refused(client)).code == "permit_nonsense"


async def test_silence_ends(client: PermitClient, answers: Answers) -> None:
    answers.replies = [None]
    assert (await refused(client)).code == "permit_unreachable"


async def test_what_the_sdk_raises_ends_in_the_same_errors(client: PermitClient, answers: Answers) -> None:
    async def user() -> PermitFault:
        with pytest.raises(PermitFault) as caught:
            await client.sdk("a user", lambda sdk: sdk.api.users.get("1"), safe=True)
        return caught.value

    answers.replies = [(401, {"content-type": "text/plain"}, b"no")]
    assert ((await user()).code) == "permit_refused"
    answers.replies = [saying({"organization_id": "not an id"})]
    assert ((await user()).code) == "permit_nonsense"
    answers.replies = [(200, {"content-type": "text/html"}, b"<html>")]
    assert ((await user()).code) == "permit_nonsense"
    answers.replies = [saying({}, 429, **{"retry-after": "60"})]
    assert ((await user()).code) == "permit_busy"
    answers.replies = [None]
    assert ((await user()).code) == "permit_unreachable"


async def test_nobody_there_is_said_in_words_that_name_neither_address_nor_key(tmp_path: Path) -> None:
    client = PermitClient(settings(tmp_path, "http://127.0.0.1:9"))
    fault = await refused(client, "POST")
    await client.close()
    assert fault.as_dict() == {
        "code": "permit_unreachable",
        "message": "Permit.io does not answer.",
        "hint": "Try again in a moment.",
    }


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_what_would_be_another_path_is_no_part_of_one(part: str) -> None:
    with pytest.raises(ValueError, match="no part of a path"):
        escaped(part)


def test_every_part_of_a_path_is_escaped() -> None:
    assert escaped("a/b?c#d%e:f g") == "a%2Fb%3Fc%23d%25e%3Af%20g"


@pytest.mark.parametrize("key", ["permit_key_x ", "permit_key_\u00e9"])
async def test_a_key_that_cannot_be_sent_is_no_silence_and_is_not_repeated(
    fake: FakePermit, tmp_path: Path, key: str
) -> None:
    bad = settings(tmp_path, fake.url).model_copy(update={"permit_api_key": SecretStr(key)})
    client = PermitClient(bad)
    fault = await refused(client)
    with pytest.raises(ConfigurationError, match="PERMIT_API_KEY: ") as caught:
        await check_account(client, bad)
    await client.close()
    assert (fault.code, fault.passing, fake.asked) == ("permit_refused", False, [])
    assert "permit_key" not in f"{fault} {caught.value}"
