"""The key that signs access tokens: SECRET_KEY, or one made once and kept beside the database."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from sqlalchemy.engine import make_url

from family_food.settings import ChatSettings
from permit_core.errors import ConfigurationError

MIN_LENGTH = 32
KEY_FILE = "secret_key"

# Words that stand for a key in examples; and the literals of the FastAPI tutorial, jwt.io and this demo's reference.
_EXAMPLE_WORDS = (
    "changeme", "changethis", "replaceme", "yoursecret", "mysecret", "supersecret", "bitsecret", "secretkey",
    "example", "placeholder", "insecure", "password", "12345678", "abcdefgh",
)  # fmt: skip
_KNOWN_KEYS = frozenset({
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "a-string-secret-at-least-256-bits-long",
    "qwertyuiopasdfghjklzxcvbnm123456",
})  # fmt: skip


def signing_key(settings: ChatSettings) -> str:
    """SECRET_KEY when it is set, else the key kept beside the database; made when there is none yet.

    Raises:
        ConfigurationError: the key is short or well known, or the kept one cannot be made or read.
    """
    given = settings.secret_key.get_secret_value()
    if given:
        return _checked(given, "SECRET_KEY")
    path = _folder(settings) / KEY_FILE
    try:
        return _checked(_kept(path), str(path))
    except OSError as error:
        raise ConfigurationError(
            f"SECRET_KEY is empty and {path} cannot be used ({error.strerror}); set SECRET_KEY to 32 characters or more"
        ) from error


def _folder(settings: ChatSettings) -> Path:
    """The database's folder; for a database that is no file, the one DB_NAME would lie in."""
    database = make_url(settings.resolved_database_url)
    if database.drivername.startswith("sqlite") and database.database and database.database != ":memory:":
        return Path(database.database).resolve().parent
    return settings.database_file.resolve().parent


def _kept(path: Path) -> str:
    """The key in the file; two servers that start at once end up with the same one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        # The whole key appears at once: a reader can never see half of it, and a loser of the race takes the winner's.
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(48))
            with suppress(FileExistsError):
                path.hardlink_to(draft)
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii").strip()


def _checked(key: str, source: str) -> str:
    if len(key) < MIN_LENGTH:
        raise ConfigurationError(f"{source} is too short to sign tokens with; {MIN_LENGTH} characters are the least")
    low = "".join(filter(str.isalnum, key.lower()))  # your-secret, your_secret and YourSecret are one word
    if key in _KNOWN_KEYS or len(set(key)) < 8 or any(word in low for word in _EXAMPLE_WORDS):
        raise ConfigurationError(
            f"{source} is a well-known example; make a random one: "
            'python -c "import secrets; print(secrets.token_urlsafe(48))"'
        )
    return key
