"""Arguments of held calls, unreadable for whoever has the database alone.

AES-256-GCM from ``cryptography``. The key is a file in the state folder of the account that runs the program, never beside
the database. Each text is bound to its request, so that it cannot be put into another row.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from permit_core.canonical import canonical, parse_arguments
from permit_core.errors import Unavailable

KEY_FILE = "held-calls.key"
KEY_BYTES = 32

_MARK_BYTES = 4  # says which key, so that a lost key is told from a damaged text
_NONCE_BYTES = 12
_HEAD_BYTES = _MARK_BYTES + _NONCE_BYTES


class Sealed(NamedTuple):
    """What was kept of a call: its arguments, and these with secrets masked; None where that was not kept yet."""

    arguments: dict[str, Any]
    shown: dict[str, Any] | None


class Seal:
    """Encrypts and decrypts arguments.

    Args:
        key: gives the 32 bytes of the key, read when the first call is held.
    """

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._read_key = key
        self._key: bytes | None = None

    def close(self, request_id: str, arguments: Mapping[str, Any], shown: Mapping[str, Any]) -> bytes:
        """The arguments, encrypted for this request, and what whoever decides is shown of them.

        Raises:
            InvalidInput: ``not_canonical``.
            Unavailable: ``no_key``.
        """
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # slow to import, and most calls are not held

        key, nonce = self._kept_key(), os.urandom(_NONCE_BYTES)
        lines = canonical(arguments), canonical(shown)
        return _mark(key) + nonce + AESGCM(key).encrypt(nonce, b"\n".join(lines), request_id.encode())

    def open(self, request_id: str, sealed: bytes) -> Sealed:
        """What was encrypted for this request.

        Raises:
            Unavailable: ``arguments_unreadable``: the key is another one, or the text is damaged or of another request.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self._kept_key()
        mark, nonce, hidden = sealed[:_MARK_BYTES], sealed[_MARK_BYTES:_HEAD_BYTES], sealed[_HEAD_BYTES:]
        if mark != _mark(key) or len(nonce) != _NONCE_BYTES:
            raise _unreadable()
        try:
            text = AESGCM(key).decrypt(nonce, hidden, request_id.encode())
        except InvalidTag as error:
            raise _unreadable() from error
        arguments, _, shown = text.partition(b"\n")  # a canonical form is one line
        return Sealed(parse_arguments(arguments), parse_arguments(shown) if shown else None)

    def _kept_key(self) -> bytes:
        if self._key is None:
            try:
                key = self._read_key()
            except OSError as error:
                raise Unavailable(
                    "The key for the arguments of held calls cannot be read.",
                    code="no_key",
                    hint="The operator finds the file in the state folder.",
                ) from error
            if len(key) != KEY_BYTES:
                raise Unavailable(
                    "The key for the arguments of held calls is damaged.",
                    code="no_key",
                    hint="The operator puts back the file in the state folder.",
                )
            self._key = key
        return self._key


def new_key() -> bytes:
    """A key for a new file."""
    return os.urandom(KEY_BYTES)


def _unreadable() -> Unavailable:
    return Unavailable(
        "The arguments of this call cannot be read any more.",
        code="arguments_unreadable",
        hint="Make the call again with its arguments, or ask anew.",
    )


def _mark(key: bytes) -> bytes:
    return hashlib.sha256(b"held calls" + key).digest()[:_MARK_BYTES]
