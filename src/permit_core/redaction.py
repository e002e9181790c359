"""Making tool arguments fit for the audit log: no secret, nothing endless, nothing unseen."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import Secret, SecretBytes, SecretStr

from permit_core.views import plain

MASK = "[redacted]"
MAX_TEXT = 500
MAX_ITEMS = 50
MAX_DEPTH = 6
MAX_KEY = 100
_MAX_NUMBER = 2**63

# A name's last word, or its last two, say that the value is a secret: access_token is one, token_count is not.
_SECRET_WORDS = {
    "password", "passwd", "passphrase", "passcode", "pwd", "secret", "secrets", "token", "authorization", "cookie",
    "cookies", "credential", "credentials", "apikey", "otp",
}  # fmt: skip
_SECRET_PAIRS = {"api_key", "private_key", "signing_key", "access_key", "secret_key", "encryption_key", "session_key"}
# A hash or a hint of a password is one too.
_SECRET_BEGINNINGS = {"password", "passwd", "passphrase", "credential", "credentials"}

# What is a secret by its look, inside a longer text: a bearer header, a signed JSON Web Token, a private key as PEM, and
# keys of well-known services, whose makers gave them a beginning of their own to be found by.
_SECRET_TEXT = re.compile(
    r"(?i:\bbearer\s+)\S+"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:sk-[\w-]{20,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|xox[abprs]-[\w-]{10,}|AKIA[A-Z0-9]{16}"
    r"|AIza[\w-]{30,}|permit_key_\w{20,})\b"
)
# The whole run is taken although it turns out to be no token: no beginning within it could be one either, and looking at
# each of them would take the square of its length.
_TOKEN_OR_NONE = re.compile(r"\beyJ[\w-]{8,}(\.[\w-]{8,}\.[\w-]*)?")


def redact(arguments: Mapping[str, Any], *, hide: Collection[str] = (), show: Collection[str] = ()) -> dict[str, Any]:
    """A copy that may be remembered.

    Values of a type that keeps a secret, and values under a name that is one of a secret (password, access_token,
    api_key, authorization, ...), are masked, as are tokens and private keys within texts. What was acted on stays
    readable: ``key`` alone is the name of a thing. Texts are one visible line of at most ``MAX_TEXT`` characters,
    containers have at most ``MAX_ITEMS`` items and ``MAX_DEPTH`` levels. What has no JSON form is named by its type.

    Args:
        arguments: what a tool was called with.
        hide: further names that are secrets, as the tool declares; at any depth.
        show: names that are none, whatever they sound like: what the tool acts on.
    """
    return _Redaction(frozenset(hide), frozenset(show)).mapping(arguments, MAX_DEPTH)


def masked(arguments: Mapping[str, Any], *, hide: Collection[str] = (), show: Collection[str] = ()) -> dict[str, Any]:
    """The same for a person who decides on exactly these: secrets masked, and nothing shortened or cleaned.

    Whoever shows it writes out what cannot be seen.

    Args:
        arguments: JSON values, as of :func:`permit_core.canonical.canonical`, which bounds them.
        hide: as of :func:`redact`.
        show: as of :func:`redact`.
    """
    redaction = _Redaction(frozenset(hide), frozenset(show))
    return {name: redaction.whole(name, value) for name, value in arguments.items()}


@dataclass(frozen=True, slots=True)
class _Redaction:
    hide: frozenset[str]
    show: frozenset[str]

    def whole(self, name: str, value: Any) -> Any:
        if self._is_secret(name):
            return MASK
        if isinstance(value, str):
            return _without_secrets(value)
        if isinstance(value, Mapping):
            return {inner: self.whole(inner, item) for inner, item in value.items()}
        return [self.whole("", item) for item in value] if isinstance(value, list) else value

    def mapping(self, values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        kept = list(values.items())[:MAX_ITEMS]
        clean = {
            _text(str(name), MAX_KEY): MASK if self._is_secret(str(name)) else self._value(item, depth)
            for name, item in kept
        }
        if len(values) > len(kept):
            clean["..."] = f"{len(values) - len(kept)} more"
        return clean

    def _is_secret(self, name: str) -> bool:
        return name not in self.show and (name in self.hide or _sounds_secret(name))

    def _value(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return _text(value, MAX_TEXT)
        if value is None or isinstance(value, bool | int | float):
            return _number(value)
        if isinstance(value, Mapping | list | tuple):
            return self._container(value, depth - 1)
        return MASK if isinstance(value, Secret | SecretStr | SecretBytes) else f"[{type(value).__name__}]"

    def _container(self, value: Mapping[Any, Any] | list[Any] | tuple[Any, ...], depth: int) -> Any:
        if depth <= 0:
            return "[nested too deeply]"
        if isinstance(value, Mapping):
            return self.mapping(value, depth)
        items = [self._value(item, depth) for item in value[:MAX_ITEMS]]
        return items if len(value) <= MAX_ITEMS else [*items, f"{len(value) - MAX_ITEMS} more"]


def _number(value: float | None) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and not -_MAX_NUMBER <= value < _MAX_NUMBER:
        return "[huge number]"
    return value


def _text(text: str, longest: int) -> str:
    """Cut first: cleaning something endless is work without an end."""
    line = _without_secrets(plain(text[: longest * 2]))
    line = line.encode("utf-8", "replace").decode()
    return line if len(line) <= longest and len(text) <= longest * 2 else f"{line[:longest]}…"


def _without_secrets(text: str) -> str:
    text = _TOKEN_OR_NONE.sub(lambda found: MASK if found[1] else found[0], text)
    return _SECRET_TEXT.sub(MASK, text)


@lru_cache(maxsize=1024)
def _sounds_secret(name: str) -> bool:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:MAX_KEY]).lower().replace("-", "_").split("_")
    words = [word for word in words if word]
    ends = {words[-1] if words else "", "_".join(words[-2:])}
    return not (ends.isdisjoint(_SECRET_WORDS | _SECRET_PAIRS) and _SECRET_BEGINNINGS.isdisjoint(words))
