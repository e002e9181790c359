"""What google-genai and its transport raise, in our words."""

from __future__ import annotations

import logging
from typing import Any

import httpx2
from google.genai import errors

from family_food.models import failures
from family_food.models.port import ModelError

log = logging.getLogger(__name__)


def translate(error: Exception) -> ModelError:
    """What an exception of a stream means."""
    log.debug("talking to Gemini failed", exc_info=error)
    match error:
        case ModelError():
            return error
        case errors.APIError():
            log.warning("Gemini answered with an error: %s %s", error.code, error.status)
            return _of_service(error)
        case httpx2.ConnectError() | httpx2.ConnectTimeout():
            failure = failures.unreachable()
        case httpx2.TimeoutException():
            failure = failures.too_slow()
        case httpx2.HTTPError():
            failure = failures.broken()
        case _:
            # A body that is not JSON (UnknownApiResponseError), or JSON of another shape: the SDK then stumbles with
            # whatever exception it happens to meet.
            failure = failures.unreadable()
    log.warning("talking to Gemini failed: %s", type(error).__name__)
    return failure


def _of_service(error: errors.APIError) -> ModelError:
    details = _details(error.details)
    # A wrong key is a 400 that gives this reason; 401 and 403 are other ways of not being let in.
    if any(item.get("reason") == "API_KEY_INVALID" for item in details):
        return failures.refused_key()
    # The SDK retries without heeding what the service asks for, so the person is told.
    stated = [str(item["retryDelay"]) for item in details if "retryDelay" in item]
    headers = getattr(error.response, "headers", None) or {}
    waits = [wait for text in [*stated, headers.get("retry-after", "")] if (wait := failures.wait_of(text))]
    return failures.of_status(error.code if isinstance(error.code, int) else 500, waits[0] if waits else None)


def _details(body: Any) -> list[dict[str, Any]]:
    error = body.get("error") if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    return [item for item in details if isinstance(item, dict)] if isinstance(details, list) else []
