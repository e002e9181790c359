"""Seeding ends in one state, however often it is done and wherever it was cut short."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from permit_core.bootstrap import open_core, seed_permit_io
from permit_core.errors import ConfigurationError
from permit_core.permit_io.client import PermitClient
from permit_core.permit_io.faults import PermitFault
from permit_core.settings import Settings
from tests.support.core import family_settings
from tests.support.permit_local import Environment, LocalServer, running_local

pytestmark = pytest.mark.slow  # each test seeds a server of its own

LISTS = (
    "facts/users",
    "facts/tenants",
    "facts/resource_instances",
    "facts/relationship_tuples",
    "facts/role_assignments",
    "facts/set_rules",
    "schema/resources",
    "schema/roles",
    "schema/condition_sets",
    "elements/config",
)
NO_RULE = {"user_set": "dishes#no-such-role", "permission": "dishes:order", "resource_set": "dishes_up_to_ten"}
CHANGING = {"id", "created_at", "updated_at", "last_action_at"}


class CutShort(Exception):
    """The process died."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    with running_local(tmp_path_factory.mktemp("seeding"), "--new-key", "organization") as running:
        yield running


@pytest.fixture
def environment(server: LocalServer) -> Environment:
    return server.new_environment()


def settings(environment: Environment, folder: Path) -> Settings:
    return family_settings(
        folder, permit_api_key=environment.key, permit_api_url=environment.url, permit_pdp_url=environment.url
    )


def state(environment: Environment) -> dict[str, list[str]]:
    """Everything that there is, ids and times aside."""
    with environment.client as client:
        return {name: sorted(repr(_plain(each)) for each in _listed(client, environment, name)) for name in LISTS}


def _listed(client: httpx.Client, environment: Environment, name: str) -> list[Any]:
    answer = client.get(environment.path(name), params={"per_page": 100}).raise_for_status().json()
    return list(answer["data"] if isinstance(answer, dict) else answer)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if key not in CHANGING and not key.endswith("_id")}
        return {key: _plain(kept[key]) for key in sorted(kept)}
    return [_plain(each) for each in value] if isinstance(value, list) else value


async def test_seeding_twice_changes_nothing(environment: Environment, tmp_path: Path) -> None:
    first = await seed_permit_io(settings(environment, tmp_path))
    assert len(first.schema) > 15
    assert len(first.facts) > 50
    before = state(environment)
    again = await seed_permit_io(settings(environment, tmp_path))
    assert (again.schema, again.facts) == ([], [])
    assert state(environment) == before


async def test_seeding_that_was_cut_short_anywhere_ends_in_the_same_state(
    server: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = server.new_environment(), server.new_environment()
    real = PermitClient.sdk
    made: list[str] = []

    async def counted(self: PermitClient, *args: Any, **more: Any) -> Any:
        made.append(args[0])
        return await real(self, *args, **more)

    monkeypatch.setattr(PermitClient, "sdk", counted)
    await seed_permit_io(settings(whole, tmp_path))
    for calls in (len(made) * part // 16 for part in range(1, 10)):
        left = iter(range(calls))

        async def dies(self: PermitClient, *args: Any, left: Iterator[int] = left, **more: Any) -> Any:
            answer = await real(self, *args, **more)
            if next(left, None) is None:
                raise CutShort  # when Permit.io has done it, and nobody has heard
            return answer

        monkeypatch.setattr(PermitClient, "sdk", dies)
        with pytest.raises(CutShort):
            await seed_permit_io(settings(broken, tmp_path))
    monkeypatch.setattr(PermitClient, "sdk", real)
    await seed_permit_io(settings(broken, tmp_path))
    assert state(broken) == state(whole)


async def test_seeding_brings_back_what_the_policy_says_and_leaves_the_rest(
    environment: Environment, tmp_path: Path
) -> None:
    await seed_permit_io(settings(environment, tmp_path))
    before = state(environment)
    with environment.client as client:
        role = environment.path("schema/resources/restaurants/roles/child-can-view/permissions")
        client.post(role, json={"permissions": ["delete"]}).raise_for_status()
        client.request("DELETE", role, json={"permissions": ["read"]}).raise_for_status()
        cheap = environment.path("schema/condition_sets/dishes_up_to_ten")
        client.patch(cheap, json={"conditions": {"resource.price_cents": {"less-than": 5000}}}).raise_for_status()
        client.post(environment.path("facts/users"), json={"key": "guest"}).raise_for_status()
    await seed_permit_io(settings(environment, tmp_path))
    after = state(environment)
    assert len(after.pop("facts/users")) == len(before.pop("facts/users")) + 1
    assert after == before


async def test_an_environment_that_was_not_seeded_is_said_to_need_it_at_the_start(
    environment: Environment, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="has no resource 'restaurants'; permit-mcp seed"):
        await open_core(settings(environment, tmp_path))


async def test_a_tenant_that_the_facts_do_not_name_is_refused_before_anything_is_written(
    environment: Environment, tmp_path: Path
) -> None:
    before = state(environment)
    with pytest.raises(ConfigurationError, match=r"TENANT: 'acme' is none of .*facts\.yaml.* set it to 'default'"):
        await seed_permit_io(settings(environment, tmp_path).model_copy(update={"tenant": "acme"}))
    assert state(environment) == before


async def test_a_tenant_of_another_name_is_seeded_when_the_facts_name_it(
    environment: Environment, tmp_path: Path
) -> None:
    wanted = settings(environment, tmp_path)
    facts = tmp_path / "facts.yaml"
    text = Path(wanted.facts_file).read_text(encoding="utf-8")
    facts.write_text(text.replace("{key: default, name", "{key: acme, name"), encoding="utf-8")
    wanted = wanted.model_copy(update={"tenant": "acme", "facts_file": str(facts)})
    await seed_permit_io(wanted)
    await (await open_core(wanted)).close()


async def test_a_policy_whose_reviewers_role_can_be_asked_for_is_refused_before_anything_is_written(
    environment: Environment, tmp_path: Path
) -> None:
    before = state(environment)
    wanted = settings(environment, tmp_path)
    policy = tmp_path / "policy.yaml"
    text = Path(wanted.policy_file).read_text(encoding="utf-8")
    asked = "  - resource: restaurants\n    role: child-can-view\n"
    assert asked in text
    policy.write_text(text.replace(asked, asked.replace("child-can-view", "_Reviewer_")), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="role _Reviewer_ of restaurants can be asked for and decides"):
        await seed_permit_io(wanted.model_copy(update={"policy_file": str(policy)}))
    assert state(environment) == before


async def test_an_element_that_is_not_taken_is_named_with_what_permit_io_says_and_what_to_do(
    environment: Environment, tmp_path: Path
) -> None:
    wanted = settings(environment, tmp_path).model_copy(update={"access_elements_config_id": "not a key"})
    with pytest.raises(PermitFault) as caught:
        await seed_permit_io(wanted)
    assert caught.value.about.startswith("writing the elements: the element not a key: POST ")
    assert "/config: 422: body.key: String should match" in caught.value.about
    assert "by hand" in caught.value.hint
    assert "docs/permit-io.md, step 4" in caught.value.hint


async def test_a_set_rule_that_is_not_taken_is_named_with_what_permit_io_says_and_what_to_do(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PermitClient.sdk

    async def takes_none(self: PermitClient, about: str, call: Any, **more: Any) -> Any:
        if about == "a new set rule":  # a role of another name: what the real Permit.io may say of a role at all
            return await real(self, about, lambda sdk: sdk.api.condition_set_rules.create(NO_RULE), **more)
        return await real(self, about, call, **more)

    monkeypatch.setattr(PermitClient, "sdk", takes_none)
    with pytest.raises(PermitFault) as caught:
        await seed_permit_io(settings(environment, tmp_path))
    assert re.match(
        r"writing the set rules, .*: dishes#child-can-view .*: a new set rule: 4\d\d: .*no-such-role",
        caught.value.about,
    )
    assert "All the rest is written" in caught.value.hint


async def test_seeding_that_finds_permit_io_busy_says_to_do_it_again(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(_client: PermitClient, about: str, *_args: Any, **_more: Any) -> Any:
        raise PermitFault("permit_busy", about, status=429)

    monkeypatch.setattr(PermitClient, "sdk", busy)
    with pytest.raises(PermitFault) as caught:
        await seed_permit_io(settings(environment, tmp_path))
    assert caught.value.about == "writing the schema: a resource"
    assert caught.value.hint == "Seed again: what is written stays."
