"""``permit-mcp serve --http``, and the example of two people on one server: real processes, real HTTP, real tokens."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
import pytest

from tests.support.environment import PROJECT
from tests.support.http_tools import free_port, signed_in
from tests.support.token_issuer import TokenIssuer, issuing
from tests.support.tool_servers import refusal_of, text_of
from tests.support.typescript_client import play

pytestmark = pytest.mark.slow

START_SECONDS = 60
POLICY = """\
version: 2
name: Rooms
user_attributes:
  token_issuer: {type: string}
  token_subject: {type: string}
resources:
  rooms:
    name: Rooms
    actions: [read, review]
    roles:
      guest: {name: Guest, permissions: [read]}
      host: {name: Host, permissions: [read, review]}
roles:
  asker: {name: Asker, tools: [create_access_request, list_access_requests]}
  decider: {name: Decider, tools: [list_access_requests, approve_access_request]}
access_requests:
  - {resource: rooms, role: guest, asked_by: [asker], review_action: review, pending_expires: 1 day}
...
"""
FACTS = """\
tenants: [{{key: default, name: House}}]
users:
  - {{key: ann, first_name: Ann, attributes: {{token_issuer: "{issuer}", token_subject: "sub-ann"}}}}
  - {{key: ben, first_name: Ben, attributes: {{token_issuer: "{issuer}", token_subject: "sub-ben"}}}}
  - {{key: twin1, first_name: Tom, attributes: {{token_issuer: "{issuer}", token_subject: "sub-twin"}}}}
  - {{key: twin2, first_name: Tim, attributes: {{token_issuer: "{issuer}", token_subject: "sub-twin"}}}}
resource_instances: [{{resource: rooms, key: attic}}]
role_assignments:
  - {{user: ann, role: asker}}
  - {{user: twin1, role: asker}}
  - {{user: twin2, role: asker}}
  - {{user: ben, role: decider}}
  - {{user: ben, role: host, resource_instance: "rooms:attic"}}
"""


@pytest.fixture(scope="module")
def issuer() -> Iterator[TokenIssuer]:
    with issuing() as found:
        yield found


@asynccontextmanager
async def process(folder: Path, port: int, *arguments: str) -> AsyncIterator[str]:
    """A server in a process of its own, once it answers."""
    environment = {
        **{name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("COVERAGE_")},
        "ENV_FILE": "",
        "DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'permit.db'}",
        "POLICY_FILE": str(folder / "policy.yaml"),
        "FACTS_FILE": str(folder / "facts.yaml"),
        "RESOURCE_KEY": "rooms",
        "LOG_LEVEL": "ERROR",
        "PYTHONPATH": str(PROJECT / "src"),
    }
    url = f"http://127.0.0.1:{port}/mcp"
    with (folder / "log").open("w") as log:
        running = subprocess.Popen([sys.executable, *arguments], env=environment, cwd=folder, stdout=log, stderr=log)
    try:
        with anyio.fail_after(START_SECONDS):
            async with httpx2.AsyncClient() as http:
                while True:
                    assert running.poll() is None, (folder / "log").read_text()
                    try:
                        assert (await http.post(url, json={})).status_code == 401
                        break
                    except httpx2.TransportError:
                        await anyio.sleep(0.05)
        yield url
    finally:
        running.terminate()
        running.wait(START_SECONDS)


async def test_the_built_in_tools_serve_whoever_the_directory_says_a_token_belongs_to(
    tmp_path: Path, issuer: TokenIssuer
) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "facts.yaml").write_text(FACTS.format(issuer=issuer.url))
    port = free_port()
    address = f"127.0.0.1:{port}"
    serve = ["-m", "permit_mcp.command_line", "serve", "--http", address, "--issuer", issuer.url]
    async with process(tmp_path, port, *serve) as url:
        ann, ben = issuer.token("sub-ann", url), issuer.token("sub-ben", url)
        async with signed_in(url, ann, "auto") as asker, signed_in(url, ben, "legacy") as decider:
            assert "approve_access_request" not in {tool.name for tool in (await asker.list_tools()).tools}
            wish = {"role": "guest", "reason": "a nap", "resource_instance": "rooms:attic"}
            asked = (await asker.call_tool("create_access_request", wish)).structured_content
            assert asked is not None
            assert asked["requesting_user"] == "Ann"
            yes = {"access_request_id": asked["id"]}
            assert (await asker.call_tool("approve_access_request", yes)).is_error
            approved = (await decider.call_tool("approve_access_request", yes)).structured_content
            assert approved is not None
            assert approved["status"] == "approved"
            seen = (await asker.call_tool("wait_for_request", {"request_id": asked["id"]})).structured_content
            assert seen is not None
            assert seen["status"] == "approved"
        async with signed_in(url, issuer.token("sub-twin", url), "auto") as ambiguous:
            assert (await ambiguous.list_tools()).tools == []
        calls = [{"name": "list_access_requests", "arguments": {"status": "Approved"}}]
        played = await play({"url": url, "token": ann}, calls)
        assert played["answers"][0]["meta"]["permit/refusal"]["code"] == "invalid_arguments"


async def test_the_example_serves_two_people_by_their_tokens(tmp_path: Path, issuer: TokenIssuer) -> None:
    example = PROJECT / "examples" / "two_people"
    port = free_port()
    (tmp_path / "policy.yaml").write_text("")
    async with process(tmp_path, port, str(example / "server.py"), f"127.0.0.1:{port}", issuer.url) as url:
        ann, ben = issuer.token("ann@example.com", url), issuer.token("ben@example.com", url)
        async with signed_in(url, ann, "auto") as editor, signed_in(url, ben, "auto") as reader:
            assert {tool.name for tool in (await editor.list_tools()).tools} == {"read_notes", "write_note"}
            assert {tool.name for tool in (await reader.list_tools()).tools} == {"read_notes"}
            assert text_of(await editor.call_tool("write_note", {"text": "milk"})) == "written"
            assert text_of(await reader.call_tool("read_notes", {})) == "milk"
            assert (await reader.call_tool("write_note", {"text": "beer"})).is_error
            wrong = await editor.call_tool("write_note", {"text": 5})
            assert refusal_of(wrong)["code"] == "invalid_arguments"
        played = await play({"url": url, "token": ben})
        assert played["tools"] == ["read_notes"]
        assert played["answers"][0]["structured"] == {"result": ["milk"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--http", "127.0.0.1:1"], "belong together"),
        (["--issuer", "https://id.example"], "belong together"),
        (["--resource", "https://x.example"], "is for --http"),
        (["--http", "h:1", "--issuer", "https://id.example", "--acting-user", "1"], "leave --acting-user out"),
        (["--http", "nonsense", "--issuer", "https://id.example"], "is not HOST:PORT"),
        (["--http", "127.0.0.1:9", "--issuer", "http://id.example"], "must be https"),
    ],
)
def test_what_cannot_be_served_is_said_at_the_start(arguments: list[str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "permit_mcp.command_line", "serve", *arguments],
        env={**os.environ, "ENV_FILE": "", "COLUMNS": "200"}, capture_output=True, text=True, timeout=START_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr
