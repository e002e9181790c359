"""What people may write in a request, and the ids they may name. Checked before anything is looked up."""

from __future__ import annotations

import re
import secrets

from permit_core.access import OBJECT_KEY, USER_KEY, ResourceRef
from permit_core.errors import InvalidInput
from permit_core.ports.request import RequestFilter
from permit_core.views import plain

REASON_CHARACTERS = 500
COMMENT_CHARACTERS = 500
NAME_CHARACTERS = 400  # what the columns of the table hold

_ID = re.compile(r"req_[0-9a-f]{32}\Z")
_RAW_CHARACTERS = 5_000  # longer texts are refused unread


def new_request_id() -> str:
    """An unguessable id: 128 random bits."""
    return f"req_{secrets.token_hex(16)}"


def checked_id(request_id: str) -> str:
    """The id, when it has the form of one.

    Raises:
        InvalidInput: ``invalid_id``. The text is not repeated: it may be anything.
    """
    if not _ID.match(request_id):
        raise InvalidInput(
            "That is not a request id.",
            code="invalid_id",
            hint="Use an id from a list, req_ and 32 hexadecimal digits.",
        )
    return request_id


def checked_instance(resource: ResourceRef) -> ResourceRef:
    """The resource, when it names one instance.

    Raises:
        InvalidInput: ``invalid_resource``.
    """
    if resource.key is None or not (OBJECT_KEY.match(resource.type) and OBJECT_KEY.match(resource.key)):
        raise InvalidInput(
            "That does not name one resource instance.", code="invalid_resource", hint="Name it as type:key."
        )
    return resource


def checked_filter(wanted: RequestFilter) -> RequestFilter:
    """The filter, when its keys have the form of keys.

    Raises:
        InvalidInput: ``invalid_filter``.
    """
    keys = [(wanted.user, USER_KEY), (wanted.approver, USER_KEY), (wanted.role, OBJECT_KEY)]
    if wanted.resource is not None:
        keys += [(wanted.resource.type, OBJECT_KEY), (wanted.resource.key, OBJECT_KEY)]
    if not all(key is None or form.match(key) for key, form in keys):
        raise InvalidInput(
            "That is not something to filter by.",
            code="invalid_filter",
            hint="Users, roles and resource instances are named by their keys.",
        )
    return wanted


def checked_reason(text: str) -> str:
    """The reason as one line of visible characters.

    Raises:
        InvalidInput: ``invalid_reason`` when nothing visible is left or it is too long.
    """
    reason = _line(text)
    if not reason or len(reason) > REASON_CHARACTERS:
        raise InvalidInput(
            f"A reason of 1 to {REASON_CHARACTERS} characters is needed.",
            code="invalid_reason",
            hint="Say in a sentence or two why it is wanted; the reviewer reads it.",
        )
    return reason


def checked_comment(text: str) -> str:
    """The comment as one line of visible characters; it may be empty.

    Raises:
        InvalidInput: ``invalid_comment`` when it is too long.
    """
    comment = _line(text)
    if len(comment) > COMMENT_CHARACTERS:
        raise InvalidInput(
            f"A comment has at most {COMMENT_CHARACTERS} characters.", code="invalid_comment", hint="Shorten it."
        )
    return comment


def _line(text: str) -> str:
    return text[:_RAW_CHARACTERS] if len(text) > _RAW_CHARACTERS else plain(text)
