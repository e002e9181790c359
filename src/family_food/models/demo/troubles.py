"""What to say when a call did not succeed."""

from __future__ import annotations

import re

from family_food.models.demo.asks import NO_MORE_CALLS, NO_SUCH_TOOL, UNREADABLE, Trouble
from family_food.models.demo.wording import sentences

# Words for codes whose own message would tell a person too little.
_WORDS = {
    NO_MORE_CALLS: "I have to stop here for now, I have already looked up a lot. Ask me again and I'll carry on.",
    UNREADABLE: "I got an answer that I could not read, so I'd rather not guess. Please try again.",
    "not_confirmed": "All right, it was not confirmed, so nothing was decided. The request stays open.",
}
_NOT_YOURS = "I can't do that for you: looking through requests and deciding them is for parents."
_NOT_HERE = "I can't do that here: the tool for it is not there."
_REVIEWING = re.compile(r"(?:list|approve|deny)_(?:access_request|operation_approval)")
_DOWN = frozenset({"tools_unavailable", "tool_unavailable", "tools_restarted", "tool_timeout", "tool_failed"})
_UNKNOWN_EFFECT = _DOWN | {UNREADABLE, "internal_error", "cancelled", "result_too_large", "interrupted", "no_result"}
_UNKNOWN = frozenset({NO_SUCH_TOOL, "unknown_tool"})
# A hint may be meant for whoever writes the call; a person is not shown names of tools.
_TECHNICAL = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b|\btools?\b", re.IGNORECASE)


def explain(trouble: Trouble) -> str:
    """One or two sentences: what was wrong, and what to do next."""
    if trouble.code == "not_confirmed" and not _REVIEWING.match(trouble.tool):
        return "All right, nothing was done."
    if trouble.code in _WORDS:
        return _WORDS[trouble.code]
    if trouble.code in _UNKNOWN or trouble.message.casefold().startswith("unknown tool"):
        return _NOT_YOURS if _REVIEWING.match(trouble.tool) else _NOT_HERE
    hint = "" if _TECHNICAL.search(trouble.hint) else trouble.hint
    if trouble.code in _DOWN:
        return sentences(
            "Sorry, the kitchen line is not answering just now", trouble.message, hint or "Please try again in a moment"
        )
    return sentences("" if trouble.message else "Sorry, that did not work", trouble.message, hint)


def stops_everything(trouble: Trouble) -> bool:
    """Further calls of the same kind would fail alike."""
    return trouble.code in {NO_MORE_CALLS} | _UNKNOWN | _DOWN


def uncertain(trouble: Trouble) -> bool:
    """The call may have been carried out all the same: nobody heard its answer."""
    return trouble.code in _UNKNOWN_EFFECT
