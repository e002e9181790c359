import os
import runpy
from pathlib import Path

import pytest

from permit_core.errors import ConfigurationError
from permit_core.settings import PROJECT, Settings

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ["PERMIT_API_KEY", "PERMIT_PDP_URL", "TENANT", "PROJECT_ID", "ENV_ID", "RESOURCE_KEY",
         "ACCESS_ELEMENTS_CONFIG_ID", "OPERATION_ELEMENTS_CONFIG_ID"]  # fmt: skip


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("ENV_FILE", raising=False)
    monkeypatch.chdir(tmp_path)


def assignments(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))


def test_the_example_file_lists_every_setting_with_its_default() -> None:
    written = runpy.run_path(str(ROOT / "scripts" / "write_settings.py"))
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == written["env_example"]()
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == written["settings_page"]()
    listed = assignments(written["env_example"]())
    assert set(listed) == {name.upper() for name in Settings.model_fields}
    assert set(GUIDE) <= set(listed)


def test_a_copied_example_file_means_the_same_as_no_file(tmp_path: Path) -> None:
    without = Settings.load()
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text(encoding="utf-8"), encoding="utf-8")
    with_file = Settings.load()
    assert with_file.model_dump(exclude={"db_name"}) == without.model_dump(exclude={"db_name"})
    assert with_file.db_name == str(tmp_path / "data" / "family_food.db")


def test_defaults_are_anchored_at_the_checkout() -> None:
    settings = Settings.load()
    assert settings.policy_file == str(PROJECT / "policies" / "family_food.yaml")
    assert settings.db_name == str(PROJECT / "data" / "family_food.db")


def test_relative_paths_are_anchored_at_the_env_file_found_upwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("DB_NAME=here.db\n", encoding="utf-8")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert Settings.load().db_name == str(tmp_path / "here.db")


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
    assert Settings.load().turn_max_steps == Settings.model_fields["turn_max_steps"].default


def test_a_wrong_value_is_named_without_being_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURN_MAX_STEPS", "s3cret-many")
    with pytest.raises(ConfigurationError, match="TURN_MAX_STEPS") as caught:
        Settings.load()
    assert "s3cret-many" not in str(caught.value)


def test_secrets_do_not_show_when_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_KEY", "GEMINI_API_KEY", "PERMIT_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "hunter2-hunter2")
    for name in ("DATABASE_URL", "LOCAL_DATABASE_URL"):
        monkeypatch.setenv(name, "postgresql+asyncpg://joe:hunter2@127.0.0.1/x")
    assert "hunter2" not in repr(Settings.load())


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
        Settings.load()
    assert str(caught.value).startswith(f"settings: {name}: ")
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
