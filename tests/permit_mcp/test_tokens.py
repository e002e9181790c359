"""Which access tokens are taken."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey
from mcp.server.auth.provider import AccessToken

from permit_core.errors import ConfigurationError
from permit_mcp.acting import VerifiedToken
from permit_mcp.tokens import JwksVerifier
from tests.support.token_issuer import TokenIssuer, issuing

HERE = "https://files.example/mcp"


@pytest.fixture
def issuer() -> Iterator[TokenIssuer]:
    with issuing() as found:
        yield found


async def test_a_token_of_the_issuer_for_this_server_is_taken_with_all_it_says(issuer: TokenIssuer) -> None:
    verifier = JwksVerifier(issuer.url, HERE)
    token = await verifier.verify_token(issuer.token("ann", ["https://other.example", HERE], scope="files mail"))
    assert token is not None
    assert (token.subject, token.client_id, token.scopes, token.resource) == ("ann", "agent-7", ["files", "mail"], HERE)
    assert token.claims is not None
    assert token.claims["iss"] == issuer.url
    assert await verifier.verify_token(issuer.token("bob", HERE)) is not None
    assert issuer.asked == 1


async def test_every_other_token_is_refused(issuer: TokenIssuer) -> None:
    verifier = JwksVerifier(issuer.url, HERE)
    past = int(time.time()) - 3600
    stranger = ECKey.generate_key("P-256", {"kid": "one"})
    secret = OctKey.import_key("x" * 32)
    for token in (
        issuer.token("ann", "https://other.example"),
        issuer.token("ann", None),
        issuer.token("ann", HERE, iss="https://elsewhere.example"),
        issuer.token("ann", HERE, exp=past),
        issuer.token("ann", HERE, exp=None),
        issuer.token("ann", HERE, nbf=int(time.time()) + 3600),
        issuer.token("ann", HERE, sub=None),
        issuer.token("", HERE),
        issuer.token("ann", HERE, key=stranger),
        jwt.encode({"alg": "HS256", "kid": "one"}, {"iss": issuer.url, "sub": "ann", "aud": HERE, "exp": 2**33}, secret),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.",
        "nonsense",
        "",
        "x" * 20_000,
    ):  # fmt: skip
        assert await verifier.verify_token(token) is None, token


async def test_a_new_key_of_the_issuers_is_found_but_not_asked_for_again_and_again(
    issuer: TokenIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = JwksVerifier(issuer.url, HERE)
    old = issuer.token("ann", HERE)
    assert await verifier.verify_token(old) is not None
    issuer.turn_key()
    assert await verifier.verify_token(issuer.token("ann", HERE)) is None
    assert issuer.asked == 1
    monkeypatch.setattr("permit_mcp.tokens.AGAIN_SECONDS", 0)
    assert await verifier.verify_token(issuer.token("ann", HERE)) is not None
    assert await verifier.verify_token(old) is None


async def test_without_the_issuers_keys_no_token_is_taken() -> None:
    with issuing() as issuer:
        token = issuer.token("ann", HERE)
    verifier = JwksVerifier(issuer.url, HERE)
    assert await verifier.verify_token(token) is None
    assert await verifier.verify_token(token) is None


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/keys", {"keys": [], "padding": "x" * 1_100_000}),
        ("/.well-known/oauth-authorization-server", {"jwks_uri": "http://elsewhere.example/keys"}),
        ("/.well-known/oauth-authorization-server", {"jwks_uri": "https://[::1/keys"}),
        ("/.well-known/oauth-authorization-server", {"jwks_uri": "https://a:99999999/keys"}),
        ("/.well-known/oauth-authorization-server", {"jwks_uri": 5}),
    ],
    ids=["large", "no https", "no address", "no port", "no text"],
)
async def test_an_issuer_that_answers_nonsense_has_no_keys(
    issuer: TokenIssuer, path: str, page: dict[str, Any]
) -> None:
    issuer.pages[path] = {"issuer": issuer.url, **page}
    assert await JwksVerifier(issuer.url, HERE).verify_token(issuer.token("ann", HERE)) is None


async def test_the_keys_can_be_named(issuer: TokenIssuer) -> None:
    verifier = JwksVerifier(issuer.url, HERE, jwks_uri=f"{issuer.url}/keys")
    assert await verifier.verify_token(issuer.token("ann", HERE)) is not None


@pytest.mark.parametrize(
    ("issuer", "audience"), [("http://id.example", HERE), ("id.example", HERE), ("https://id.example", "files")]
)
def test_what_is_no_safe_url_is_refused_at_construction(issuer: str, audience: str) -> None:
    with pytest.raises(ConfigurationError):
        JwksVerifier(issuer, audience)


@pytest.mark.parametrize(
    ("claims", "identity"),
    [
        ({"iss": "https://id.example", "sub": "7"}, ("https://id.example", "7")),
        ({"iss": "https://id.example", "sub": 7}, ("https://id.example", "")),
        ({"iss": ["https://id.example"], "sub": True}, ("", "")),
        ({}, ("", "")),
    ],
)
def test_a_subject_that_is_no_text_is_no_one_whatever_another_verifier_takes(
    claims: dict[str, Any], identity: tuple[str, str]
) -> None:
    token = VerifiedToken.of(AccessToken(token="t", client_id="c", scopes=[], claims=claims))
    assert (token.issuer, token.subject) == identity
