"""Write .env.example and docs/settings.md from the settings of every product; a test holds them equal to what this writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import SecretStr

from family_food.settings import ChatSettings
from permit_api.settings import LocalSettings
from permit_core.settings import PROJECT_FILE, Settings

ROOT = Path(__file__).resolve().parents[1]
FIELDS = Settings.model_fields | ChatSettings.model_fields | LocalSettings.model_fields
"""Of all products: the core's first, each field once."""
GROUPS = {
    "permit_api_key": "Permit.io, and what every backend uses of it",
    "db_name": "Storage and policy",
    "state_dir": "Remembering",
    "pdp": "Decisions",
    "log_level": "Logging",
    "accounts_file": "The chat backend",
    "model": "Language models",
    "local_database_url": "The Permit-compatible server",
}
OURS = {name.lower(): value or "" for name, value in dotenv_values(ROOT / PROJECT_FILE).items()}
"""What the checkout says about itself."""


def default_of(name: str) -> str:
    """The default as it would be written in a file."""
    value: Any = FIELDS[name].default
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def env_example() -> str:
    """The text of .env.example."""
    lines = [
        "# Every setting with what it is in this checkout. Copy to .env and change what you need; nothing is required.",
        "# Relative paths are relative to this file.",
    ]
    for name, field in FIELDS.items():
        if name in GROUPS:
            lines += ["", f"# --- {GROUPS[name]} ---"]
        lines += [f"# {field.description}", f"{name.upper()}={OURS.get(name, default_of(name))}"]
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """The text of docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "A setting is taken from the environment, else from an `.env` file, else from a file `permit-mcp.env`; an empty",
        "value means the default. Both files are looked up from the working directory upwards. `.env` is yours and stays",
        "out of git; `permit-mcp.env` says what all programs of a folder share, above all its policy and its database:",
        "",
        "```ini",
        "POLICY_FILE=policy.yaml",
        "FACTS_FILE=facts.yaml",
        "```",
        "",
        "What a file names is relative to that file; what stands in the environment or in a program is relative to the",
        "working directory. Without `POLICY_FILE` whatever needs a policy stops at its start and says so. Without `DB_NAME`",
        "and `DATABASE_URL` the database is `permit.db` beside the policy; where there is no policy, or it lies within an",
        "installed package, it is in your data folder (on Linux `~/.local/share/permit-mcp`).",
        "",
        "This checkout has [a `permit-mcp.env` of its own](../permit-mcp.env), so that all its programs share one database",
        "and the family's files; the chat's programs use it wherever they are started.",
        "",
        "A value that cannot be used stops the program at start with the variable's name and what was expected. The",
        "environment variable `ENV_FILE` names another file to read instead of `.env`; empty, it means none.",
        "",
        "`PERMIT_API_KEY` decides: set, directory, decisions and requests are those of a Permit.io environment, and the",
        "other settings of that group say which ([Permit.io behind it](permit-io.md)). Empty, they are kept and decided here,",
        "and of the group only `TENANT` and `RESOURCE_KEY` have an effect.",
        "",
        "Most people set five: `POLICY_FILE` and `FACTS_FILE` for a server of their own, `GEMINI_API_KEY` (or",
        "`OPENAI_BASE_URL` and `OPENAI_MODEL`) for the chat, `DATABASE_URL` for PostgreSQL, `PERMIT_API_KEY` for Permit.io.",
        "",
        "Read from the environment alone are `PERMIT_CHAT_URL` and `PERMIT_CHAT_TOKEN`, the server that `client.py` talks",
        "to and a token for it ([the terminal client](terminal-client.md)), and `FORWARDED_ALLOW_IPS`, the proxies from",
        "which `server.py` believes `X-Forwarded-For`; log-in limits go by address.",
    ]
    for name, field in FIELDS.items():
        if name in GROUPS:
            head = ["| variable | default | in this checkout | meaning |", "|---|---|---|---|"]
            lines += ["", f"## {GROUPS[name]}", "", *head]
        cells = (f"`{value}`" if value else "" for value in (default_of(name), OURS.get(name, "")))
        lines.append(f"| `{name.upper()}` | {' | '.join(cells)} | {field.description} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write both files."""
    (ROOT / ".env.example").write_text(env_example(), encoding="utf-8")
    (ROOT / "docs" / "settings.md").write_text(settings_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
