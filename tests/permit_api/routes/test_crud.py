"""Calls are functions: what they get, in which order, and how they are described."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from types import ModuleType
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import JSONResponse, Response

from permit_api.routes.crud import Calls, verbs_of
from permit_api.shapes.parts import Body, Name

Work = Callable[..., Any]


class Shelf:
    """A gate that takes the shelf of an address, and hands over that."""

    def __init__(self, shelf: str) -> None:
        self._shelf = shelf

    async def read(self, work: Work) -> Response:
        """Answer with what is read."""
        return JSONResponse({"read": work(self._shelf)})

    async def write(self, work: Work, status: int = 200) -> Response:
        """Answer with what is written."""
        return Response(status_code=status) if status == 204 else JSONResponse({"written": work(self._shelf)}, status)


class Book(Body):
    """A book."""

    title: Name


calls = Calls("/shelves/{shelf}/rooms/{room}/books", "Books", Shelf)
books = ModuleType("books")
books.create_book = lambda shelf, room, body: [shelf, room, body.title]  # type: ignore[attr-defined]
books.get_book = lambda shelf, room, book: [shelf, room, book]  # type: ignore[attr-defined]
books.delete_book = lambda shelf, room, book: None  # type: ignore[attr-defined]
calls.crud(verbs_of(books, "book", "create", "get", "delete"), "a book", "book_id", Book, gone=", with its pages")


@calls.reads()
def list_books(shelf: str, /, room: str, reverse: bool = False) -> list[Any]:
    """The books of a room."""
    return [shelf, room, reverse]


@calls.writes("PUT", "/{book_id}/title", 201)
def name_book(shelf: str, /, room: str, book_id: int, body: Book) -> list[Any]:
    """Give a book another title."""
    return [shelf, room, book_id, body.title]


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(calls)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://books") as made:
        yield made


async def test_a_shared_function_gets_what_the_gate_hands_over_then_the_identifiers_then_the_body(
    client: httpx.AsyncClient,
) -> None:
    at = "/shelves/top/rooms/red/books"
    assert (await client.post(at, json={"title": "Emma"})).json() == {"written": ["top", "red", "Emma"]}
    assert (await client.get(f"{at}/7")).json() == {"read": ["top", "red", "7"]}
    assert (await client.delete(f"{at}/7")).status_code == 204
    assert (await client.patch(f"{at}/7", json={})).status_code == 405


async def test_a_decorated_function_reads_its_parameters_from_the_call(client: httpx.AsyncClient) -> None:
    at = "/shelves/top/rooms/red/books"
    assert (await client.get(at, params={"reverse": True})).json() == {"read": ["top", "red", True]}
    named = await client.put(f"{at}/7/title", json={"title": "Emma"})
    assert (named.status_code, named.json()) == (201, {"written": ["top", "red", 7, "Emma"]})
    assert (await client.put(f"{at}/seven/title", json={"title": "Emma"})).status_code == 422
    assert (await client.post(at, json={"name": "Emma"})).status_code == 422


async def test_calls_are_described_by_names_and_sentences(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    one = paths["/shelves/{shelf}/rooms/{room}/books/{book_id}"]
    assert one["delete"]["description"] == "Take a book away, with its pages."
    assert (one["get"]["summary"], one["get"]["tags"]) == ("Get Book", ["Books"])
    assert {each["name"] for each in one["get"]["parameters"]} == {"shelf", "room", "book_id"}
    assert list_books("top", "red") == ["top", "red", False]  # it stays the function that it was


def test_a_verb_that_a_noun_does_not_have_is_refused_at_start() -> None:
    with pytest.raises(AttributeError, match="change_book"):
        verbs_of(books, "book")
