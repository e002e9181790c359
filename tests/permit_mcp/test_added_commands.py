"""What is installed beside the library: commands that others add, and extras that are not there."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from permit_core.bootstrap import open_core
from permit_core.database import Database
from permit_core.errors import ConfigurationError
from permit_mcp import command_line
from tests.support.core import family_settings

greetings = typer.Typer(help="Greet.")


@greetings.command()
def everybody() -> None:
    """Greet all."""
    typer.echo("hello, all")


def hello(name: str = "you") -> None:
    """Say hello."""
    typer.echo(f"hello, {name}")


def beside(monkeypatch: pytest.MonkeyPatch, **commands: str) -> None:
    """Let these commands be what other distributions add."""
    points = [EntryPoint(name, value, command_line.ADDED) for name, value in commands.items()]
    monkeypatch.setattr(command_line, "entry_points", lambda **chosen: EntryPoints(points).select(**chosen))


def test_a_function_and_a_group_of_another_distribution_are_commands_here(monkeypatch: pytest.MonkeyPatch) -> None:
    beside(monkeypatch, hello=f"{__name__}:hello", greet=f"{__name__}:greetings")
    run = CliRunner().invoke
    assert run(command_line.app, ["hello", "--name", "Joe"]).output == "hello, Joe\n"
    assert run(command_line.app, ["greet"]).output == "hello, all\n"
    shown = run(command_line.app, ["--help"]).output
    assert "Say hello." in shown
    assert shown.index("serve") < shown.index("greet") < shown.index("hello")


def test_a_command_is_loaded_only_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    beside(monkeypatch, broken="no_such_module:command")
    assert CliRunner().invoke(command_line.app, ["policy", "--help"]).exit_code == 0
    assert isinstance(CliRunner().invoke(command_line.app, ["broken"]).exception, ModuleNotFoundError)


def test_the_librarys_own_commands_cannot_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    beside(monkeypatch, policy=f"{__name__}:hello")
    assert "hello" not in CliRunner().invoke(command_line.app, ["policy", "--help"]).output


def test_a_command_that_is_not_installed_is_told_with_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    beside(monkeypatch)
    monkeypatch.setenv("COLUMNS", "200")
    missed = CliRunner().invoke(command_line.app, ["local"])
    assert missed.exit_code == 2
    assert "there is no command 'local' here" in missed.output
    assert "run it in a checkout" in missed.output
    assert "No such command 'nothing'" in CliRunner().invoke(command_line.app, ["nothing"]).output


async def test_a_decision_point_whose_client_is_not_installed_is_told_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "permit_core.decision.opa_client", None)
    with pytest.raises(ConfigurationError, match=r"PDP=opa needs .* install permit-mcp\[opa\]"):
        await open_core(family_settings(tmp_path, pdp="opa"))


def test_a_database_whose_driver_is_not_installed_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(ConfigurationError, match=r"DATABASE_URL needs asyncpg.* install permit-mcp\[postgres\]"):
        Database.open("postgresql+asyncpg://joe@127.0.0.1/x")
