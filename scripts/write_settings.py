"""Write .env.example and docs/settings.md from the settings class; a test holds them equal to what this writes."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from permit_core.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
GROUPS = {
    "permit_api_key": "Permit.io, and what every backend uses of it",
    "db_name": "Storage and policy",
    "state_dir": "Remembering",
    "pdp": "Decisions",
    "secret_key": "The chat backend",
    "model": "Language models",
    "log_level": "Logging",
}


def default_of(name: str) -> str:
    """The default as it would be written in a file."""
    value = Settings.model_fields[name].default
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def env_example() -> str:
    """The text of .env.example."""
    lines = [
        "# Every setting with its default. Copy to .env and change what you need; nothing here is required.",
        "# Relative paths are relative to this file.",
    ]
    for name, field in Settings.model_fields.items():
        if name in GROUPS:
            lines += ["", f"# --- {GROUPS[name]} ---"]
        lines += [f"# {field.description}", f"{name.upper()}={default_of(name)}"]
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """The text of docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Settings come from the environment and from an `.env` file, which is looked up from the working directory",
        "upwards; the environment wins, and an empty value means the default. Relative paths are relative to the",
        "folder of the `.env` file, or to the checkout when there is none. A value that cannot be used stops the",
        "program at start with the variable's name and what was expected. The environment variable `ENV_FILE` names",
        "another file to read; empty, it means none.",
        "",
        "`PERMIT_API_KEY` decides: set, directory, decisions and requests are those of a Permit.io environment, and the",
        "other settings of that group say which ([Permit.io behind it](permit-io.md)). Empty, they are kept and decided here,",
        "and of the group only `TENANT` and `RESOURCE_KEY` have an effect.",
        "",
        "Read from the environment alone are `PERMIT_CHAT_URL` and `PERMIT_CHAT_TOKEN`, the server that `client.py` talks",
        "to and a token for it ([the terminal client](terminal-client.md)), and `FORWARDED_ALLOW_IPS`, the proxies from",
        "which `server.py` believes `X-Forwarded-For`; log-in limits go by address.",
    ]
    for name, field in Settings.model_fields.items():
        if name in GROUPS:
            lines += ["", f"## {GROUPS[name]}", "", "| variable | default | meaning |", "|---|---|---|"]
        default = default_of(name)
        lines.append(f"| `{name.upper()}` | {f'`{default}`' if default else ''} | {field.description} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write both files."""
    (ROOT / ".env.example").write_text(env_example(), encoding="utf-8")
    (ROOT / "docs" / "settings.md").write_text(settings_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
