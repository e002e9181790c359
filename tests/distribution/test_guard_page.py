"""Every code block of the guard page is played as printed, from an empty folder and the built library."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import anyio
import pytest
import yaml
from mcp import Client, StdioServerParameters

from permit_mcp.refusals import refusal_in
from tests.distribution.conftest import INSTALL_SECONDS, surroundings, uv
from tests.distribution.test_from_nothing import answer_yes
from tests.support.environment import PROJECT
from tests.support.terminal import Tty

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PAGE = (PROJECT / "docs" / "guard.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
MOST_COMMANDS = 8
AT_A_TERMINAL = "permit-mcp requests watch"


def blocks(language: str) -> list[str]:
    """The code of a language on the page, in its order."""
    return [code for marked, code in BLOCKS if marked == language]


class Shell:
    """A person's shell: what a line changes of its environment, the next one has."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment

    def run(self, line: str) -> str:
        """Run a line; what it prints.

        Raises:
            AssertionError: it failed.
        """
        kept = self.folder.parent / "variables"
        done = subprocess.run(
            ["bash", "-euc", f"{line}\nenv -0 >{kept}"], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        self.environment = dict(pair.split("=", 1) for pair in kept.read_text("utf-8").split("\0") if pair)
        return done.stdout


@pytest.fixture(scope="module")
def shell(shelf: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """At an empty folder, where uv finds the library that was built here."""
    uv("--version")  # without it there is nothing to play
    folder = tmp_path_factory.mktemp("guard") / "empty"
    folder.mkdir()
    return Shell(folder, surroundings(folder, TERM="xterm", LANG="C.UTF-8", **shelf))


def test_its_commands_lead_from_nothing_to_a_held_call_that_runs_after_a_yes(shell: Shell) -> None:
    lines = [line.split("#")[0].strip() for code in blocks("bash") for line in code.splitlines()]
    assert len(lines) <= MOST_COMMANDS
    said = {}
    for step, line in enumerate(lines):
        if line == AT_A_TERMINAL:
            answer_yes(Tty(line, shell.environment, shell.folder))
        else:
            said[step] = shell.run(line)
    first, second = (said[step] for step, line in enumerate(lines) if line == "python agent.py")
    assert "approval_pending" in first
    assert second == "deleted report.txt\n"
    assert not (shell.folder / "files" / "report.txt").exists()
    assert "approval_pending" in shell.run("python agent.py")


def test_its_policy_block_is_the_tools_of_the_policy_that_init_wrote(shell: Shell) -> None:
    (block,) = blocks("yaml")
    policy = shell.folder / "policy.yaml"
    assert yaml.safe_load(block)["tools"] == yaml.safe_load(policy.read_text("utf-8"))["tools"]


async def test_its_python_blocks_one_after_another_are_a_server_that_holds_and_checks(shell: Shell) -> None:
    (shell.folder / "declared.py").write_text("\n".join(blocks("python")), encoding="utf-8")
    server = StdioServerParameters(command="python", args=["declared.py"], env=shell.environment, cwd=shell.folder)
    with anyio.fail_after(120):
        async with Client(server, read_timeout_seconds=60) as agent:
            refused = refusal_in((await agent.call_tool("delete_file", {"name": "another.txt"})).meta)
            assert refused is not None
            assert refused["code"] == "approval_pending"
            assert (await agent.call_tool("export", {})).structured_content == {"result": "exported"}
