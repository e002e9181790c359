"""One page of a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from permit_core.errors import InvalidInput

T = TypeVar("T")

# The bound of Permit.io's own API.
MAX_PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """``items`` of page number ``page`` (from 1) out of ``total`` matching things."""

    items: list[T]
    total: int
    page: int
    per_page: int


def page_offset(page: int, per_page: int) -> int:
    """How many rows to skip for this page.

    Raises:
        InvalidInput: ``invalid_page`` when page or per_page is out of range.
    """
    if not (1 <= page <= 1_000_000 and 1 <= per_page <= MAX_PER_PAGE):
        raise InvalidInput(
            f"page must be 1 or more and per_page 1 to {MAX_PER_PAGE}.", code="invalid_page", hint="Ask for page 1."
        )
    return (page - 1) * per_page
