"""The packets between the server and the fork server."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from prefork.wire import MOST_BYTES, Fork, Forked, Message, Ready, Refused, close, receive, send


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        yield one, other


@pytest.mark.parametrize("message", [Ready(), Fork(7, "3|x@y"), Forked(7, 4711), Refused(7, "no memory: ünïcode")])
def test_a_message_arrives_as_it_was_sent(pair: tuple[socket.socket, socket.socket], message: Message) -> None:
    send(pair[0], message)
    assert receive(pair[1]) == (message, [])


def test_descriptors_arrive_with_their_message_and_are_not_inherited(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    reading, writing = os.pipe()
    send(pair[0], Fork(1, "3"), [reading, writing])
    os.close(reading)
    os.close(writing)
    received = receive(pair[1])
    assert received is not None
    _, (reading, writing) = received
    assert not os.get_inheritable(reading)
    assert not os.get_inheritable(writing)
    os.write(writing, b"through")
    assert os.read(reading, 7) == b"through"
    close([reading, writing])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reading)


def test_the_end_is_told_from_a_message(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].close()
    assert receive(pair[1]) is None


@pytest.mark.parametrize(
    "packet",
    [b"hello", b"[]", b"{}", b'{"kind": "Fork"}', b'{"kind": "Fork", "number": 1, "user": "3", "more": 1}', b"\xff"],
)
def test_what_is_not_a_message_is_refused_and_its_descriptors_closed(
    pair: tuple[socket.socket, socket.socket], packet: bytes
) -> None:
    reading, writing = os.pipe()
    socket.send_fds(pair[0], [packet], [writing])
    os.close(writing)
    with pytest.raises(ValueError, match="not a message of the fork server"):
        receive(pair[1])
    assert os.read(reading, 1) == b""  # nobody holds the other end
    os.close(reading)


def test_a_message_that_was_cut_is_refused(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].send(b" " * MOST_BYTES + b'{"kind": "Ready"}')
    with pytest.raises(ValueError, match="not a message of the fork server"):
        receive(pair[1])


def test_a_message_that_is_too_long_is_not_sent(pair: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(ValueError, match="too long"):
        send(pair[0], Fork(1, "3" * MOST_BYTES))


def test_a_peer_that_is_gone_is_an_error(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].close()
    with pytest.raises(BrokenPipeError):
        send(pair[0], Ready())
