"""Signatures under the log: an Ed25519 key that lies away from the database, and what is signed with it.

A checkpoint says that record ``seq`` of an environment's log had ``hash`` at a moment, and so every record before it what
it was. What is signed are the UTF-8 bytes of a JSON array::

    ["permit-mcp audit checkpoint", 1, environment, seq, hash, at, key, successor]

``key`` is the public key, 64 hexadecimal digits; ``successor`` is the next public key where this key ends, else empty.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from permit_core import private_file
from permit_core.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_FILE = "audit-signing-key.pem"
PUBLIC_FILE = "audit-signing-key.pub"
NEXT_FILE = "audit-signing-key.next.pem"
"""The key that a rotation goes over to, until all chains say so."""

_HEX_KEY = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement about one record. ``signature`` is 128 hexadecimal digits."""

    environment: str
    seq: int
    hash: str
    at: str
    key: str
    successor: str = ""
    signature: str = ""

    def statement(self) -> bytes:
        """What is signed."""
        told = [self.environment, self.seq, self.hash, self.at, self.key, self.successor]
        return json.dumps(["permit-mcp audit checkpoint", 1, *told], separators=(",", ":")).encode()

    def is_genuine(self) -> bool:
        """Whether the key that it names has signed it."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.key))
            public.verify(bytes.fromhex(self.signature), self.statement())
        except (InvalidSignature, ValueError):
            return False
        return True

    def line(self) -> str:
        """One line of JSON, as it goes to a file elsewhere."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Checkpoint:
        """Read what :meth:`line` has written.

        Raises:
            ValueError: it is something else.
        """
        texts = ("environment", "hash", "at", "key", "successor", "signature")
        if not all(isinstance(told.get(name), str) for name in texts) or type(told.get("seq")) is not int:
            raise ValueError("not a checkpoint")
        return cls(seq=told["seq"], **{name: told[name] for name in texts})


class SigningKey:
    """The private half of a key, in memory."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw().hex()
        """The public half: 64 hexadecimal digits."""

    def sign(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint under this key, with its signature."""
        own = replace(checkpoint, key=self.public)
        return replace(own, signature=self._private.sign(own.statement()).hex())

    @classmethod
    def generate(cls) -> SigningKey:
        """A new one."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.generate())

    def private_pem(self) -> bytes:
        """PKCS #8, not encrypted: the file's mode guards it."""
        from cryptography.hazmat.primitives import serialization

        return self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @classmethod
    def from_pem(cls, pem: bytes) -> SigningKey:
        """Read what :meth:`private_pem` has written.

        Raises:
            ValueError: it is something else.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            private = load_pem_private_key(pem, None)
        except (TypeError, UnsupportedAlgorithm) as error:
            raise ValueError("not a key without a password") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise ValueError("not an Ed25519 key")  # noqa: TRY004 - the file's content, not an argument's type
        return cls(private)


def warm_up() -> None:
    """Do once what signing does, for a process that forks: its children find everything imported."""
    SigningKey.generate().sign(Checkpoint("", 0, "", "", ""))


class KeyFolder:
    """Where this account keeps its signing key.

    Args:
        folder: made when the first key is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def file(self) -> Path:
        """The private key."""
        return self.folder / KEY_FILE

    def key(self) -> SigningKey:
        """The key, made when this account never had one.

        Raises:
            ConfigurationError: it can be neither read nor made, or it is lost.
        """
        # In this order: the public half is remembered after the key is there, so whoever sees it must find the key.
        if self.public_keys() and not self.file.exists():
            raise ConfigurationError(
                f"the audit log's signing key {self.file} is lost: put it back, or replace it with "
                "permit-mcp audit key replace; docs/audit.md says what that means"
            )
        try:
            key = SigningKey.from_pem(
                private_file.read_or_create(self.file, lambda: SigningKey.generate().private_pem())
            )
            self.remember(key.public)
        except OSError as error:
            raise ConfigurationError(
                f"the audit log's signing key {self.file} can be neither read nor made: {error.strerror or error}; "
                "set STATE_DIR to a folder of this account"
            ) from error
        except ValueError as error:
            raise ConfigurationError(
                f"{self.file} is not a signing key: {error}; put the right file back, or move it away and replace it "
                "with permit-mcp audit key replace"
            ) from error
        return key

    def public_keys(self) -> list[str]:
        """The public halves of all keys that this account has had, oldest first. Makes nothing.

        Raises:
            ConfigurationError: the file cannot be read.
        """
        file = self.folder / PUBLIC_FILE
        # An empty file is being written by another process, or was left by one that died doing so.
        return read_public_keys(file) if file.exists() and file.stat().st_size else []

    def remember(self, public: str) -> None:
        """Keep a public half beside the key, for whoever verifies.

        Raises:
            ConfigurationError: the file cannot be read.
            OSError: it cannot be written.
        """
        if public not in self.public_keys():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            append_line(self.folder / PUBLIC_FILE, public, 0o644)

    def replace(self) -> SigningKey:
        """A new key where the old one is lost; nothing signed says that it follows the old one.

        Raises:
            ConfigurationError: there is a key, or a new one cannot be made.
        """
        try:
            key = SigningKey.generate()
            private_file.write_new(self.file, key.private_pem())
            self.remember(key.public)
        except FileExistsError:
            raise ConfigurationError(f"the signing key {self.file} is there: rotate it instead") from None
        except OSError as error:
            raise ConfigurationError(f"{self.file} cannot be made: {error.strerror or error}") from error
        return key

    def upcoming(self) -> SigningKey:
        """The key that a rotation goes over to, made when there is none: a rotation that was cut short goes on with it.

        Raises:
            ConfigurationError: it can be neither read nor made.
        """
        file = self.folder / NEXT_FILE
        try:
            return SigningKey.from_pem(private_file.read_or_create(file, lambda: SigningKey.generate().private_pem()))
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"the next signing key {file} can be neither read nor made: {error}") from error

    def go_over(self, successor: str) -> bool:
        """Make the upcoming key the key, when it is the one that is named; whether it is the key now.

        Raises:
            ConfigurationError: a file cannot be read or moved.
        """
        file = self.folder / NEXT_FILE
        if file.exists() and self.upcoming().public == successor:
            try:
                self.remember(successor)
                file.replace(self.file)
            except FileNotFoundError:
                pass  # another process was faster
            except OSError as error:
                raise ConfigurationError(f"{file} cannot be moved to {self.file}: {error.strerror}") from error
        return self.key().public == successor


def append_line(file: Path, line: str, mode: int = 0o600) -> None:
    """Add a line to the end of a file, in one piece, so that several processes may do it; on the disk on return.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, mode)
    try:
        os.write(descriptor, f"{line}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_checkpoints(file: Path) -> tuple[list[Checkpoint], list[int]]:
    """The checkpoints in a file elsewhere, and the numbers of lines that hold none.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    found: list[Checkpoint] = []
    unreadable: list[int] = []
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    found.append(Checkpoint.of(json.loads(line)))
                except (ValueError, AttributeError):
                    unreadable.append(number)
    except OSError as error:
        raise ConfigurationError(f"the checkpoints in {file} cannot be read: {error.strerror or error}") from error
    return found, unreadable


def read_public_keys(file: Path) -> list[str]:
    """The public keys in a file: lines of 64 hexadecimal digits, or one key as PEM.

    Raises:
        ConfigurationError: there is none in it.
    """
    try:
        content = private_file.read(file)
    except OSError as error:
        raise ConfigurationError(f"the public key {file} cannot be read: {error.strerror or error}") from error
    lines = content.decode("ascii", "replace").split()
    if lines and all(_HEX_KEY.fullmatch(line) for line in lines):
        return lines
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        public = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        public = None
    if not isinstance(public, Ed25519PublicKey):
        raise ConfigurationError(
            f"{file} holds no public key: 64 hexadecimal digits are expected, as in {PUBLIC_FILE} beside the signing key"
        )
    return [public.public_bytes_raw().hex()]
