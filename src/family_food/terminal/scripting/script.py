"""One question, one answer, and an exit code that says what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from family_food.terminal.connection.link import Link
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.scripting.asked_turn import AskedTurn
from family_food.terminal.scripting.script_output import ScriptOutput
from family_food.terminal.visible import one_line

_HELLO_SECONDS = 30.0
_LIST_SECONDS = 3.0
_STOP_SECONDS = 3.0  # for the server to say what had been done; it needs up to two

Frame = Mapping[str, Any]


class Script:
    """Asks one question.

    Args:
        link: an open chat.
        output: takes what comes.
        with_requests: also find out which requests the question has led to.
    """

    def __init__(self, link: Link, output: ScriptOutput, *, with_requests: bool = False) -> None:
        self._link = link
        self._output = output
        self._with_requests = with_requests
        self._turn = AskedTurn()
        self._own_name = ""
        self._interrupted = False
        self._reading_ended = False  # nobody reads standard output any more
        self._goodbye = ""
        self._greeted = asyncio.Event()
        self._over = asyncio.Event()
        self._stop = asyncio.Event()  # the turn is to be cancelled
        self._leave = asyncio.Event()  # and nothing more is waited for
        self._listings: dict[str, asyncio.Future[list[Frame]]] = {}
        self._background: set[asyncio.Task[None]] = set()

    async def ask(self, question: str) -> Exit:
        """Ask, and wait for the answer.

        Returns:
            Exit code.

        Raises:
            ChatProblem: the server ended the chat, or was lost.
        """
        listening = asyncio.create_task(self._listen())
        asking = asyncio.create_task(self._ask(question))
        leaving = asyncio.create_task(self._leave.wait())
        tasks: tuple[asyncio.Task[Any], ...] = (asking, listening, leaving)
        try:
            with self._interrupts():
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            next(task for task in tasks if task.done()).result()
        finally:
            tasks = (*tasks, *self._background)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return Exit.INTERRUPTED if self._interrupted else self._turn.exit_code

    async def _ask(self, question: str) -> None:
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                await self._greeted.wait()
        except TimeoutError:
            raise ChatProblem("The server opened the chat but did not greet.", Exit.UNREACHABLE) from None
        before = await self._waiting() if self._with_requests else []
        self._turn.message_id = uuid.uuid4().hex
        await self._link.send(type="message", message=question, id=self._turn.message_id)
        await self._end_of_turn()
        requests = []
        if self._with_requests and self._turn.asked_for_approval and not self._interrupted:
            known = {request.get("id") for request in before}
            requests = [request for request in await self._waiting() if request.get("id") not in known]
        self._output.end(self._turn, self._link.session_id or "", requests)

    async def _end_of_turn(self) -> None:
        """Wait until the turn is over, or has been cancelled and had time to say what it had done."""
        over = asyncio.create_task(self._over.wait())
        stop = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((over, stop), return_when=asyncio.FIRST_COMPLETED)
            if not over.done():
                await self._link.send(type="cancel")
                await asyncio.wait((over,), timeout=_STOP_SECONDS)
        finally:
            over.cancel()
            stop.cancel()
            await asyncio.gather(over, stop, return_exceptions=True)

    async def _listen(self) -> None:
        try:
            async for frame in self._link.frames():
                await self._take(frame)
        except ChatProblem as problem:
            raise ChatProblem(self._goodbye or problem.sentence, problem.exit_code) from problem

    async def _take(self, frame: dict[str, Any]) -> None:
        self._turn.take(frame)
        match frame.get("type"):
            case "hello":
                user = frame.get("user")
                self._own_name = one_line(user.get("name")) if isinstance(user, Mapping) else ""
                self._greeted.set()
            case "confirm":
                await self._link.send(type="confirm", confirm_id=frame.get("confirm_id"), answer=False, unattended=True)
                self._output.aside(f"{one_line(frame.get('content'))} - Not confirmed: nobody is here to be asked.")
            case "token_expiring":
                self._start_renewal()
            case "goodbye":
                self._goodbye = one_line(frame.get("content"))
            case "listing" | "error" if (asked := self._listings.get(str(frame.get("reply_to")))) is not None:
                items = frame.get("items")
                if not asked.done():
                    asked.set_result([one for one in items if isinstance(one, Mapping)] if items else [])
                return
        self._show(frame)
        if self._turn.done:
            self._over.set()

    def _show(self, frame: Frame) -> None:
        if self._reading_ended:
            return
        try:
            self._output.frame(frame, self._turn)
        except BrokenPipeError:  # as if it had been interrupted: what nobody reads need not be said
            self._reading_ended = True
            if not self._turn.done:
                self._stop.set()

    def _start_renewal(self) -> None:
        async def renew() -> None:
            with contextlib.suppress(ChatProblem):  # the end of the token says it once more
                await self._link.renew()

        task = asyncio.create_task(renew())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _waiting(self) -> list[Frame]:
        """The person's own requests that wait for a decision; none when the server does not say."""
        number = f"ask-{uuid.uuid4().hex}"
        answer = self._listings[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(_LIST_SECONDS):
                await self._link.send(type="list", id=number, what="requests", status="pending")
                listed = await answer
        except TimeoutError:
            return []
        return [request for request in listed if request.get("requesting_user") in (self._own_name, None)]

    def _interrupt(self) -> None:
        """Ctrl-C: cancel the turn on the server; a second time leave at once."""
        if self._interrupted or not self._turn.message_id:
            self._leave.set()
        self._interrupted = True
        self._stop.set()

    @contextlib.contextmanager
    def _interrupts(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        before = signal.getsignal(signal.SIGINT)
        try:
            loop.add_signal_handler(signal.SIGINT, self._interrupt)
        except (NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
            yield
            return
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, before)
