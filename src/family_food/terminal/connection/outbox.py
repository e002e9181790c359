"""What was said and must not be lost with the connection, and must not be said twice either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from family_food.terminal.visible import one_line

Frame = Mapping[str, Any]

_MOST_TRIES = 5  # a message that breaks the connection each time is not tried for ever
_ANSWERS = ("y", "yes", "n", "no")


@dataclass(slots=True)
class _Said:
    text: str
    accepted: bool = False
    tries: int = 1

    @property
    def could_answer(self) -> bool:
        """The server takes these words for the answer to a decision that is open."""
        return self.text.strip().lower() in _ANSWERS

    def frame(self, message_id: str) -> dict[str, Any]:
        return {"type": "message", "message": self.text, "id": message_id}


class Outbox:
    """Messages whose turn has not begun, answers to questions that are still open, and a wish to cancel.

    A message is known to the server by its id, so to send it again is no second message. Where that cannot be known, it is
    not sent again.
    """

    def __init__(self) -> None:
        self._messages: dict[str, _Said] = {}
        self._answers: dict[str, bool] = {}
        self._repeated = 0  # answers sent again, which may turn out to have been taken
        self._cancel = False
        self._cancelled: object = None  # the turn that was to be cancelled; None when it had not begun
        self._turn: object = None
        self._held: list[str] = []
        self._begun_anew = False

    def sending(self, frame: Frame) -> None:
        """Remember a frame that is about to be sent."""
        kind = frame.get("type")
        if kind == "message" and isinstance(frame.get("id"), str):
            self._messages[str(frame["id"])] = _Said(str(frame.get("message")))
        elif kind == "confirm":
            self._answers[str(frame.get("confirm_id"))] = bool(frame.get("answer"))
        elif kind == "cancel":
            self._cancel, self._cancelled = True, self._turn

    def heard(self, frame: Frame) -> bool:
        """Forget what a frame of the server shows to have arrived.

        Returns:
            False when the frame only answers something that was said twice: it is nothing to show.
        """
        kind = frame.get("type")
        if kind == "accepted":
            self._accepted(str(frame.get("message_id")), bool(frame.get("duplicate")))
        elif kind == "turn_start":
            self._turn = frame.get("turn")
            self._messages.pop(str(frame.get("message_id")), None)
        elif kind == "turn_end":
            self._turn, self._cancel = None, False
            self._answers.clear()
        elif kind == "confirm_closed":
            self._answers.pop(str(frame.get("confirm_id")), None)
        elif kind == "error":
            self._messages.pop(str(frame.get("reply_to")), None)
            if frame.get("code") == "no_such_confirm" and self._repeated:
                self._repeated -= 1
                return False
        return True

    def again(self, running: object, *, begun_anew: bool) -> list[dict[str, Any]]:
        """What is to be sent when the session is reached again.

        Args:
            running: the turn that runs there.
            begun_anew: it is another process, which knows only what was stored: not what waited for its turn.
        """
        frames: list[dict[str, Any]] = []
        self._begun_anew = begun_anew
        for message_id, said in self._messages.items():
            if said.accepted and not begun_anew:
                continue
            if said.could_answer and running is not None:  # a question may be open by now that the person has not read
                self._held.append(message_id)
                continue
            said.tries += 1
            frames.append(said.frame(message_id))
        if not begun_anew:
            frames += [{"type": "confirm", "confirm_id": key, "answer": yes} for key, yes in self._answers.items()]
            self._repeated += len(self._answers)
        else:
            self._answers.clear()
        self._cancel = self._cancel and self._cancelled in (None, running) and (running is not None or bool(frames))
        return [*frames, {"type": "cancel"}] if self._cancel else frames

    def released(self) -> list[dict[str, Any]]:
        """What was held back until the turn that ran was over."""
        held, self._held = self._held, []
        return [self._messages[name].frame(name) for name in held if self._turn is None and name in self._messages]

    def give_up(self) -> list[str]:
        """Forget messages that were tried too often.

        Returns:
            One line for each, for the person.
        """
        hopeless = [name for name, said in self._messages.items() if said.tries > _MOST_TRIES and not said.accepted]
        return [_not_sent(self._messages.pop(name).text) for name in hopeless]

    def unsent(self) -> list[str]:
        """One line for each message that may not have arrived, for the person."""
        return [_not_sent(said.text) for said in self._messages.values()]

    def _accepted(self, message_id: str, duplicate: bool) -> None:
        said = self._messages.get(message_id)
        if said is None:
            return
        said.accepted = True
        # Words that answered an open question never become a turn. What is a duplicate to another process was stored,
        # and is when its turn begins.
        if said.could_answer or (duplicate and self._begun_anew):
            del self._messages[message_id]


def _not_sent(text: str) -> str:
    shown = one_line(text)
    return f"This message may not have arrived: {shown[:80]}{'...' if len(shown) > 80 else ''}"
