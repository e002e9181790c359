"""``confirm: {by: in_client}``: the person at the client is asked by it, and only their yes lets exactly this call run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
from mcp import Client
from mcp.server.mcpserver import AcceptedElicitation, Elicit, ElicitationResult, MCPServer, Resolve
from mcp.types import ElicitResult, InputRequiredResult
from pydantic import BaseModel

from permit_core.bootstrap import Core
from permit_core.ports.request import Request, RequestFilter, RequestKind, RequestStatus
from permit_mcp import PermitServer
from permit_mcp.in_client import KEY
from tests.permit_mcp.test_guard import FACTS, POLICY
from tests.support.tool_servers import ERAS, WAIT_SECONDS, audited, make_mcp, refusal_of, text_of

IN_CLIENT = """\
tools:
  delete_file:
    action: delete
    resource: "files:{name}"
    confirm: {when: always, by: in_client}
"""
YES = ElicitResult(action="accept", content={"yes": True})
NO = ElicitResult(action="accept", content={"yes": False})


@dataclass
class Sitting:
    """A server, and a person at its client who gives one answer to every question."""

    mcp: Any
    core: Core
    ran: list[str]
    era: str
    answer: ElicitResult | None = None
    asked: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        async def ask(context: Any, params: Any) -> ElicitResult:
            self.asked.append(params.message)
            assert self.answer is not None
            return self.answer

        server = self.mcp if isinstance(self.mcp, MCPServer) else self.mcp._mcp_server
        callback = ask if self.answer is not None else None
        async with Client(
            server, mode=self.era, cache=None, read_timeout_seconds=WAIT_SECONDS, elicitation_callback=callback
        ) as client:
            yield client

    async def call(self, name: str = "report.txt", **more: Any) -> Any:
        async with self.client() as client:
            return await client.call_tool("delete_file", {"name": name, **more})

    async def requests(self) -> list[Request]:
        bob = await self.core.directory.actor("default", "default", "bob")
        assert bob is not None
        return (await self.core.approvals.list(bob, RequestKind.CALL, RequestFilter())).items


Seat = Callable[[ElicitResult | None], Sitting]


@pytest.fixture
async def seat(files: Path, kind: str, era: str) -> AsyncIterator[Seat]:
    (files / "policy.yaml").write_text(POLICY + IN_CLIENT + "...\n")
    (files / "facts.yaml").write_text(FACTS)
    mcp = make_mcp(kind)
    permit = PermitServer(mcp, acting_user="bob", policy=files / "policy.yaml", facts=files / "facts.yaml")
    ran: list[str] = []

    async def delete_file(name: str, note: str = "") -> str:
        ran.append(name)
        return f"deleted {name}"

    mcp.tool()(delete_file)
    core = await permit.core()
    yield lambda answer: Sitting(mcp, core, ran, era, answer)
    await permit.close()


async def test_after_the_persons_yes_at_the_client_the_call_runs_once_and_is_on_record(seat: Seat) -> None:
    sitting = seat(YES)
    assert text_of(await sitting.call("a b\u200b.txt", note="x")) == "deleted a b\u200b.txt"
    assert sitting.asked == [
        r'Make this call of delete_file for Bob, once? It acts on files:"a b\u200b.txt", with name = "a b\u200b.txt", '
        r'note = "x".'
    ]
    (request,) = await sitting.requests()
    assert (request.status, request.decided_by, request.by.value) == (RequestStatus.USED, "bob", "in_client")
    await sitting.call("a b\u200b.txt", note="x")
    assert len(sitting.asked) == 2
    outcomes = [record["outcome"] for record in await audited(sitting.core, "tool.call")]
    assert outcomes == (["asked", "ok"] * 2 if sitting.era == "auto" else ["ok"] * 2)


@pytest.mark.parametrize("answer", [NO, ElicitResult(action="decline")])
async def test_a_no_at_the_client_is_a_no_on_record(seat: Seat, answer: ElicitResult) -> None:
    sitting = seat(answer)
    assert refusal_of(await sitting.call())["code"] == "approval_denied"
    assert [request.status for request in await sitting.requests()] == [RequestStatus.DENIED]
    assert sitting.ran == []


@pytest.mark.parametrize(
    "answer", [ElicitResult(action="cancel"), ElicitResult(action="accept", content={"yes": "true"})]
)
async def test_what_is_neither_leaves_the_question_and_says_how_it_is_decided_elsewhere(
    seat: Seat, answer: ElicitResult
) -> None:
    sitting = seat(answer)
    refused = refusal_of(await sitting.call())
    assert refused["code"] == "approval_pending"
    assert f"permit-mcp requests approve {refused['request_id']}" in refused["hint"]
    assert [request.status for request in await sitting.requests()] == [RequestStatus.PENDING]
    assert sitting.ran == []


async def test_a_client_that_cannot_ask_is_told_how_it_is_decided_elsewhere(seat: Seat) -> None:
    sitting = seat(None)
    refused = refusal_of(await sitting.call())
    assert "cannot be asked at the client" in refused["hint"]
    assert f"permit-mcp requests approve {refused['request_id']}" in refused["hint"]
    long = seat(YES)
    assert "cannot be asked at the client" in refusal_of(await long.call("x" * 5_000))["hint"]
    assert (sitting.ran, long.asked) == ([], [])


@pytest.mark.parametrize("era", ["auto"])
async def test_an_answer_counts_for_no_question_but_its_own(seat: Seat) -> None:
    sitting = seat(YES)
    async with sitting.client() as client:
        first = await client.session.call_tool("delete_file", {"name": "a"}, allow_input_required=True)
        assert isinstance(first, InputRequiredResult)
        (key,) = first.input_requests or {}
        for forged in (f"{KEY}req_{'0' * 32}", f"{KEY}"):
            again = await client.session.call_tool(
                "delete_file", {"name": "a"}, input_responses={forged: YES}, allow_input_required=True
            )
            assert isinstance(again, InputRequiredResult)
            assert (again.input_requests or {}).keys() == {key}
        another = await client.session.call_tool(
            "delete_file", {"name": "b"}, input_responses={key: YES}, allow_input_required=True
        )
        assert isinstance(another, InputRequiredResult)
        assert sitting.ran == []
        done = await client.session.call_tool(
            "delete_file", {"name": "a"}, input_responses={key: YES}, allow_input_required=True
        )
        assert not isinstance(done, InputRequiredResult)
        assert sitting.ran == ["a"]


class Sure(BaseModel):
    """What the tool itself wants to know."""

    sure: bool


async def _sure(name: str) -> Elicit[Sure]:
    return Elicit(f"Really {name}?", Sure)


@pytest.mark.parametrize("era", ERAS)
async def test_a_tool_that_asks_something_itself_uses_its_yes_once_and_only_when_it_is_done(
    files: Path, era: str
) -> None:
    once = IN_CLIENT + "    quota: {most: 1, per: 1 day}\n"  # a round in which nothing ran uses nothing up
    (files / "policy.yaml").write_text(POLICY + once + "...\n")
    (files / "facts.yaml").write_text(FACTS)
    mcp = make_mcp("mcp")
    permit = PermitServer(mcp, acting_user="bob", policy=files / "policy.yaml", facts=files / "facts.yaml")
    ran: list[str] = []
    statuses: list[RequestStatus] = []

    @mcp.tool()  # type: ignore[untyped-decorator]
    async def delete_file(name: str, answer: Annotated[ElicitationResult[Sure], Resolve(_sure)]) -> str:
        assert isinstance(answer, AcceptedElicitation)
        ran.append(name)
        return f"deleted {name}"

    async def person(context: Any, params: Any) -> ElicitResult:
        if params.message.startswith("Really"):
            statuses.extend(request.status for request in await sitting.requests())
            return ElicitResult(action="accept", content={"sure": True})
        return YES

    core = await permit.core()
    sitting = Sitting(mcp, core, ran, era)
    try:
        async with Client(
            mcp, mode=era, cache=None, read_timeout_seconds=WAIT_SECONDS, elicitation_callback=person
        ) as client:
            assert text_of(await client.call_tool("delete_file", {"name": "a"})) == "deleted a"
            assert refusal_of(await client.call_tool("delete_file", {"name": "b"}))["code"] == "quota_exceeded"
        # While a client of today asks its person nothing runs, and the yes is not used up.
        assert statuses == [RequestStatus.APPROVED if era == "auto" else RequestStatus.EXECUTING]
        assert ran == ["a"]
        assert [request.status for request in await sitting.requests()] == [RequestStatus.USED]
    finally:
        await permit.close()
