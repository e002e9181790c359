"""Query parameters that several routers take."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

Search = Annotated[
    str | None,
    Query(
        max_length=200, description="A text that keys or names contain; with a * at its end, one that they begin with."
    ),
]
Filter = Annotated[str | None, Query(max_length=210, description="An id or a key.")]
Filters = Annotated[list[str], Query(default_factory=list, max_length=100, description="Ids or keys; any of them.")]
