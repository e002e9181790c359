"""Start-up says which setting is missing or wrong, before anything else is done."""

from __future__ import annotations

import builtins
import re
from pathlib import Path
from typing import Any

import pytest

from permit_core.bootstrap import open_core, seed_permit_io
from permit_core.errors import ConfigurationError
from permit_core.settings import Settings
from tests.support.core import family_settings
from tests.support.fake_permit import fake_permit, saying
from tests.support.permit_io import SeededPermit

NOBODY = "http://127.0.0.1:9"


async def refusal(settings: Settings) -> str:
    with pytest.raises(ConfigurationError) as caught:
        await open_core(settings)
    return str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"permit_api_key": "permit_key_nobodys"}, "PERMIT_API_KEY: .*does not accept it"),
        ({"permit_api_url": NOBODY}, "PERMIT_API_URL: .*does not answer at http://127.0.0.1:9"),
        ({"permit_pdp_url": NOBODY}, "PERMIT_PDP_URL: .*does not answer at http://127.0.0.1:9"),
        ({"project_id": "no-such-project"}, "PROJECT_ID or ENV_ID: .*'no-such-project'"),
        ({"env_id": "no-such-environment"}, "PROJECT_ID or ENV_ID: .*'no-such-environment'"),
        ({"tenant": "nowhere"}, "TENANT: Permit.io has no tenant 'nowhere'; set TENANT .*FACTS_FILE"),
        ({"resource_key": "drinks"}, "RESOURCE_KEY: 'drinks' is no type that access is asked for; .*restaurants"),
        ({"resource_key": "orders"}, "RESOURCE_KEY: 'orders' is no type that access is asked for; .*restaurants"),
        ({"resource_key": "__user"}, "RESOURCE_KEY: '__user' is no type that access is asked for; .*restaurants"),
        ({"access_elements_config_id": "none"}, "ACCESS_ELEMENTS_CONFIG_ID: Permit.io has no element 'none'"),
        ({"operation_elements_config_id": "none"}, "OPERATION_ELEMENTS_CONFIG_ID: Permit.io has no element 'none'"),
        (
            {"access_elements_config_id": "dish-requests"},
            "ACCESS_ELEMENTS_CONFIG_ID: .*'dish-requests' is .*approval_management; .*user_management.*access-req",
        ),
        (
            {"access_elements_config_id": "dishes-approval"},
            "ACCESS_ELEMENTS_CONFIG_ID: .*'dishes-approval' is .*operation_approval; expected .* user_management",
        ),
        (
            {"operation_elements_config_id": "restaurant-requests"},
            "OPERATION_ELEMENTS_CONFIG_ID: .*'restaurant-requests' is .*user_management; .*approval_management",
        ),
    ],
)
async def test_a_wrong_setting_is_named_at_the_start(
    permit_io: SeededPermit, tmp_path: Path, wrong: dict[str, str], said: str
) -> None:
    settings = permit_io.ours(tmp_path, **wrong)
    text = await refusal(settings)
    assert re.match(said, text), text
    assert settings.permit_api_key.get_secret_value() not in text


async def test_a_server_of_another_kind_is_named_at_the_start(permit_io: SeededPermit, tmp_path: Path) -> None:
    async with fake_permit(lambda _method, _path: saying({"hello": "world"})) as fake:
        assert (await refusal(permit_io.ours(tmp_path, permit_api_url=fake.url))).startswith("PERMIT_API_URL: ")
        assert (await refusal(permit_io.ours(tmp_path, permit_pdp_url=fake.url))).startswith("PERMIT_PDP_URL: ")


@pytest.mark.parametrize("status", [500, 501, 503])
async def test_an_answer_that_is_an_error_of_the_server_is_not_called_silence(
    permit_io: SeededPermit, tmp_path: Path, status: int
) -> None:
    async with fake_permit(lambda _method, _path: saying({"detail": "no ABAC here"}, status)) as fake:
        for name in ("permit_api_url", "permit_pdp_url"):
            text = await refusal(permit_io.ours(tmp_path, **{name: fake.url}))
            assert text.startswith(f"{name.upper()}: ")
            assert f"answers with {status}" in text
            assert "no ABAC here" in text
            assert "does not answer" not in text


@pytest.mark.parametrize("name", ["permit_api_url", "permit_pdp_url"])
@pytest.mark.parametrize("value", ["", "localhost:7766", "http://", "ftp://x", "http://user:secret@x", "http://x?a=b"])
def test_an_address_that_is_none_is_refused_without_repeating_it(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name.upper()) as caught:
        Settings.load(**{name: value})
    assert "secret" not in str(caught.value)


async def test_project_and_environment_may_be_left_out_or_named_by_key(permit_io: SeededPermit, tmp_path: Path) -> None:
    for project, environment in (("", ""), ("default", "dev")):
        await (await permit_io.core(tmp_path, project_id=project, env_id=environment)).close()


async def test_without_the_sdk_start_up_says_how_to_install_it(
    permit_io: SeededPermit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "permit":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "install permit-mcp[permit]" in await refusal(permit_io.ours(tmp_path))


async def test_without_a_key_there_is_nothing_to_seed(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="PERMIT_API_KEY is not set"):
        await seed_permit_io(family_settings(tmp_path))
