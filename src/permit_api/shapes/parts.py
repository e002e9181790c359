"""What the bodies are made of: keys, texts, JSON objects."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from pydantic_core import PydanticCustomError


class Body(BaseModel):
    """A body, or a part of one: whatever is not named is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def given(self, *names: str) -> dict[str, Any]:
        """What the caller named among ``names`` (all when empty), null meaning to clear; the rest is left alone."""
        sent = self.model_dump(exclude_unset=True)
        return {name: value for name, value in sent.items() if not names or name in names}


def _storable(value: Any) -> Any:
    """Refuse what a database or JSON cannot hold: NUL, lone surrogates, NaN, what is too deep to write."""
    try:
        written = json.dumps(value, ensure_ascii=False, allow_nan=False)
        written.encode()
    except (ValueError, RecursionError):
        raise PydanticCustomError("json", "the value cannot be written as JSON") from None
    if "\\u0000" in written:
        raise PydanticCustomError("json", "the value contains a NUL character")
    return value


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise PydanticCustomError("text", "the text contains a NUL character")
    return value


Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9\-_]+$", max_length=100)]
UserKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9|@+\-\._]+$", max_length=100)]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s\x00]+@[^@\s\x00]+$", max_length=320)]
Name = Annotated[str, StringConstraints(max_length=200), AfterValidator(_no_nul)]
Text = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_no_nul)]
Ident = Annotated[str, StringConstraints(min_length=1, max_length=210), AfterValidator(_no_nul)]
"""An id, a key, or ``type:key``."""
JsonObject = Annotated[dict[str, Any], AfterValidator(_storable)]
