"""The real programs on Permit.io: a wrong setting stops it with one sentence, and while Permit.io is away nobody comes in."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.support.environment import PROJECT, bare_environment
from tests.support.permit_io import SeededPermit, seeded_permit
from tests.support.server_process import running_server

pytestmark = pytest.mark.slow

WAIT_SECONDS = 60


def test_a_wrong_setting_stops_the_server_with_one_sentence(permit_io: SeededPermit, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "server.py", "--port", "0"],
        cwd=PROJECT,
        env=bare_environment(
            ENV_FILE="", DB_NAME=str(tmp_path / "family.db"), **{**permit_io.environment, "TENANT": "nowhere"}
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert done.returncode != 0
    assert "cannot start: TENANT: Permit.io has no tenant 'nowhere'" in done.stderr
    assert "Traceback" not in done.stderr
    assert permit_io.environment["PERMIT_API_KEY"] not in done.stderr + done.stdout


def test_seeding_what_is_seeded_says_so(permit_io: SeededPermit, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from permit_mcp.command_line import main; main()", "seed"],
        cwd=PROJECT,
        env=bare_environment(ENV_FILE="", DB_NAME=str(tmp_path / "family.db"), **permit_io.environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (
        0,
        "0 changes of the schema, 0 of the facts; Permit.io is as the files say\n",
    )


def test_seed_says_in_one_sentence_what_keeps_it_from_seeding(permit_io: SeededPermit, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from permit_mcp.command_line import main; main()", "seed"],
        cwd=PROJECT,
        env=bare_environment(
            ENV_FILE="",
            DB_NAME=str(tmp_path / "family.db"),
            **{**permit_io.environment, "PERMIT_PDP_URL": "http://127.0.0.1:9"},
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == (
        "error: PERMIT_PDP_URL: the decision point does not answer at http://127.0.0.1:9"
    )


def test_while_permit_io_is_away_nobody_comes_in(tmp_path: Path) -> None:
    (tmp_path / "permit").mkdir()
    with ExitStack() as stays, ExitStack() as goes:
        permit = goes.enter_context(seeded_permit(tmp_path / "permit"))
        server = stays.enter_context(running_server(tmp_path, **permit.environment))
        headers = {"Authorization": f"Bearer {server.token('henry')}"}
        goes.close()
        refreshed = httpx.post(f"{server.url}/token/refresh", headers=headers, timeout=WAIT_SECONDS)
        assert refreshed.status_code == 503
        assert refreshed.json()["detail"] == "Permit.io does not answer. Try again in a moment."
        address = f"{server.url.replace('http', 'ws')}/ws/chat"
        with pytest.raises(InvalidStatus), connect(address, additional_headers=headers):
            pass
        assert "Traceback" not in server.log
