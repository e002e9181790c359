"""The settings of the family's chat: the core's, its own, and those of its language models."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from permit_core.settings import PROJECT_FILE, FileName, Settings

CHECKOUT = Path(__file__).resolve().parents[2]
"""Where the chat's programs, its policy and its documentation are."""


class ChatSettings(Settings):
    """What :class:`~permit_core.settings.Settings` has, and what the chat needs beside it.

    Wherever its programs are started, what ``permit-mcp.env`` of the checkout says holds for them.
    """

    # The family
    accounts_file: FileName = Field(
        "", description="Log-in names and first passwords that a new database starts with. Empty: there are none yet."
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
        300, gt=0, le=3600, description="How long a person has to confirm a decision or a call before it lapses."
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

    @classmethod
    def project_file(cls) -> str:
        """``permit-mcp.env`` of the checkout; that of the working directory where the chat was installed without one."""
        ours = CHECKOUT / PROJECT_FILE
        return str(ours) if ours.exists() else super().project_file()
