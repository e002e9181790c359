"""``permit-mcp seed`` says what was not taken, in which step, and what to do about it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from permit_mcp.command_line import app
from tests.support.permit_io import SeededPermit


def test_what_is_not_taken_is_said_with_its_step_and_its_remedy(
    permit_io: SeededPermit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in permit_io.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DB_NAME", str(tmp_path / "family.db"))
    monkeypatch.setenv("ACCESS_ELEMENTS_CONFIG_ID", "not a key")
    result = CliRunner().invoke(app, ["seed"])
    assert result.exit_code == 2
    error, remedy = result.stderr.splitlines()
    assert error.startswith("error: Permit.io did not take this. (writing the elements: the element not a key: POST ")
    assert "422: body.key: " in error
    assert remedy == "Make the element by hand, with this key, and seed again: docs/permit-io.md, step 4."
