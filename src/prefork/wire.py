"""What the chat server and the fork server tell each other: one message, with its descriptors, in one packet."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass

MOST_BYTES = 8192
_MOST_DESCRIPTORS = 2


@dataclass(frozen=True, slots=True)
class Ready:
    """From the parent: everything is imported and warm; it can fork from now on."""


@dataclass(frozen=True, slots=True)
class Fork:
    """To the parent: fork a child for ``user``. With the child's socket and the file of its standard error."""

    number: int
    user: str


@dataclass(frozen=True, slots=True)
class Forked:
    """From the parent: the child of request ``number`` lives as process ``pid``. With its pidfd."""

    number: int
    pid: int


@dataclass(frozen=True, slots=True)
class Refused:
    """From the parent: request ``number`` could not be done; the text is for the log."""

    number: int
    why: str


Message = Ready | Fork | Forked | Refused
_KINDS = {kind.__name__: kind for kind in (Ready, Fork, Forked, Refused)}


def send(control: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Send one message; the descriptors stay the caller's to close.

    Raises:
        OSError: the other side is gone, or (BlockingIOError) does not keep up.
        ValueError: the message is too long.
    """
    data = json.dumps({"kind": type(message).__name__, **asdict(message)}).encode()
    if len(data) > MOST_BYTES:
        raise ValueError(f"a message of {len(data)} bytes is too long for the fork server")
    # A peer that is gone is an error to handle, not a signal to die of.
    socket.send_fds(control, [data], list(descriptors), socket.MSG_NOSIGNAL)


def receive(control: socket.socket) -> tuple[Message, list[int]] | None:
    """The next message and its descriptors; None at the end.

    The descriptors are the caller's to close; no program that is started later inherits them.

    Raises:
        OSError: nothing is there (BlockingIOError), or the connection broke.
        ValueError: not a message of ours.
    """
    # Not socket.recv_fds: it does not hand on the flag without which a program started meanwhile inherits them.
    room = socket.CMSG_SPACE(_MOST_DESCRIPTORS * array("i").itemsize)
    data, ancillary, flags, _ = control.recvmsg(MOST_BYTES, room, socket.MSG_CMSG_CLOEXEC)
    descriptors = [number for _, _, packed in ancillary for number in array("i", packed)]
    if not data:
        return None
    try:
        body = json.loads("" if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC) else data)
        return _KINDS[body.pop("kind")](**body), descriptors
    except (KeyError, TypeError, ValueError) as error:
        close(descriptors)
        raise ValueError(f"not a message of the fork server: {error}") from error


def close(descriptors: Sequence[int]) -> None:
    """Close descriptors that came with a message and are not wanted."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
