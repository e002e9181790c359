"""Who a call acts for, where requests are told apart by their access tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastmcp import FastMCP
from fastmcp.server.auth.auth import AuthProvider, MultiAuth, RemoteAuthProvider
from fastmcp.server.auth.providers.in_memory import InMemoryOAuthProvider
from fastmcp.server.auth.providers.jwt import JWTVerifier
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from pydantic import AnyHttpUrl

from permit_core.bootstrap import Core
from permit_core.errors import ConfigurationError
from permit_mcp import ByToken, PermitServer, VerifiedToken
from permit_mcp.acting import Acting
from permit_mcp.core_source import CoreSource
from tests.support.http_tools import authenticating_mcp, free_port, over_http, signed_in
from tests.support.token_issuer import TokenIssuer, issuing
from tests.support.tool_servers import audited, make_mcp, refusal_of

ISSUER = "https://id.example"
HERE = "https://files.example/mcp"


@pytest.fixture(scope="module")
def issuer() -> Iterator[TokenIssuer]:
    with issuing() as found:
        yield found


class Verifier:
    """A verifier of the host's own; ``audience`` says which one it compares, if it does."""

    def __init__(self, audience: str = "") -> None:
        self.audience = audience

    async def verify_token(self, token: str) -> AccessToken | None:
        return None


def settings(*, validates: bool | None) -> AuthSettings:
    return AuthSettings(
        issuer_url=AnyHttpUrl(ISSUER), resource_server_url=AnyHttpUrl(HERE), validate_token_resource=validates
    )


@pytest.mark.filterwarnings("ignore:.*validate_token_resource.*")
@pytest.mark.parametrize(("validates", "audience"), [(None, ""), (None, HERE), (False, "")])
async def test_a_verifier_that_does_not_check_the_audience_is_refused_at_construction(
    core: Core, validates: bool | None, audience: str
) -> None:
    mcp = MCPServer("tools", token_verifier=Verifier(audience), auth=settings(validates=validates))
    with pytest.raises(ConfigurationError, match="validate_token_resource"):
        PermitServer(mcp, acting_user=ByToken(), core=core)


@pytest.mark.parametrize(("validates", "audience"), [(True, ""), (False, HERE)])
async def test_one_that_checks_it_is_taken(core: Core, validates: bool, audience: str) -> None:
    mcp = MCPServer("tools", token_verifier=Verifier(audience), auth=settings(validates=validates))
    PermitServer(mcp, acting_user=ByToken(), core=core)


async def test_the_same_holds_for_what_fastmcp_authenticates_with(core: Core) -> None:
    def verifier(audience: str | None) -> JWTVerifier:
        return JWTVerifier(jwks_uri=f"{ISSUER}/keys", issuer=ISSUER, audience=audience)

    def remote(audience: str | None) -> RemoteAuthProvider:
        return RemoteAuthProvider(verifier(audience), [AnyHttpUrl(ISSUER)], base_url=HERE)

    careless: list[AuthProvider] = [
        verifier(None),
        remote(None),
        MultiAuth(verifiers={"a": verifier(HERE), "b": verifier(None)}),
    ]
    for auth in careless:
        with pytest.raises(ConfigurationError, match="audience"):
            PermitServer(FastMCP("tools", auth=auth), acting_user=ByToken(), core=core)
    careful: list[AuthProvider] = [
        verifier(HERE),
        remote(HERE),
        MultiAuth(verifiers={"a": verifier(HERE)}),
        InMemoryOAuthProvider(base_url=HERE),
    ]
    for auth in careful:
        PermitServer(FastMCP("tools", auth=auth), acting_user=ByToken(), core=core)


async def test_unbound_with_authentication_and_by_token_without_it_are_refused_at_construction(
    core: Core, kind: str, issuer: TokenIssuer
) -> None:
    with pytest.raises(ConfigurationError, match="ByToken"):
        PermitServer(authenticating_mcp(kind, issuer, HERE), core=core)
    with pytest.raises(ConfigurationError, match="needs a server that verifies"):
        PermitServer(make_mcp(kind), acting_user=ByToken(), core=core)


def whose(subject: str, issuer: str = ISSUER, client: str = "") -> VerifiedToken:
    return VerifiedToken(issuer, subject, client)


async def acting(core: Core, users: Any, token: VerifiedToken | None) -> str:
    try:
        return (await Acting(CoreSource(core), ByToken(users)).actor(token)).user
    except Exception as error:  # noqa: BLE001 - its code is what is looked at
        return str(getattr(error, "code", error))


async def test_issuer_and_subject_together_are_a_user(core: Core) -> None:
    table = {(ISSUER, "a"): "1", (ISSUER, "b"): "99", ("https://other.example", "c"): "3"}
    assert await acting(core, table, whose("a")) == "1"
    assert await acting(core, table, whose("b")) == "no_such_user"
    for stranger in (whose("c"), whose("a", "https://other.example"), whose("a", ""), whose("", ISSUER), None):
        assert await acting(core, table, stranger) == "not_identified"


async def test_a_function_of_the_hosts_gets_the_verified_token_and_none_means_refused(core: Core) -> None:
    seen: list[Any] = []

    async def find(*given: Any) -> str | None:
        seen.append(given)
        return "3" if given[0].claims.get("email") == "henry@example.com" else None

    known = VerifiedToken(ISSUER, "x", claims={"email": "henry@example.com"})
    assert await acting(core, find, known) == "3"
    assert await acting(core, find, whose("x")) == "not_identified"
    assert await acting(core, lambda _: "4", whose("y")) == "4"
    assert seen == [(known,), (whose("x"),)]


async def test_the_client_of_a_token_is_the_agent_and_a_server_for_one_user_keeps_its_user(core: Core) -> None:
    by_table = Acting(CoreSource(core), ByToken({(ISSUER, "a"): "1"}))
    assert (await by_table.actor(whose("a", client="agent\u202e-7"))).agent == "agent-7"
    assert (await by_table.actor(whose("a"))).agent is None
    assert (await Acting(CoreSource(core), "3").actor(whose("a"))).user == "3"


async def test_unbound_a_request_with_a_token_that_nobody_asked_for_is_refused(core: Core) -> None:
    from permit_core.errors import Forbidden

    with pytest.raises(Forbidden, match="does not tell its callers apart"):
        await Acting(CoreSource(core), None).actor(whose("a"), "1")


@pytest.mark.usefixtures("core")
async def test_two_people_with_two_tokens_on_one_server_see_their_own_tools_and_requests_only(
    core: Core, kind: str, era: str, issuer: TokenIssuer
) -> None:
    port = free_port()
    here = f"http://127.0.0.1:{port}/mcp"
    mcp = authenticating_mcp(kind, issuer, here)
    permit = PermitServer(
        mcp,
        acting_user=ByToken({(issuer.url, "joe"): "1", (issuer.url, "henry"): "3", (issuer.url, "rose"): "4"}),
        core=core,
    )

    @mcp.tool()  # type: ignore[untyped-decorator]
    @permit.open
    async def who() -> str:
        """Say whether the one who asks may read Sushi World."""
        return (await permit.check("read", "restaurants:4")).effect.value

    async with over_http(mcp, port) as url:
        joe, henry, rose = (signed_in(url, issuer.token(name, here), era) for name in ("joe", "henry", "rose"))
        async with joe as parent, henry as child, rose as other:
            theirs = {tool.name for tool in (await child.list_tools()).tools}
            assert "create_access_request" in theirs
            assert "approve_access_request" not in theirs
            assert "approve_access_request" in {tool.name for tool in (await parent.list_tools()).tools}
            asked = {"role": "child-can-view", "reason": "please", "resource_instance": "4"}
            mine = (await child.call_tool("create_access_request", asked)).structured_content
            assert mine is not None
            assert mine["requesting_user"] == "Henry"
            smuggled = await child.call_tool("create_access_request", {**asked, "user_id": "1"})
            assert refusal_of(smuggled)["code"] == "forbidden_argument"
            approve = {"access_request_id": mine["id"], "reviewer_comment": "self service"}
            hidden = await child.call_tool("approve_access_request", approve)
            assert hidden.is_error
            look = {"request_id": mine["id"]}
            assert refusal_of(await other.call_tool("get_request", look))["code"] == "no_such_request"
            seen = (await child.call_tool("get_request", look)).structured_content
            assert seen is not None
            assert seen["status"] == "pending"
            effects = [(await client.call_tool("who", {})).structured_content for client in (parent, child)]
            assert effects == [{"result": "allow"}, {"result": "deny"}]
            await parent.call_tool("approve_access_request", approve)
            assert (await child.call_tool("who", {})).structured_content == {"result": "allow"}
        with pytest.raises(BaseException):  # noqa: B017, PT011 - the SDK wraps the 401
            async with signed_in(url, issuer.token("joe", "https://other.example"), era) as stranger:
                await stranger.list_tools()
        async with signed_in(url, issuer.token("nobody", here), era) as nobody:
            assert (await nobody.list_tools()).tools == []
            assert (await nobody.call_tool("who", {})).is_error
    records = await audited(core, "tool.call")
    assert {record["actor"] for record in records if record["tool"] == "create_access_request"} == {"3"}
