"""The parts of the benchmark: each measures one thing on a running server, and answers its figures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from statistics import mean

import httpx

from benchmarks.figures import Figure, Spawning, percentile
from benchmarks.household import PASSWORD, name_of
from benchmarks.processes import KIB, descriptors_of, memory_of, tree_under
from benchmarks.running_server import SETTLE_SECONDS, RunningServer, stranger
from benchmarks.told_model import WAIT_SECONDS
from benchmarks.window import Heard, Window, window, windows
from benchmarks.yardstick import bare_calls, bare_turns

MOST_SPAWNED = 24
"""Beyond, plain spawning is left out: each interpreter takes 80 MiB and most of a second of a core."""

TURN_TARGETS = {"say": ("no tool", 2.0), "call": ("one tool", 6.0)}
"""What a turn of each kind may take, in milliseconds."""

BARE_CALL_MS = 0.65
"""What a bare MCP call takes on the machine that these targets were set for."""


@dataclass(frozen=True)
class Extent:
    """How much is measured."""

    at_once: Sequence[int] = (1, 8, 24, 100)
    waiting: Sequence[int] = (1, 16, 64)
    alone: int = 10
    rounds: int = 4
    turns: int = 50
    talks: int = 8
    logins: int = 24
    idle: int = 200
    most_spawned: int = MOST_SPAWNED

    def allows(self, count: int, spawning: Spawning) -> bool:
        """Whether so many sessions at once are measured with this kind of spawning."""
        return spawning is Spawning.FORKED or count <= self.most_spawned


QUICK = Extent(at_once=(1, 8, 24), alone=3, rounds=1, talks=2, idle=50, most_spawned=8)


async def opening(server: RunningServer, extent: Extent) -> AsyncIterator[Figure]:
    """From connecting to the first answer, and to the first result of a tool."""
    part, targets = "opening", {1: 50.0, 24: 1000.0}
    for count in extent.at_once:
        if not extent.allows(count, server.spawning):
            continue
        for words, what in (("say", "first answer"), ("call", "first tool result")):
            seconds: list[float] = []
            for _ in range(extent.alone if count == 1 else 1):
                seconds += await asyncio.gather(*(_opened(server, n, words) for n in range(count)))
                await server.without_sessions()
            target = targets.get(count) if words == "say" else None
            named = f"connect to {what}, {count} at once"
            if count == 1:
                yield _ms(part, f"{named}, p50 of {extent.alone}", server, percentile(seconds, 0.5), target)
            else:
                yield _ms(part, f"{named}, p50", server, percentile(seconds, 0.5))
                yield _ms(part, f"{named}, slowest", server, max(seconds), target)


async def _opened(server: RunningServer, number: int, words: str) -> float:
    async with window(server, number) as opened:
        heard = await opened.ask(words)
    return (heard.tool_done or heard.first_text) - opened.opened


async def memory(server: RunningServer, extent: Extent) -> AsyncIterator[Figure]:
    """What a session's process takes after its first tool call, and what all of them share."""
    part, count = "memory", 24 if extent.allows(24, server.spawning) else extent.most_spawned
    async with windows(server, count) as opened:
        await asyncio.gather(*(one.ask("call") for one in opened))
        fork_servers, sessions = tree_under(server.process.pid)
        each = [memory_of(pid) for pid in sessions]
        private, shared = mean(one.private for one in each), mean(one.proportional for one in each)
        yield Figure(part, "a session's process, private", server.spawning, private / KIB / KIB, "MiB")
        yield Figure(part, "a session's process, proportional", server.spawning, shared / KIB / KIB, "MiB", 15.0)
        for pid in fork_servers:
            own = memory_of(pid).proportional / KIB / KIB
            yield Figure(part, "the parent of them all, proportional", server.spawning, own, "MiB")
    await server.without_sessions()


async def waiting(server: RunningServer, extent: Extent) -> AsyncIterator[Figure]:
    """How soon words come from a model that thinks for a second, and how a stranger is served meanwhile."""
    part, targets = "waiting", {16: 1050.0, 64: 1150.0}
    for count in extent.waiting:
        if not extent.allows(count, server.spawning):
            continue
        heard: list[Heard] = []
        async with windows(server, count) as opened:
            await asyncio.gather(*(one.ask("call") for one in opened))
            async with stranger(server) as other:
                for _ in range(extent.rounds):
                    heard += await asyncio.gather(*(one.ask("wait") for one in opened))
        await server.without_sessions()
        firsts = [one.first_text - one.said for one in heard]
        named = f"{count} wait for a model of {WAIT_SECONDS:.0f} s"
        yield _ms(part, f"{named}: first text, p95", server, percentile(firsts, 0.95), targets.get(count))
        yield _ms(part, f"{named}: first text, slowest", server, max(firsts))
        for figure in _stranger(part, named, server, other.seconds, 20.0):
            yield figure


async def turns(server: RunningServer, extent: Extent) -> AsyncIterator[Figure]:
    """What a turn takes beside its model, at the beginning of a conversation and later on.

    Everything is measured in turns, several times, and the quietest time counts: other machines on the same processor
    can make anything slower, and nothing faster.
    """
    part = "turns"
    sockets: list[list[float]] = []
    calls: list[list[float]] = []
    talks: dict[str, list[list[float]]] = {words: [] for words in TURN_TARGETS}
    for _ in range(extent.talks):
        sockets.append(await bare_turns(extent.turns))
        calls.append(await bare_calls(extent.turns))
        for words, times in talks.items():
            times.append(await _talk(server, words, extent.turns))
    bare = _middle(_quietest(calls))
    yield _ms(part, "a bare WebSocket with as many frames, p50", server, _middle(_quietest(sockets)))
    yield _ms(part, "a bare MCP call, p50", server, bare)
    for words, (named, target) in TURN_TARGETS.items():
        seconds = _quietest(talks[words])
        ends = min(10, len(seconds))
        firsts, lasts = [talk[:ends] for talk in talks[words]], [talk[-ends:] for talk in talks[words]]
        yield _ms(part, f"{named}: all {len(seconds)} turns, p50", server, _middle(seconds), target)
        yield _ms(part, f"{named}: all {len(seconds)} turns, p95", server, percentile(seconds, 0.95))
        for which, some in (("first", firsts), ("last", lasts)):
            yield _ms(part, f"{named}: {which} {ends}, p50", server, _middle(_quietest(some)), target)
        at_most = target / BARE_CALL_MS
        yield Figure(part, f"{named}: p50 in bare calls", server.spawning, _middle(seconds) / bare, "calls", at_most)


def _middle(seconds: Sequence[float]) -> float:
    return percentile(seconds, 0.5)


def _quietest(rounds: Sequence[Sequence[float]]) -> Sequence[float]:
    return min(rounds, key=_middle)


async def _talk(server: RunningServer, words: str, count: int) -> list[float]:
    """Seconds of each turn of one conversation."""
    async with window(server, 0) as opened:
        await opened.ask("call")  # the session's process is up
        seconds = [await _turn(opened, words) for _ in range(count)]
    await server.without_sessions()
    return seconds


async def _turn(opened: Window, words: str) -> float:
    """Seconds from the message to the end of its turn; this model takes none of its own."""
    heard = await opened.ask(words)
    return heard.ended - heard.said


async def logins(server: RunningServer, extent: Extent) -> AsyncIterator[Figure]:
    """Many people log in at one moment, and a stranger wants to be served."""
    part, named = "logins", f"{extent.logins} at once"
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=120) as client:

        async def log_in(person: int) -> float:
            began = time.perf_counter()
            answer = await client.post("/token", data={"username": name_of(person), "password": PASSWORD})
            answer.raise_for_status()
            return time.perf_counter() - began

        async with stranger(server) as other:
            seconds = await asyncio.gather(*(log_in(person) for person in range(extent.logins)))
    yield _ms(part, f"{named}: p50", server, percentile(seconds, 0.5))
    yield _ms(part, f"{named}: slowest", server, max(seconds))
    for figure in _stranger(part, named, server, other.seconds, 20.0):
        yield figure


async def idle(server: RunningServer, extent: Extent) -> AsyncIterator[Figure]:
    """Many sessions that nobody uses; and what is left of them when all are closed."""
    part, count = "idle", extent.idle
    if not extent.allows(count, server.spawning):
        return
    async with windows(server, 16) as some:  # what is opened once and kept: connections to the database
        await asyncio.gather(*(one.ask("call") for one in some))
    await server.without_sessions()
    before = descriptors_of(server.process.pid)
    began = time.perf_counter()
    async with windows(server, count):
        await _all_started(server, count)
        yield _ms(part, f"{count} opened, 16 at a time, processes and all", server, time.perf_counter() - began)
        async with stranger(server) as other:
            await asyncio.sleep(1)
        held = tree_under(server.process.pid)[1]
        yield Figure(part, f"{count} open: processes", server.spawning, len(held), "")
        began = time.perf_counter()
    await server.without_sessions()
    yield _ms(part, f"{count} closed, until no process is left", server, time.perf_counter() - began)
    for figure in _stranger(part, f"{count} open", server, other.seconds, 20.0):
        yield figure
    await asyncio.sleep(2)  # pipes to what has ended are closed a moment later
    after = descriptors_of(server.process.pid)
    left = {kind: after[kind] - before[kind] for kind in ("socket", "pipe", "file", "other")}
    yield Figure(part, "left: processes", server.spawning, len(tree_under(server.process.pid)[1]), "", 0.0)
    yield Figure(part, "left: sockets", server.spawning, left["socket"], "", 0.0)
    yield Figure(part, "left: other descriptors", server.spawning, left["pipe"] + left["file"] + left["other"], "", 0.0)


async def _all_started(server: RunningServer, count: int) -> None:
    """A session says hello before its process is up."""
    async with asyncio.timeout(SETTLE_SECONDS):
        while len(tree_under(server.process.pid)[1]) < count:  # noqa: ASYNC110 - a start tells nobody here
            await asyncio.sleep(0.05)


def _ms(part: str, what: str, server: RunningServer, seconds: float, at_most: float | None = None) -> Figure:
    return Figure(part, what, server.spawning, seconds * 1000, "ms", at_most)


def _stranger(part: str, named: str, server: RunningServer, seconds: Sequence[float], at_most: float) -> list[Figure]:
    return [
        _ms(part, f"{named}: a stranger's p50", server, percentile(seconds, 0.5)),
        _ms(part, f"{named}: a stranger's p95", server, percentile(seconds, 0.95), at_most),
        _ms(part, f"{named}: a stranger's longest", server, max(seconds)),
    ]


PARTS = {part.__name__: part for part in (opening, memory, waiting, turns, logins, idle)}
