"""No request body is larger than a log-in needs, whatever its headers say."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from family_food.chat.body_limit import BodyLimit


async def count(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def post(content: bytes | AsyncIterator[bytes]) -> httpx.Response:
    app = BodyLimit(Starlette(routes=[Route("/", count, methods=["POST"])]), max_bytes=100)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.post("/", content=content)


async def chunks(number: int) -> AsyncIterator[bytes]:
    for _ in range(number):
        yield b"x" * 10


async def test_a_body_within_the_limit_arrives_whole() -> None:
    assert (await post(b"x" * 100)).text == "100"
    assert (await post(chunks(10))).text == "100"
    assert (await post(b"")).text == "0"


async def test_a_body_beyond_it_is_refused_even_in_pieces() -> None:
    assert (await post(b"x" * 101)).status_code == 413
    assert (await post(chunks(11))).status_code == 413
