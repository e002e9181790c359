import os
import runpy
import sys
from pathlib import Path

import pytest

from family_food.settings import ChatSettings
from permit_api.settings import LocalSettings
from permit_core.errors import ConfigurationError
from permit_core.settings import Settings
from tests.support.environment import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ["PERMIT_API_KEY", "PERMIT_PDP_URL", "TENANT", "PROJECT_ID", "ENV_ID", "RESOURCE_KEY",
         "ACCESS_ELEMENTS_CONFIG_ID", "OPERATION_ELEMENTS_CONFIG_ID"]  # fmt: skip


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("ENV_FILE", raising=False)
    monkeypatch.chdir(tmp_path)


def assignments(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))


def test_the_example_file_lists_every_setting_with_its_default() -> None:
    written = runpy.run_path(str(ROOT / "scripts" / "write_settings.py"))
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == written["env_example"]()
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == written["settings_page"]()
    listed = assignments(written["env_example"]())
    assert set(listed) == SETTINGS
    assert set(GUIDE) <= set(listed)


def test_the_example_file_of_the_checkout_means_the_same_as_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    without = ChatSettings.load()
    monkeypatch.setenv("ENV_FILE", str(ROOT / ".env.example"))
    assert ChatSettings.load() == without


def test_the_chat_knows_its_checkout_wherever_it_is_started(tmp_path: Path) -> None:
    (tmp_path / "permit-mcp.env").write_text("POLICY_FILE=other.yaml\n", encoding="utf-8")
    settings = ChatSettings.load()
    assert settings.policy_file == str(ROOT / "policies" / "family_food.yaml")
    assert settings.accounts_file == str(ROOT / "policies" / "family_food.accounts.yaml")
    assert settings.db_name == str(ROOT / "data" / "family_food.db")
    assert settings.resource_key == "restaurants"


@pytest.mark.parametrize("folder", [".", "src/permit_mcp", "docs"])
def test_all_programs_of_the_checkout_share_one_database_and_one_policy(
    monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(ROOT / folder)
    monkeypatch.setenv("ENV_FILE", "")
    library, chat, local = Settings.load(), ChatSettings.load(), LocalSettings.load()
    assert library.model_dump() == chat.model_dump(include=set(Settings.model_fields))
    assert local.resolved_local_database_url == f"sqlite+aiosqlite:///{ROOT / 'data' / 'permit_local.db'}"


def test_what_the_folders_of_a_project_share_is_found_upwards_and_env_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "permit-mcp.env").write_text("POLICY_FILE=policy.yaml\nTENANT=shared\nFACTS_FILE=f.yaml\n", "utf-8")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "a" / ".env").write_text("TENANT=mine\nFACTS_FILE=mine.yaml\n", "utf-8")
    monkeypatch.chdir(below)
    settings = Settings.load()
    assert settings.tenant == "mine"
    assert settings.policy_path == str(tmp_path / "policy.yaml")
    assert settings.facts_file == str(tmp_path / "a" / "mine.yaml")
    assert settings.database_file == tmp_path / "permit.db"


def test_without_a_policy_the_next_step_is_told_and_nothing_is_kept_inside_the_interpreter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    settings = Settings.load()
    with pytest.raises(ConfigurationError, match=r"POLICY_FILE: no policy is named; write POLICY_FILE=policy\.yaml"):
        _ = settings.policy_path
    assert settings.database_file == tmp_path / "share" / "permit-mcp" / "permit.db"
    within = Settings.load(policy_file=str(Path(sys.prefix) / "lib" / "policy.yaml"))
    assert within.database_file == settings.database_file


def test_names_in_the_environment_and_in_programs_are_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("DB_NAME=here.db\nPOLICY_FILE=p.yaml\nFACTS_FILE=f.yaml\n", encoding="utf-8")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    monkeypatch.setenv("POLICY_FILE", "other.yaml")
    settings = Settings.load(facts_file="given.yaml")
    assert settings.db_name == str(tmp_path / "here.db")
    assert settings.policy_file == str(below / "other.yaml")
    assert settings.facts_file == str(below / "given.yaml")


@pytest.mark.parametrize("name", ["  ", "a\0b"])
def test_a_blank_is_no_name_of_a_file(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"POLICY_FILE: .*a file name is needed"):
        Settings.load(policy_file=name)


def test_the_file_can_be_named_or_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("TENANT=found\n", encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "our.env").write_text("TENANT=named\nDB_NAME=our.db\n", encoding="utf-8")
    monkeypatch.setenv("ENV_FILE", "elsewhere/our.env")
    named = Settings.load()
    assert (named.tenant, named.db_name) == ("named", str(tmp_path / "elsewhere" / "our.db"))
    monkeypatch.setenv("ENV_FILE", "")
    assert Settings.load().tenant == "default"


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("TENANT=file\n", encoding="utf-8")
    monkeypatch.setenv("TENANT", "environment")
    assert Settings.load().tenant == "environment"


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURN_MAX_STEPS", "")
    assert ChatSettings.load().turn_max_steps == ChatSettings.model_fields["turn_max_steps"].default


def test_a_wrong_value_is_named_without_being_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURN_MAX_STEPS", "s3cret-many")
    with pytest.raises(ConfigurationError, match="TURN_MAX_STEPS") as caught:
        ChatSettings.load()
    assert "s3cret-many" not in str(caught.value)


def test_secrets_do_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "GEMINI_API_KEY", "PERMIT_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "hunter2-hunter2")
    for name in ("DATABASE_URL", "LOCAL_DATABASE_URL"):
        monkeypatch.setenv(name, "postgresql+asyncpg://joe:hunter2@127.0.0.1/x")
    assert "hunter2" not in repr(ChatSettings.load())
    assert "hunter2" not in repr(LocalSettings.load())


def test_a_database_url_goes_before_a_database_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://u@127.0.0.1/x")
    assert Settings.load().resolved_database_url == "postgresql+asyncpg://u@127.0.0.1/x"
    assert "DATABASE_URL" in os.environ


@pytest.mark.parametrize("blank", [" ", "\n", "\t", "\r\n"])
def test_blanks_around_permits_key_are_not_part_of_it(monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    monkeypatch.setenv("PERMIT_API_KEY", f"{blank}permit_key_abc{blank}")
    assert Settings.load().permit_api_key.get_secret_value() == "permit_key_abc"


@pytest.mark.parametrize("key", ["permit_key_\u00e9t\u00e9", "permit_key abc", "permit_key_\x7fabc", "permit_key\nabc"])
def test_a_key_that_fits_in_no_header_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("PERMIT_API_KEY", key)
    with pytest.raises(ConfigurationError, match=r"PERMIT_API_KEY: .*printable ASCII") as caught:
        Settings.load()
    assert "permit_key" not in str(caught.value)


@pytest.mark.parametrize("name", ["DATABASE_URL", "LOCAL_DATABASE_URL"])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("sqlite:////x.db", "names sqlite; expected sqlite"),
        ("mysql://joe:secret@y/z", "names mysql; expected sqlite"),
        ("postgresql+asyncpg://joe:secret@y:port/z", "cannot be read; expected sqlite"),
        ("secret", "cannot be read; expected sqlite"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_by_the_setting_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str, said: str
) -> None:
    monkeypatch.setenv(name, url)
    with pytest.raises(ConfigurationError) as caught:
        LocalSettings.load()
    assert str(caught.value).startswith(f"settings: {name}: ")
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
