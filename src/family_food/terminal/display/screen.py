"""What the person sees: every frame of the server in lines, and what goes on now in one line below them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from family_food.terminal.display.answer import Answer
from family_food.terminal.display.approval_facts import approval_facts, approval_title, call_facts, pinned, wish
from family_food.terminal.display.listing_tables import listing_table
from family_food.terminal.display.output import Output
from family_food.terminal.display.page import Page
from family_food.terminal.display.pipe_page import PipePage
from family_food.terminal.display.plain_page import PlainPage
from family_food.terminal.display.rich_page import RichPage
from family_food.terminal.display.tool_lines import ToolLines
from family_food.terminal.display.working import Working
from family_food.terminal.display.wrapping import cells, fitted
from family_food.terminal.visible import one_line, visible, with_hint

Frame = Mapping[str, Any]

_GOES_ON = ("...", "…")  # a status that ends like this tells what is going on, any other what has happened
_MOST_TAIL = 20


class Screen:
    """Shows everything the server says and the program itself. Nothing that is shown is changed later.

    Texts of others are shown without control characters, and never read as markup of a terminal.

    Args:
        interactive: a person sits at a terminal that can do more than lines. If not, and standard output is no terminal
            either, answers alone go to standard output.
        plain: words instead of colours and symbols.
        verbose: also show calls when they begin, all of their arguments, and what is going on.

    Attributes:
        input_line_below: an input line stands below the output.
        showed_error: the server said that something went wrong.
        on_change: called when :attr:`working` has changed for another reason than time.
    """

    def __init__(self, interactive: bool, *, plain: bool = False, verbose: bool = False) -> None:
        self.interactive = interactive
        self.verbose = verbose
        self.input_line_below = False
        self.showed_error = False
        self.on_change: Callable[[], None] = lambda: None
        output = Output("stdout")
        self._page: Page = (
            PipePage(output, Output("stderr"))
            if not interactive and not output.isatty()
            else PlainPage(output)
            if plain or not interactive
            else RichPage(output)
        )
        self._answer: Answer | None = None
        self._in_turn = False
        self._streamed = False  # words of the text that comes have been shown already
        self._missed = False  # frames were lost: the whole text is shown when it comes
        self._lost = False  # the connection, at the moment
        self._greeted = ""
        self._tools = ToolLines()
        self._working = Working()
        self._by_type: dict[str, Callable[[Frame], None]] = {
            "hello": self._hello,
            "turn_start": self._turn_start,
            "text_delta": self._text_delta,
            "text": self._text,
            "status": self._status,
            "tool": self._tool,
            "confirm": lambda _: self._flush(),
            "confirm_closed": lambda frame: self.aside(one_line(frame.get("content"))),
            "notice": lambda frame: self._marked("notice", frame.get("content"), "yellow"),
            "listing": self._listing,
            "decided": self._decided,
            "turn_end": self._turn_end,
            "error": self._error,
            "link": self._link,
        }

    @property
    def plain(self) -> bool:
        """Whether there are only words."""
        return not self._page.animated

    @property
    def working(self) -> str:
        """What goes on now, as one line for the bottom of the screen; empty when nothing does, or nothing may move there.

        It has a wheel and a clock in it: ask for it about ten times a second while it is not empty.
        """
        if not self._page.animated:
            return ""
        held = self._answer.held if self._answer is not None else ""
        calls = self._tools.running
        if self._lost:  # what is begun stands still, as far as anybody here knows
            held, calls = "", []
        return self._working.text(self._page.columns, ascii_only=self._page.ascii, calls=calls, written=held)

    def show(self, frame: Frame) -> None:
        """Show a frame of the server or of the link; one of an unknown type is nothing to see."""
        shower = self._by_type.get(str(frame.get("type")))
        if shower is not None:
            before = self._going_on()
            shower(frame)
            if self._going_on() != before:
                self.on_change()

    def say(self, line: str, style: str = "") -> None:
        """A line of our own making, or text of others; several when it has line breaks.

        Args:
            line: what to say.
            style: of rich: ``bold``, ``dim``, ``yellow``.
        """
        self._page.line(visible(line), style)

    def aside(self, line: str) -> None:
        """A line that may be overlooked."""
        if line:
            self.say(line, "dim")

    def trouble(self, line: str) -> None:
        """A line that must not be overlooked; on stderr when standard output is no terminal."""
        self._marked("trouble", line, "bold red")

    def question(self, frame: Frame, number: int = 1) -> None:
        """A decision or a call to be confirmed, as a ``confirm`` frame tells it.

        Args:
            frame: the frame.
            number: which one of its turn it is, from 1. How many more the assistant will ask for, nobody knows.
        """
        call = frame.get("call")
        if isinstance(call, Mapping):
            self._flush()
            facts = call_facts(call, frame.get("expires_in")) or [("", one_line(frame.get("content")))]
            self._page.panel(approval_title("Shall the assistant do this", number, None), facts)
            return
        view = frame.get("request")
        self.ask_approval(
            view if isinstance(view, Mapping) else {},
            number,
            None,
            frame.get("expires_in"),
            verb=one_line(frame.get("verb")),
            comment=one_line(frame.get("comment")),
            content=one_line(frame.get("content")),
        )

    def ask_approval(
        self,
        view: Frame,
        number: int = 1,
        total: int | None = 1,
        expires_in: float | None = None,
        *,
        verb: str = "",
        comment: str = "",
        content: str = "",
    ) -> None:
        """What a person is about to decide: who, what, price, reason, expiry. The answer is asked for elsewhere.

        Args:
            view: the request as the server sends it.
            number: which one of ``total`` it is.
            total: how many there are; None when nobody knows.
            expires_in: seconds for an answer.
            verb: ``approve`` or ``deny``.
            comment: the reviewer's words to go with it.
            content: the server's own sentence, shown when the request does not say who asks for what.
        """
        self._flush()
        facts = approval_facts(view, expires_in, comment)
        if not {"Who", "What"} <= {name for name, _ in facts}:
            facts = [("", one_line(content)), *(fact for fact in facts if fact[0] not in ("Who", "What"))]
        self._page.panel(approval_title(verb, number, total), [fact for fact in facts if fact[1]])

    def question_prompt(self, frame: Frame) -> str:
        """What the answer to a ``confirm`` frame is typed behind. Of a call it says once more what would be done."""
        call, view = frame.get("call"), frame.get("request")
        if isinstance(call, Mapping):
            price = one_line(call.get("price"))
            terms = f", price {price}" if price else ""
            return self._fitted_prompt(one_line(call.get("sentence")) or one_line(call.get("name")), terms)
        return self.approval_prompt(view if isinstance(view, Mapping) else {}, one_line(frame.get("verb")))

    def approval_prompt(self, view: Frame, verb: str) -> str:
        """What the answer is typed behind; in words it says once more what is decided, in one line."""
        asked = one_line(verb).capitalize()
        if not self.plain or not asked or not wish(view):
            return f"{asked}? [y/N] " if asked else "[y/N] "
        terms = "".join(f", {name.lower()} {value}" for name, value in pinned(view))
        return self._fitted_prompt(f"{asked} {wish(view)}", terms)

    def _fitted_prompt(self, what: str, terms: str) -> str:
        """A question on one line; what does not fit is cut, the terms never."""
        what = f"{what[:1].upper()}{what[1:]}"
        room = self._page.columns - 1 - cells(f"{terms}? [y/N] ")
        if cells(what) > room:
            what = fitted(what, max(room - 3, 1)).rstrip() + "..."
        return f"{what}{terms}? [y/N] "

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table; on a narrow terminal, and in words, row by row.

        Args:
            title: a line above it; may be empty.
            columns: headings.
            rows: cells; anything but text is shown as Python writes it.
        """
        shown = [[one_line(cell if isinstance(cell, str) else str(cell)) for cell in row] for row in rows]
        self._page.table(one_line(title), [one_line(column) for column in columns], shown)

    def echo_queued(self, text: str) -> None:
        """A line that waits for the end of the turn."""
        self._marked("queued", text, "dim", cut=True)

    def echo_said(self, text: str) -> None:
        """What the person said, where the line it was typed in is gone."""
        first, *more = visible(text).strip().split("\n")
        self._page.said("\n".join([f"You: {first}", *(f"     {line}" for line in more)]))

    def conversation_tail(self, entries: Sequence[Frame]) -> None:
        """The end of an earlier conversation, before it goes on.

        Args:
            entries: as they are stored, oldest first: ``user``, ``model``, ``results`` and ``event``.
        """
        self._flush()
        if len(entries) > _MOST_TAIL:
            self.aside(f"({len(entries) - _MOST_TAIL} earlier entries are not shown.)")
        for entry in entries[-_MOST_TAIL:]:
            inner = entry.get("entry")
            self._stored(inner if isinstance(inner, Mapping) else entry)

    def _stored(self, entry: Frame) -> None:
        kind, text = entry.get("kind"), visible(entry.get("text")).strip()
        if kind == "user" and text:
            self.echo_said(text)
        elif kind == "model" and text:
            answer = self._page.answer()
            answer.add(text)
            answer.end()
        elif kind == "results":
            results = entry.get("results")
            for result in results if isinstance(results, list) else []:
                if isinstance(result, Mapping):
                    state = "failed" if result.get("state") == "failed" else "done"
                    told = {"content": result.get("outcome"), "code": result.get("code") or None}
                    line = self._tools.ended({"name": result.get("name"), "state": state, **told})
                    self._page.tool(line, whole=False)

    # Frames

    def _hello(self, frame: Frame) -> None:
        session = one_line(frame.get("session_id"))
        if frame.get("missed"):
            self._flush()
            self._missed = True
            self.aside("Part of what was said meanwhile is lost; the conversation itself is complete.")
        if frame.get("turn") is not None:
            self._in_turn = True
            self._working.begin("thinking")
        elif not self._in_turn or frame.get("missed") or session != self._greeted:
            self._over()  # else the rest of a turn that has ended meanwhile is still to come
        if not (session and session == self._greeted):
            self._greet(frame)
        self._greeted = session
        self._interrupted(frame.get("interrupted"))
        self._page.warm_up()

    def _greet(self, frame: Frame) -> None:
        user, model = frame.get("user"), frame.get("model")
        if visible(frame.get("content")):
            self.say(visible(frame.get("content")), "bold")
        if isinstance(user, Mapping) and isinstance(model, Mapping):
            who = f"Logged in as {one_line(user.get('name'))} ({one_line(user.get('role'))})."
            label = one_line(model.get("label"))
            if model.get("offline"):
                label += ", which is no language model: it answers by rules and nothing leaves this computer"
            self.aside(f"{who} The assistant is: {label}.")
        if frame.get("resumed"):
            self.aside(f"Going on with: {one_line(frame.get('title')) or 'the conversation before'}.")

    def _interrupted(self, told: object) -> None:
        if isinstance(told, Mapping):
            said = one_line(told.get("said"))
            about = f' to "{said}"' if said else ""
            self._marked("notice", f"The answer{about} was cut short when the server stopped.", "yellow")

    def _turn_start(self, frame: Frame) -> None:
        self._flush()
        self._in_turn = True
        self._streamed = self._missed = False
        self._tools.forget()
        self._working.begin("thinking")
        if frame.get("cause") == "continue":
            self.aside("Going on where it was cut short.")

    def _text_delta(self, frame: Frame) -> None:
        content = frame.get("content")
        if self._missed or not isinstance(content, str) or not content:
            return
        if self._answer is None:
            self._answer = self._page.answer()
        self._streamed = True
        self._answer.add(content)

    def _text(self, frame: Frame) -> None:
        if frame.get("confirm_id"):  # the words of a confirm frame again, for clients that know no such frame
            return
        if self._missed or not (frame.get("streamed") and self._streamed):
            self._flush()
            answer = self._page.answer()
            answer.add(frame.get("content"))
            answer.end()
        self._flush()
        self._streamed = self._missed = False

    def _status(self, frame: Frame) -> None:
        content = one_line(frame.get("content"))
        goes_on = content.endswith(_GOES_ON)
        if goes_on and self._working.what:
            self._working.begin(content.rstrip(".… ")[:200].lower())
        if content and (self.verbose or not goes_on):
            self._flush()
            self._marked("status", content, "dim")

    def _tool(self, frame: Frame) -> None:
        self._flush()
        if frame.get("state") == "started":
            call = self._tools.started(frame)
            if self.verbose:
                self._marked("status", call, "dim")
        else:
            self._page.tool(self._tools.ended(frame), whole=self.verbose)

    def _listing(self, frame: Frame) -> None:
        title, columns, rows = listing_table(frame)
        if rows:
            self.table(title, columns, rows)
        else:
            self.aside(f"{title}: none.")
        if frame.get("more"):
            self.aside("There are more.")

    def _decided(self, frame: Frame) -> None:
        content, view = one_line(frame.get("content")), frame.get("request")
        if not content and isinstance(view, Mapping):
            about = f"{one_line(view.get('requesting_user'))}, {one_line(view.get('resource_name'))}"
            content = f"{one_line(view.get('status')).capitalize()}: {about}."
        self._marked("good", content, "green")

    def _turn_end(self, frame: Frame) -> None:
        self._over()
        if self.verbose:
            usage = frame.get("usage")
            tokens = [usage.get("input_tokens"), usage.get("output_tokens")] if isinstance(usage, Mapping) else [0, 0]
            seconds = frame.get("seconds")
            took = f"{seconds:.1f} s" if isinstance(seconds, float | int) else ""
            used = f"{tokens[0]} tokens in, {tokens[1]} out" if any(tokens) else ""
            self.aside(", ".join(part for part in (one_line(frame.get("outcome")), took, used) if part))

    def _error(self, frame: Frame) -> None:
        self._flush()
        self._streamed = False
        self.showed_error = True
        self.trouble(f"Error: {with_hint(frame)}")

    def _link(self, frame: Frame) -> None:
        state, content = frame.get("state"), one_line(frame.get("content"))
        self._lost = state == "lost"
        if self._lost:
            self._working.begin("reconnecting")
        elif self._working.what:
            self._working.begin("thinking")
        self._marked("good" if state == "back" else "notice", content, "dim" if state == "back" else "yellow")

    # The rest

    def _going_on(self) -> tuple[object, ...]:
        return self._working.what, len(self._tools), self._answer is not None

    def _over(self) -> None:
        """No turn runs."""
        self._flush()
        self._in_turn = self._streamed = False
        self._tools.forget()
        self._working.end()

    def _flush(self) -> None:
        """Show what is held, for what comes now comes after it."""
        if self._answer is not None:
            self._answer.end()
            self._answer = None

    def _marked(self, kind: str, text: object, style: str = "", *, cut: bool = False) -> None:
        words = one_line(text)
        if words:
            self._page.marked(kind, words, style, cut=cut)


def at_a_terminal() -> bool:
    """True when a person can be asked here: input and output are both a terminal."""
    try:
        return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):  # closed
        return False
