"""Parameters that several tools have, with the bounds and the words that models read."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from permit_core.page import MAX_PER_PAGE
from permit_core.ports.request import StatusName

Reason = Annotated[
    str,
    Field(
        description="Why, in the words of the person who asks; the reviewer reads it. Ask the person for it and never "
        "make one up.",
        min_length=1,
        max_length=500,
    ),
]
Comment = Annotated[
    str,
    Field(
        description="What the reviewer wants to tell the person who asked; empty for nothing. The reviewer's own "
        "words, never made up.",
        max_length=500,
    ),
]
RequestId = Annotated[
    str,
    Field(
        description="The request's id (req_ and 32 hexadecimal digits), exactly as a list answered it.",
        min_length=1,
        max_length=100,
    ),
]
AnyRequestId = Annotated[
    str,
    Field(
        description="The request's id (req_ and 32 hexadecimal digits), exactly as a list or a refusal gave it.",
        min_length=1,
        max_length=100,
    ),
]
WaitSeconds = Annotated[float, Field(description="How long to wait at most, in seconds.", ge=0, le=20)]
WantedRole = Annotated[str | None, Field(description="Only requests for this role.", max_length=100)]
Status = Annotated[
    StatusName | None,
    Field(description="Only requests that stand like this."),
]
WantedInstance = Annotated[
    str | None,
    Field(description="Only requests about this resource instance, as type:key.", max_length=201),
]
WantedUser = Annotated[
    str | None,
    Field(description="Only requests made by this user: a user's key, or me.", max_length=100),
]
WantedApprover = Annotated[
    str | None,
    Field(description="Only requests that this user may decide and has not made: a user's key, or me.", max_length=100),
]
PageNumber = Annotated[int, Field(description="Which page, from 1.", ge=1, le=1_000_000)]
PerPage = Annotated[int, Field(description="How many entries a page has.", ge=1, le=MAX_PER_PAGE)]
