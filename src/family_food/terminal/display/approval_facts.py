"""A request as whoever decides it is shown it: who, what, at which price, why, and until when."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from family_food.terminal.display.moments import moment
from family_food.terminal.visible import one_line, quoted

View = Mapping[str, Any]

_ORDINALS = {2: "second", 3: "third"}
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def approval_title(verb: str, number: int, total: int | None) -> str:
    """The headline: what is to be decided, and which of how many.

    Args:
        verb: ``approve`` or ``deny``.
        number: from 1.
        total: None when nobody knows how many will be asked about.
    """
    asked = f"{one_line(verb).capitalize()}?" if one_line(verb) else "Request"
    if total is None:
        return asked if number == 1 else f"{asked} (the {_ORDINALS.get(number, f'{number}th')} question of this turn)"
    return f"{asked} ({number} of {total})"


def approval_facts(
    view: View, expires_in: float | None, comment: object = "", now: float | None = None
) -> list[tuple[str, str]]:
    """Names and values, in the order they are read.

    Args:
        view: a request as the server sends it.
        expires_in: seconds for an answer; None when nobody waits for it.
        comment: the reviewer's words to go with the decision.
        now: seconds since 1970; None asks the clock.
    """
    now = time.time() if now is None else now
    facts = [("Who", one_line(view.get("requesting_user"))), ("What", wish(view))]
    facts += _arguments(view) + pinned(view)
    reason = view.get("reason")
    if isinstance(reason, Mapping):
        facts.append(("Reason", quoted(reason.get("text"))))
    if one_line(comment):
        facts.append(("Comment", quoted(comment)))
    left = seconds_left(view.get("expires_at"), now)
    if left is not None:
        facts.append(("Expires", in_words(left)))
    # As long as the request itself lives is nothing to say twice.
    if isinstance(expires_in, int | float) and (left is None or expires_in < left - _MINUTE):
        facts.append(("Answer", f"with{in_words(expires_in)}" if expires_in > 0 else "too late"))
    return [(name, value) for name, value in facts if value]


def call_facts(call: View, expires_in: object) -> list[tuple[str, str]]:
    """Names and values of a call that is asked about, and why it is.

    Args:
        call: as the server sends it; empty when it says nothing of itself.
        expires_in: seconds for an answer.
    """
    told = call.get("facts")
    facts = [
        (one_line(fact.get("name")), one_line(fact.get("value")))
        for fact in (told if isinstance(told, list) else [])
        if isinstance(fact, Mapping)
    ]
    facts = [(name, value) for name, value in facts if value]
    if not facts:
        return []
    if one_line(call.get("price")):
        facts.append(("Price", one_line(call.get("price"))))
    facts.append(("Why", "The assistant has read what others wrote, so it does nothing without your yes."))
    if isinstance(expires_in, int | float):
        facts.append(("Answer", f"with{in_words(expires_in)}" if expires_in > 0 else "too late"))
    return facts


def wish(view: View) -> str:
    """What is asked for, and the id behind the name."""
    name, instance = one_line(view.get("resource_name")), one_line(view.get("resource_instance"))
    what = f"{name} ({instance})" if name and instance and name != instance else name or instance
    if view.get("kind") == "access_request":
        return f"the role {one_line(view.get('role'))} on {what}"
    call = view.get("call")
    if isinstance(call, Mapping):
        return f"one call of {one_line(call.get('tool'))} on {what}"
    operation = one_line(view.get("operation"))
    return f"{operation} {what}, once" if operation else what


def _arguments(view: View) -> list[tuple[str, str]]:
    """What a call would be made with; the names are quoted, so that none passes for one of ours."""
    call = view.get("call")
    arguments = call.get("arguments") if isinstance(call, Mapping) else None
    if not isinstance(call, Mapping) or not isinstance(arguments, Mapping):
        return []
    facts = [(quoted(name), one_line(json.dumps(value, ensure_ascii=False))) for name, value in arguments.items()]
    return facts if call.get("whole") is True else [*facts, ("Note", "long arguments are shortened here")]


def pinned(view: View) -> list[tuple[str, str]]:
    """What was fixed when it was asked, such as the price."""
    attributes = view.get("pinned")
    if not isinstance(attributes, Mapping):
        return []
    facts = []
    for name, value in attributes.items():
        shown = one_line(str(name))
        if shown.endswith("_cents") and isinstance(value, int) and not isinstance(value, bool):
            shown, value = shown.removesuffix("_cents"), f"{value // 100}.{value % 100:02d}"  # noqa: PLW2901
        facts.append((shown.replace("_", " ").capitalize(), one_line(str(value))))
    return facts


def in_words(seconds: float) -> str:
    """A time to come, as a person says it."""
    if not seconds > 0:
        return "already"
    if seconds < 50:
        return f"in {max(1, round(seconds))} seconds" if seconds >= 1.5 else "in a second"
    if seconds < 1.5 * _HOUR:
        minutes = max(1, round(seconds / _MINUTE))
        return "in a minute" if minutes == 1 else f"in {minutes} minutes"
    if seconds < 1.5 * _DAY:
        hours = round(seconds / _HOUR)
        return f"in {hours} hours"
    return f"in {round(min(seconds / _DAY, 10_000))} days"


def seconds_left(expires_at: object, now: float | None = None) -> float | None:
    """Seconds until a time the server tells, negative when it has passed; None when it is no time.

    Args:
        expires_at: ISO 8601.
        now: seconds since 1970; None asks the clock.
    """
    read = moment(expires_at)
    try:
        return None if read is None else read.timestamp() - (time.time() if now is None else now)
    except (OverflowError, ValueError, OSError):  # before the beginning of time, as computers count
        return None
