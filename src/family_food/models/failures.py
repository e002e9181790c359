"""What a person is told when a language model fails: the same words for every provider.

Never the key, the address or the body of an answer.
"""

from __future__ import annotations

import math

from family_food.models.port import ModelError

_AGAIN = "Please try again in a moment."
_LONGEST_WAIT = 86_400.0


def unreachable() -> ModelError:
    """No connection came about."""
    return ModelError("model_unavailable", f"The language model cannot be reached. {_AGAIN}")


def broken() -> ModelError:
    """A connection broke."""
    return ModelError("model_unavailable", f"The connection to the language model broke. {_AGAIN}")


def shutting_down() -> ModelError:
    """Our own side is closed."""
    return ModelError("model_unavailable", "The server is shutting down.")


def too_slow() -> ModelError:
    """The provider gave up waiting, or we did."""
    return ModelError("model_timeout", f"The language model took too long to answer. {_AGAIN}")


def unreadable() -> ModelError:
    """The answer is not what the protocol promises."""
    return ModelError("model_malformed", f"The language model's answer could not be read. {_AGAIN}")


def refused_key() -> ModelError:
    """The key is missing, wrong or not allowed this."""
    return ModelError("model_refused_key", "The language model refused the server's API key.")


def of_status(status: int, retry_after: int | None = None) -> ModelError:
    """What an HTTP status of 300 or more means.

    Args:
        status: the status.
        retry_after: whole seconds the provider asks to wait, when it said so.
    """
    match status:
        case 401 | 403:
            return refused_key()
        case 404:
            return ModelError("model_unknown", "The language model that the server is set to use does not exist.")
        case 408 | 504:
            return too_slow()
        case 429:
            when = _AGAIN if retry_after is None else f"Please try again in {_seconds(retry_after)}."
            return ModelError(
                "model_rate_limited", f"The language model is over its limit of requests. {when}", retry_after
            )
    if 400 <= status < 500:
        return ModelError("model_malformed", "The language model did not accept the request.")
    return ModelError("model_unavailable", f"The language model is not available right now. {_AGAIN}")


def wait_of(text: str) -> int | None:
    """Whole seconds, at least one, of a text such as ``2``, ``1.5s`` or ``0s``; None when it is none or absurd."""
    try:
        seconds = float(text.strip().removesuffix("s"))
    except ValueError:
        return None
    return max(1, math.ceil(seconds)) if 0 <= seconds <= _LONGEST_WAIT else None


def _seconds(number: int) -> str:
    return "1 second" if number == 1 else f"{number} seconds"
