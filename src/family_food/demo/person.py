"""One person of the story: logged in, on a WebSocket of their own, talking to the assistant in plain English."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

from family_food.demo.backend import DemoAccount
from family_food.demo.transcript import Transcript
from family_food.terminal.connection.link import Link
from family_food.terminal.connection.web import log_in
from permit_core.errors import PermitError

Frame = Mapping[str, Any]


class StoryProblem(PermitError):
    """The story did not go as it is told. The text says where."""


@dataclass(frozen=True)
class Turn:
    """Everything the server said between one ``turn_start`` and its ``turn_end``."""

    frames: tuple[Frame, ...]

    @property
    def text(self) -> str:
        """The assistant's words."""
        return "\n".join(f["content"] for f in self.frames if f["type"] == "text" and not f.get("confirm_id"))

    def outcomes(self, tool: str) -> list[tuple[str, str | None]]:
        """How each call of the tool ended: ``("refused", "approval_needed")``."""
        ends = (f for f in self.frames if f["type"] == "tool" and f["name"] == tool and f["state"] != "started")
        return [(f["state"], f.get("code")) for f in ends]

    def did(self, tool: str) -> bool:
        """True when a call of the tool succeeded."""
        return any(state == "done" for state, _ in self.outcomes(tool))

    def result(self, tool: str) -> dict[str, Any] | None:
        """What the last call of the tool in this conversation answered."""
        history: list[dict[str, Any]] = next(
            (f["content"] for f in reversed(self.frames) if f["type"] == "history_update"), []
        )
        responses = (
            part["function_response"]
            for content in reversed(history)
            for part in reversed(content["parts"])
            if "function_response" in part
        )
        return next((dict(answer["response"]) for answer in responses if answer["name"] == tool), None)


class Person:
    """Talks, listens, and answers what only a person can answer.

    Args:
        name: as the family calls them.
        patience: seconds to wait for anything.

    Attributes:
        decide: answers a ``confirm`` frame; without it every question is answered with no.
    """

    def __init__(self, account: DemoAccount, link: Link, transcript: Transcript, patience: float) -> None:
        self.account = account
        self.name = account.username.capitalize()
        self.decide: Callable[[Frame], bool] = lambda _: False
        self._link = link
        self._transcript = transcript
        self._patience = patience
        self._frames: list[Frame] = []
        self._times: list[float] = []
        self._arrived = asyncio.Event()
        self._over: BaseException | None = None

    @classmethod
    @asynccontextmanager
    async def logged_in(
        cls, url: str, account: DemoAccount, transcript: Transcript, patience: float
    ) -> AsyncIterator[Self]:
        """Log in and stay until the body ends.

        Raises:
            ChatProblem: refused, or no server there.
            StoryProblem: the server does not greet.
        """
        grant = await log_in(url, account.username, account.password)
        link = await Link.open(url, grant.token, history=True)
        person = cls(account, link, transcript, patience)
        listening = asyncio.create_task(person._listen())
        try:
            hello = await person.hears("the greeting", lambda frame: frame["type"] == "hello")
            person.name = str(hello["user"]["name"])
            transcript.arrives(person.name, hello)
            yield person
        finally:
            await link.close()
            listening.cancel()
            await asyncio.wait([listening])

    @property
    def heard(self) -> int:
        """How many frames have arrived: a place in time, for :meth:`hears`."""
        return len(self._frames)

    def arrival(self, frame: Frame) -> float:
        """When a frame arrived, in seconds of the monotonic clock."""
        return next(at for at, each in zip(self._times, self._frames, strict=True) if each is frame)

    async def hears(self, what: str, matches: Callable[[Frame], bool], since: int = 0) -> Frame:
        """The first frame from place ``since`` on that matches.

        Raises:
            StoryProblem: none came in time, or the connection ended; ``what`` was waited for.
        """
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    for frame in self._frames[since:]:
                        if matches(frame):
                            return frame
                    since = self.heard
                    if self._over is not None:
                        raise StoryProblem(f"{self.name} was cut off while waiting for {what}: {self._over}")
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise StoryProblem(f"{self.name} waited {self._patience:.0f} seconds in vain for {what}.") from None

    async def says(self, words: str) -> Turn:
        """Say something; returns what came of it."""
        since = self.heard
        self._transcript.says(self.name, words)
        message_id = f"message-{since}"
        await self._link.send(type="message", message=words, id=message_id)
        return await self._turn(f"an answer to {words!r}", lambda frame: frame.get("message_id") == message_id, since)

    async def sees_turn(self, why: str, since: int) -> Turn:
        """The turn that the assistant took by itself, ``since`` then."""
        return await self._turn(why, lambda frame: frame["cause"] == "event", since)

    async def brings_about(self, goal: Callable[[Turn], bool], what: str, words: Iterable[str]) -> Turn:
        """Say one sentence after the other until the goal is reached: language models need a second one at times.

        Raises:
            StoryProblem: it never was.
        """
        for sentence in words:
            turn = await self.says(sentence)
            if goal(turn):
                return turn
        raise StoryProblem(f"{self.name}'s assistant did not come to this: {what}.")

    async def _turn(self, what: str, is_start: Callable[[Frame], bool], since: int) -> Turn:
        start = await self.hears(what, lambda frame: frame["type"] == "turn_start" and is_start(frame), since)
        number = start["turn"]
        begun = next(i for i, frame in enumerate(self._frames) if frame is start)
        end = await self.hears(
            f"the end of {what}", lambda frame: frame["type"] == "turn_end" and frame["turn"] == number, begun
        )
        frames = self._frames[begun : next(i for i, frame in enumerate(self._frames) if frame is end) + 1]
        if end["outcome"] != "completed":
            errors = " ".join(str(frame["content"]) for frame in frames if frame["type"] == "error")
            raise StoryProblem(f"{self.name}'s turn for {what} ended as {end['outcome']}. {errors}")
        return Turn(tuple(frames))

    async def _listen(self) -> None:
        try:
            async for frame in self._link.frames():
                self._frames.append(frame)
                self._times.append(time.monotonic())
                self._transcript.shows(self.name, frame)
                self._arrived.set()
                if frame["type"] == "confirm":
                    answer = self.decide(frame)
                    self._transcript.answers(self.name, answer)
                    await self._link.send(type="confirm", confirm_id=frame["confirm_id"], answer=answer)
        except Exception as error:  # noqa: BLE001 - whoever waits is told
            self._over = error
        finally:
            self._arrived.set()
