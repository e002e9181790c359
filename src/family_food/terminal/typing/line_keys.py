"""What the keys do on the input line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.filters import Filter
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent


class Line(Protocol):
    """What the keys act on."""

    @property
    def asking(self) -> bool:
        """A question stands in place of the input line."""
        ...

    @property
    def guarded(self) -> bool:
        """The question takes no answer yet."""
        ...

    def entered(self) -> None:
        """Enter: the line, or the answer, is complete."""
        ...

    def answer_nothing(self) -> None:
        """Ctrl-C or Ctrl-D at a question."""
        ...

    def interrupted(self) -> None:
        """Ctrl-C at the input line."""
        ...

    def leave(self) -> None:
        """Ctrl-D at the empty input line."""
        ...


def line_keys(line: Line) -> KeyBindings:
    """The bindings, on top of prompt_toolkit's own (Emacs keys, Ctrl-R, bracketed paste)."""
    from prompt_toolkit.filters import Condition, has_focus
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()
    typing = has_focus("DEFAULT_BUFFER")
    asking = Condition(lambda: line.asking)
    _bind_line(keys, line, typing & ~asking)
    _bind_question(keys, line, asking, Condition(lambda: line.guarded))
    return keys


def _bind_line(keys: KeyBindings, line: Line, typing: Filter) -> None:
    from prompt_toolkit.filters import Condition, is_searching
    from prompt_toolkit.search import accept_search

    @Condition
    def empty() -> bool:
        from prompt_toolkit.application import get_app

        return not get_app().current_buffer.text

    @keys.add("enter", filter=typing)
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        menu = buffer.complete_state
        if menu and menu.current_completion and len(menu.completions) > 1:
            buffer.complete_state = None  # one of several is chosen; the next Enter sends it
        elif buffer.document.is_cursor_at_the_end and buffer.text.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.newline(copy_margin=False)
        else:
            line.entered()

    @keys.add("tab", filter=typing)
    def _(event: KeyPressEvent) -> None:
        _complete(event.current_buffer)

    @keys.add("enter", filter=is_searching)
    def _(_: KeyPressEvent) -> None:
        accept_search()
        line.entered()

    @keys.add("escape", "enter", filter=typing)
    @keys.add("escape", "c-j", filter=typing)
    @keys.add("c-j", filter=typing)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    @keys.add("c-c", filter=typing)
    @keys.add("<sigint>", filter=typing)
    def _(_: KeyPressEvent) -> None:
        line.interrupted()

    @keys.add("c-d", filter=typing & empty)
    def _(_: KeyPressEvent) -> None:
        line.leave()


def _complete(buffer: Buffer) -> None:
    """Take the only completion there is at once, or offer several."""
    from prompt_toolkit.completion import CompleteEvent

    menu = buffer.complete_state
    found = (
        menu.completions
        if menu
        else list(buffer.completer.get_completions(buffer.document, CompleteEvent(False, True)))
    )
    if len(found) == 1:
        buffer.apply_completion(found[0])
    elif menu:
        buffer.complete_next()
    else:
        buffer.start_completion(insert_common_part=True)


def _bind_question(keys: KeyBindings, line: Line, asking: Filter, guarded: Filter) -> None:
    from prompt_toolkit.keys import Keys

    nothing: Callable[[KeyPressEvent], None] = lambda _: None  # noqa: E731

    # A question takes one short answer: no history, no completion, no search, no second line, and nothing pasted.
    for name in ("up", "down", "c-p", "c-n", "c-r", "c-s", "tab", "c-q", Keys.BracketedPaste, "c-z"):
        keys.add(name, filter=asking)(nothing)
    keys.add("c-x", "c-e", filter=asking)(nothing)

    @keys.add("enter", filter=asking)
    @keys.add("c-j", filter=asking)
    def _(_: KeyPressEvent) -> None:
        line.entered()

    # Before anything else, and whatever the key: what was typed before the question could be read is no answer.
    keys.add(Keys.Any, filter=asking & guarded, eager=True)(nothing)

    @keys.add("c-c", filter=asking, eager=True)
    @keys.add("<sigint>", filter=asking, eager=True)
    @keys.add("c-d", filter=asking & ~guarded, eager=True)
    def _(_: KeyPressEvent) -> None:
        line.answer_nothing()
