"""The settings of the Permit-compatible server: the core's, and its own database."""

from __future__ import annotations

from pydantic import Field, SecretStr

from permit_core.settings import DatabaseUrl, Settings


class LocalSettings(Settings):
    """What :class:`~permit_core.settings.Settings` has, and the database of ``permit-mcp local``."""

    # The Permit-compatible server
    local_database_url: DatabaseUrl = Field(
        SecretStr(""),
        description="Database of permit-mcp local, as DATABASE_URL. Empty: permit_local.db beside the file of DB_NAME.",
    )

    @property
    def resolved_local_database_url(self) -> str:
        """LOCAL_DATABASE_URL, or the SQLite URL of ``permit_local.db`` beside :attr:`database_file`."""
        beside = self.database_file.parent / "permit_local.db"
        return self.local_database_url.get_secret_value() or f"sqlite+aiosqlite:///{beside}"
