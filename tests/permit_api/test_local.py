"""``permit-mcp local``: one command, one port, one key that is shown once."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.databases import PostgresServer
from tests.support.environment import PROJECT, bare_environment
from tests.support.permit_local import LocalServer, answer, exported, running_local

pytestmark = pytest.mark.slow  # each test starts processes

RESOURCE = {
    "key": "doc",
    "name": "Doc",
    "actions": {"read": {}},
    "roles": {"reader": {"name": "R", "permissions": ["read"]}},
}
QUESTION = {"user": {"key": "ann"}, "action": "read", "resource": {"type": "doc", "key": "1", "tenant": "default"}}
READER = {"user": "ann", "role": "reader", "tenant": "default", "resource_instance": "doc:1"}


def base_of(server: LocalServer, key: str) -> str:
    """``PROJECT/ENVIRONMENT`` of a key."""
    with server.client(key) as client:
        scope = answer(client.get("/v2/api-key/scope"))
    return f"{scope['project_id']}/{scope['environment_id']}"


def test_the_first_key_is_shown_once_and_opens_the_server_from_then_on(tmp_path: Path) -> None:
    with running_local(tmp_path) as server:
        key = server.environment_key
        assert exported(server.said, "PERMIT_API_URL") == exported(server.said, "PERMIT_PDP_URL") == server.url
        base = f"{exported(server.said, 'PROJECT_ID')}/{exported(server.said, 'ENV_ID')}"
        assert base_of(server, key) == base
    assert (tmp_path / "permit_local.db").stat().st_mode & 0o077 == 0
    assert key.encode() not in b"".join(file.read_bytes() for file in tmp_path.glob("permit_local.db*"))
    with running_local(tmp_path) as again:
        assert "PERMIT_API_KEY" not in again.said
        assert base_of(again, key) == base


def test_another_key_can_be_had(tmp_path: Path) -> None:
    with running_local(tmp_path) as server:
        first, base = server.environment_key, base_of(server, server.environment_key)
    with running_local(tmp_path, "--new-key", "environment") as again:
        assert again.environment_key != first
        assert base_of(again, first) == base_of(again, again.environment_key) == base


def test_what_one_process_writes_the_other_decides_by_at_once(tmp_path: Path) -> None:
    with running_local(tmp_path) as one, running_local(tmp_path) as two:
        key = one.environment_key
        base = base_of(one, key)
        with one.client(key) as writer, two.client(key) as asker:
            answer(writer.post(f"/v2/schema/{base}/resources", json=RESOURCE))
            answer(writer.post(f"/v2/facts/{base}/users", json={"key": "ann"}))
            assert not answer(asker.post("/allowed", json=QUESTION))["allow"]
            for _ in range(3):
                answer(writer.post(f"/v2/facts/{base}/role_assignments", json=READER))
                assert answer(asker.post("/allowed", json=QUESTION))["allow"]
                answer(writer.request("DELETE", f"/v2/facts/{base}/role_assignments", json=READER), 204)
                assert not answer(asker.post("/allowed", json=QUESTION))["allow"]


def test_a_key_that_one_process_takes_away_opens_nothing_in_the_other(tmp_path: Path) -> None:
    with (
        running_local(tmp_path, "--new-key", "organization") as one,
        running_local(tmp_path) as two,
        one.client() as owner,
        two.client(one.environment_key) as asker,
    ):
        for _ in range(2):
            assert not answer(asker.post("/allowed", json=QUESTION))["allow"]
        found = answer(asker.get("/v2/api-key/scope"))
        keys = answer(owner.get("/v2/api-key"))["data"]
        (mine,) = [key["id"] for key in keys if key.get("environment_id") == found["environment_id"]]
        answer(owner.delete(f"/v2/api-key/{mine}"), 204)
        for _ in range(2):
            assert asker.post("/allowed", json=QUESTION).status_code == 403


def test_what_was_written_is_read_and_verified_by_the_commands_of_the_log(tmp_path: Path) -> None:
    state, folder = str(tmp_path / "state"), tmp_path / "data"
    folder.mkdir()
    with running_local(folder, STATE_DIR=state) as server:
        environment = exported(server.said, "ENV_ID")
        with server.client(server.environment_key) as client:
            answer(client.post(f"/v2/facts/{base_of(server, server.environment_key)}/users", json={"key": "ann"}))
    database = f"sqlite+aiosqlite:///{folder / 'permit_local.db'}"

    def audit(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", "from permit_mcp.command_line import main; main()", "audit", *arguments],
            cwd=PROJECT,
            env=bare_environment(ENV_FILE="", DATABASE_URL=database, STATE_DIR=state, ENVIRONMENT=environment),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout

    assert "signed: up to record 2" in audit("verify")
    started, made = audit("tail").splitlines()
    assert "api.server.started system" in started
    assert "api.users.create_user api_key:" in made
    assert '"key": "ann"' in audit("show", "2")


def test_it_runs_on_postgresql_too(tmp_path: Path, postgres_server: PostgresServer) -> None:
    url = postgres_server.new_database()
    with running_local(tmp_path, LOCAL_DATABASE_URL=url) as server:
        base = base_of(server, server.environment_key)
        with server.client(server.environment_key) as client:
            answer(client.post(f"/v2/schema/{base}/resources", json=RESOURCE))
            answer(client.post(f"/v2/facts/{base}/users", json={"key": "ann", "attributes": {"age": 7}}))
            answer(client.post(f"/v2/facts/{base}/users", json={"key": "ann"}), 409)
            answer(client.post(f"/v2/facts/{base}/role_assignments", json=READER))
            answer(client.post(f"/v2/facts/{base}/role_assignments", json=READER), 409)
            assert answer(client.get(f"/v2/facts/{base}/users", params={"search": "AN"}))["total_count"] == 1
            assert answer(client.post("/allowed", json=QUESTION))["allow"]
            answer(client.delete(f"/v2/schema/{base}/resources/doc"), 204)
            assert answer(client.post("/allowed", json=QUESTION))["debug"]["code"] == "no_such_resource"
            assert answer(client.get(f"/v2/facts/{base}/role_assignments")) == []
            assert answer(client.get("/health"))["status"] == "ok"
    assert not (tmp_path / "permit_local.db").exists()


@pytest.mark.parametrize(
    ("setting", "said"),
    [({}, "cannot listen on 127.0.0.1"), ({"LOCAL_DATABASE_URL": "mysql://nowhere"}, "expected sqlite+aiosqlite")],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, setting: dict[str, str], said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = 0 if setting else taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-c", "from permit_mcp.command_line import main; main()", "local", "--port", str(port)],
            cwd=PROJECT,
            env=bare_environment(ENV_FILE="", DB_NAME=str(tmp_path / "family.db"), **setting),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
