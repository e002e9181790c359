"""Every setting, read once from the environment and an ``.env`` file.

The names are those of Permit.io's guide where it has one. ``.env.example`` lists them all with their defaults; a test
holds the two together.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from dotenv import find_dotenv
from platformdirs import user_state_path
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from permit_core.errors import ConfigurationError

PROJECT = Path(__file__).resolve().parents[2]
"""The checkout: what relative paths in the defaults are relative to."""
DATABASES = ("sqlite+aiosqlite", "postgresql+asyncpg")


class Settings(BaseSettings):
    """One frozen object; ``Settings.load()`` makes it.

    Relative paths are relative to the ``.env`` file, and to the checkout when there is none.
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
        "restaurants",
        description="The resource type that list_resource_instances lists and a bare key in an access request means.",
    )
    access_elements_config_id: str = Field("restaurant-requests", description="Permit.io user-management element.")
    operation_elements_config_id: str = Field("dish-requests", description="Permit.io approval-management element.")

    # Storage and policy
    db_name: str = Field("data/family_food.db", description="SQLite file. Ignored when DATABASE_URL is set.")
    database_url: SecretStr = Field(
        SecretStr(""), description="sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/NAME."
    )
    local_database_url: SecretStr = Field(
        SecretStr(""),
        description="Database of permit-mcp local, as DATABASE_URL. Empty: permit_local.db beside the file of DB_NAME.",
    )
    environment: str = Field(
        "default",
        pattern=r"^[A-Za-z0-9\-_]{1,100}$",
        description="Key of the environment that everything is stored in; several can share one database.",
    )
    policy_file: str = Field("policies/family_food.yaml", description="The policy model.")
    facts_file: str = Field(
        "policies/family_food.facts.yaml",
        description="Users, restaurants, dishes and roles that a new database starts with.",
    )
    accounts_file: str = Field(
        "policies/family_food.accounts.yaml",
        description="Log-in names and first passwords that a new database starts with.",
    )

    # Remembering
    state_dir: str = Field(
        "",
        description="Folder of this account's keys, the audit log's signing key above all; never the database's own. "
        "Empty: permit-mcp in the user's state folder.",
    )
    audit_anchor_file: str = Field(
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

    # The chat backend
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Signs access tokens (HS256): 32 characters or more. "
        "Empty: a random one is made and kept beside the database.",
    )
    access_token_expire_minutes: float = Field(30, gt=0, le=1440, description="Life of an access token.")
    allowed_origins: str = Field(
        "",
        description="Comma-separated web origins that may open the chat from a browser. "
        "Empty: only pages of the same host.",
    )
    login_attempts_per_minute: int = Field(
        10,
        ge=1,
        le=1000,
        description="Log-ins a minute for one user name from "
        "one address; an address as a whole gets three times as many.",
    )
    max_message_bytes: int = Field(65_536, ge=1024, le=1_048_576, description="Largest chat message.")
    turn_max_steps: int = Field(10, ge=1, le=50, description="Model calls in one turn.")
    turn_timeout_seconds: float = Field(120, gt=0, le=3600, description="Longest turn, waiting for people aside.")
    turn_max_output_chars: int = Field(20_000, ge=100, le=1_000_000, description="Longest answer of one turn.")
    tool_timeout_seconds: float = Field(20, gt=0, le=600, description="Longest tool call.")
    confirm_timeout_seconds: float = Field(
        300, gt=0, le=3600, description="How long a person has to confirm a decision before it lapses."
    )
    reconnect_seconds: float = Field(
        60, ge=0, le=3600, description="How long a session waits for a client whose connection was lost."
    )
    mcp_spawn: Literal["auto", "fork", "exec"] = Field(
        "auto",
        description="How a session's tool server is started. fork: from a process that has imported everything; exec: "
        "as a program of its own; auto: fork where the system can.",
    )

    # Models
    model: Literal["auto", "gemini", "openai", "demo"] = Field(
        "auto",
        description="Which language model. auto: "
        "Gemini when GEMINI_API_KEY is set, else OpenAI-compatible when OPENAI_BASE_URL is set, else the offline demo.",
    )
    gemini_api_key: SecretStr = Field(SecretStr(""), description="Key of the Gemini API.")
    gemini_model: str = Field("gemini-3.8-flash", description="Which Gemini.")
    google_gemini_base_url: str = Field("", description="Another address of the Gemini API.")
    openai_base_url: str = Field("", description="An OpenAI-compatible server: http://127.0.0.1:11434/v1 for Ollama.")
    openai_model: str = Field("", description="Which of its models.")
    openai_api_key: SecretStr = Field(SecretStr(""), description="Its key, if it wants one.")
    model_context_chars: int = Field(
        200_000,
        ge=10_000,
        le=10_000_000,
        description="How much of a conversation a model is shown. Beyond, old tool results are left out and old turns "
        "become a summary; the record stays whole.",
    )
    model_first_event_seconds: float = Field(60, gt=0, le=600, description="Longest wait for a model's first word.")
    model_gap_seconds: float = Field(30, gt=0, le=600, description="Longest silence within a model's answer.")

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="How much goes to stderr.")
    log_format: Literal["text", "json"] = Field("text", description="Lines for people, or one JSON object a line.")

    @field_validator("db_name", "policy_file", "facts_file", "accounts_file")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value.strip() or "\0" in value:
            raise ValueError("a file name is needed")
        return value

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

    @field_validator("database_url", "local_database_url")
    @classmethod
    def _names_a_database(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if not url:
            return value
        from sqlalchemy.engine import make_url  # slow to import, and not needed where the default will do
        from sqlalchemy.exc import SQLAlchemyError

        expected = "expected sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/NAME"
        try:
            kind = make_url(url).drivername
        except (SQLAlchemyError, ValueError):
            raise ValueError(f"cannot be read; {expected}") from None
        if kind not in DATABASES:
            raise ValueError(f"names {kind}; {expected}")
        return value

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
    def load(cls, **overrides: object) -> Self:
        """Read environment and ``.env`` (looked up from the working directory upwards), overrides first.

        The environment variable ``ENV_FILE`` names another file instead; empty, it means none.

        Raises:
            ConfigurationError: a value cannot be used; names the variable and what is wrong, never the value.
        """
        named = os.environ.get("ENV_FILE")
        env_file = find_dotenv(usecwd=True) if named is None else named
        anchor = Path(env_file).resolve().parent if env_file else PROJECT
        try:
            settings = cls(_env_file=env_file or None, **overrides)  # type: ignore[arg-type]
        except ValidationError as error:
            wrong = "; ".join(f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors(include_input=False))
            raise ConfigurationError(f"settings: {wrong}") from None
        paths = {
            name: str(_anchored(getattr(settings, name), anchor))
            for name in ("db_name", "policy_file", "facts_file", "accounts_file")
        } | {
            name: str(anchor / Path(getattr(settings, name)).expanduser())
            for name in ("state_dir", "audit_anchor_file")
            if getattr(settings, name)
        }
        return settings.model_copy(update=paths)

    @property
    def resolved_database_url(self) -> str:
        """DATABASE_URL, or the SQLite URL of DB_NAME."""
        return self.database_url.get_secret_value() or f"sqlite+aiosqlite:///{self.db_name}"

    @property
    def state_folder(self) -> Path:
        """STATE_DIR, or ``permit-mcp`` in the user's state folder."""
        return Path(self.state_dir) if self.state_dir else user_state_path("permit-mcp", appauthor=False)

    @property
    def resolved_local_database_url(self) -> str:
        """LOCAL_DATABASE_URL, or the SQLite URL of ``permit_local.db`` beside DB_NAME."""
        beside = Path(self.db_name).parent / "permit_local.db"
        return self.local_database_url.get_secret_value() or f"sqlite+aiosqlite:///{beside}"


def _anchored(name: str, anchor: Path) -> Path:
    """A relative path under ``anchor``; when it is not there but the checkout has it, the checkout's."""
    path = Path(name).expanduser()
    if path.is_absolute():
        return path
    shipped = PROJECT / path
    return shipped if not (anchor / path).exists() and shipped.exists() else anchor / path
