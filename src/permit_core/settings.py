"""The settings of the core, read once from the environment and from files.

Each product adds its own in a class of its own. The names are those of Permit.io's guide where it has one.
``.env.example`` lists them all with their defaults; a test holds the two together.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values, find_dotenv
from platformdirs import user_data_path, user_state_path
from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from permit_core.errors import ConfigurationError

DATABASES = ("sqlite+aiosqlite", "postgresql+asyncpg")
PROJECT_FILE = "permit-mcp.env"
"""What the programs of one folder, and of all below it, share: where their policy and their database are."""

_A_FILE = "names a file"


def _file_name(value: str) -> str:
    if "\0" in value or (value and not value.strip()):
        raise ValueError("a file name is needed")
    return value


FileName = Annotated[str, AfterValidator(_file_name), _A_FILE]
"""A file's name, relative to where it was written; absolute in what :meth:`Settings.load` gives. Empty: none is named."""


def database_url(url: SecretStr) -> SecretStr:
    """Validate the URL of a database; an empty one is fine.

    Raises:
        ValueError: it cannot be read, or names a kind of database that is not supported; never repeats it.
    """
    text = url.get_secret_value()
    if not text:
        return url
    from sqlalchemy.engine import make_url  # slow to import, and not needed where the default will do
    from sqlalchemy.exc import SQLAlchemyError

    expected = "expected sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/NAME"
    try:
        kind = make_url(text).drivername
    except (SQLAlchemyError, ValueError):
        raise ValueError(f"cannot be read; {expected}") from None
    if kind not in DATABASES:
        raise ValueError(f"names {kind}; {expected}")
    return url


DatabaseUrl = Annotated[SecretStr, AfterValidator(database_url)]
"""``sqlite+aiosqlite:///FILE``, ``postgresql+asyncpg://USER:PASSWORD@HOST/NAME``, or empty."""


class Settings(BaseSettings):
    """One frozen object; ``load()`` makes it.

    A setting is taken from the environment, else from the ``.env`` file, else from ``permit-mcp.env``; both files are
    looked up from the working directory upwards. What a file names is relative to that file, everything else is
    relative to the working directory.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    # The eight variables of Permit.io's guide, and the address of its API. Without the key everything is decided and
    # kept here, which takes RESOURCE_KEY and TENANT alone.
    permit_api_key: SecretStr = Field(
        SecretStr(""),
        description="Key of a Permit.io environment. Set, directory, decisions and requests are Permit.io's; "
        "docs/permit-io.md says how.",
    )
    permit_pdp_url: str = Field("https://cloudpdp.api.permit.io", description="Permit.io's policy decision point.")
    permit_api_url: str = Field("https://api.permit.io", description="Permit.io's API.")
    tenant: str = Field("default", description="The tenant everything happens in.")
    project_id: str = Field("", description="Permit.io project, by key or id. Empty: that of the key.")
    env_id: str = Field("", description="Permit.io environment, by key or id. Empty: that of the key.")
    resource_key: str = Field(
        "",
        description="The resource type that list_resource_instances lists and a bare key in an access request means. "
        "Empty: the first type of the policy.",
    )
    access_elements_config_id: str = Field("access-requests", description="Permit.io user-management element.")
    operation_elements_config_id: str = Field(
        "operation-approvals", description="Permit.io approval-management element."
    )

    # Storage and policy
    db_name: FileName = Field(
        "", description="SQLite file. Ignored when DATABASE_URL is set. Empty: permit.db beside the policy."
    )
    database_url: DatabaseUrl = Field(
        SecretStr(""), description="sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/NAME."
    )
    environment: str = Field(
        "default",
        pattern=r"^[A-Za-z0-9\-_]{1,100}$",
        description="Key of the environment that everything is stored in; several can share one database.",
    )
    policy_file: FileName = Field("", description="The policy model.")
    facts_file: FileName = Field("", description="Users, things and roles that a new database starts with.")

    # Remembering
    state_dir: FileName = Field(
        "",
        description="Folder of this account's keys, the audit log's signing key above all; never the database's own. "
        "Empty: permit-mcp in the user's state folder.",
    )
    audit_anchor_file: FileName = Field(
        "",
        description="File that signed checkpoints of the audit log are added to, as lines of JSON; best on another "
        "machine's disk. Empty: they go to the program's log only.",
    )
    audit_sign: bool = Field(True, description="Sign the audit log. Off for data that is thrown away.")
    audit_hook: str = Field(
        "", description="package.module:function that is given each audit record once it is committed. Empty: none."
    )

    # Decisions
    pdp: Literal["embedded", "opa"] = Field(
        "embedded", description="Who decides: `embedded`, the policy engine of this program, or `opa`, an OPA server."
    )
    opa_url: str = Field("http://127.0.0.1:8181", description="The OPA server, for PDP=opa; docs/opa.md says how.")
    opa_token: SecretStr = Field(SecretStr(""), description="Bearer token for the OPA server, if it wants one.")
    opa_timeout_seconds: float = Field(
        5, gt=0, le=60, description="Longest wait for a decision of OPA, pushing facts to it included. Then it is no."
    )
    opal_server_url: str = Field(
        "", description="An OPAL server that takes model and facts to OPA. Empty: this program pushes them itself."
    )
    opal_token: SecretStr = Field(
        SecretStr(""), description="Token of a data source for the OPAL server, if it wants one."
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="How much goes to stderr.")
    log_format: Literal["text", "json"] = Field("text", description="Lines for people, or one JSON object a line.")

    @field_validator("opa_url", "opal_server_url")
    @classmethod
    def _is_a_server(cls, value: str) -> str:
        if not value:
            return value
        try:
            parts = urlsplit(value)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("the address of a server is needed, such as http://127.0.0.1:8181, without a password")
        return value.rstrip("/")

    @field_validator("permit_api_key")
    @classmethod
    def _fits_in_a_header(cls, value: SecretStr) -> SecretStr:
        key = value.get_secret_value().strip()
        if not re.fullmatch(r"[!-~]*", key):
            raise ValueError("a key is printable ASCII without blanks; copy it again")
        return SecretStr(key)

    @field_validator("permit_pdp_url", "permit_api_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if not re.match(r"https?://[^\s/@?#]+(/[^\s@?#]*)?\Z", value):
            raise ValueError("an address is needed, such as http://localhost:7766")
        return value.rstrip("/")

    @classmethod
    def project_file(cls) -> str:
        """The ``permit-mcp.env`` that counts here; empty when there is none."""
        return find_dotenv(PROJECT_FILE, usecwd=True)

    @classmethod
    def load(cls, **overrides: object) -> Self:
        """Read the environment and the files; overrides go before all of them.

        The environment variable ``ENV_FILE`` names another file instead of ``.env``; empty, it means none.

        Raises:
            ConfigurationError: a value cannot be used; names the variable and what is wrong, never the value.
        """
        named = os.environ.get("ENV_FILE")
        files = [file for file in (cls.project_file(), find_dotenv(usecwd=True) if named is None else named) if file]
        try:
            settings = cls(_env_file=files, **overrides)  # type: ignore[arg-type]
        except ValidationError as error:
            wrong = "; ".join(f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors(include_input=False))
            raise ConfigurationError(f"settings: {wrong}") from None
        anchors = _anchors(files, overrides)
        paths = {
            name: str(anchors.get(name, Path.cwd()) / Path(getattr(settings, name)).expanduser())
            for name, field in cls.model_fields.items()
            if _A_FILE in field.metadata and getattr(settings, name)
        }
        return settings.model_copy(update=paths)

    @property
    def policy_path(self) -> str:
        """POLICY_FILE, for whoever cannot go on without a policy.

        Raises:
            ConfigurationError: it is not set; says how to name one.
        """
        if not self.policy_file:
            raise ConfigurationError(
                "POLICY_FILE: no policy is named; write POLICY_FILE=policy.yaml into permit-mcp.env or .env of this "
                "folder, or set it in the environment"
            )
        return self.policy_file

    @property
    def state_folder(self) -> Path:
        """STATE_DIR, or ``permit-mcp`` in the user's state folder."""
        return Path(self.state_dir) if self.state_dir else user_state_path("permit-mcp", appauthor=False)

    @property
    def database_file(self) -> Path:
        """DB_NAME, or ``permit.db`` beside the policy; in the user's data folder when no folder of theirs is named."""
        if self.db_name:
            return Path(self.db_name)
        beside = Path(self.policy_file).resolve().parent
        if self.policy_file and not beside.is_relative_to(Path(sys.prefix).resolve()):
            return beside / "permit.db"
        return user_data_path("permit-mcp", appauthor=False) / "permit.db"

    @property
    def resolved_database_url(self) -> str:
        """DATABASE_URL, or the SQLite URL of :attr:`database_file`."""
        return self.database_url.get_secret_value() or f"sqlite+aiosqlite:///{self.database_file}"


def _anchors(files: Sequence[str], overrides: Mapping[str, object]) -> dict[str, Path]:
    """By the name of a setting: the folder of the file that it was read from, if it was."""
    anchors: dict[str, Path] = {}
    for file in files:
        folder = Path(file).resolve().parent
        anchors |= {name.lower(): folder for name, value in dotenv_values(file).items() if value}
    given = {name.lower() for name, value in os.environ.items() if value} | overrides.keys()
    return {name: folder for name, folder in anchors.items() if name not in given}
