"""Which language model a server talks to: decided by settings alone."""

from __future__ import annotations

import ipaddress
import logging
from urllib.parse import urlsplit

from family_food.models.port import Model
from family_food.models.stream_pump import Patience
from family_food.settings import ChatSettings
from permit_core.errors import ConfigurationError

log = logging.getLogger(__name__)


def choose_model(settings: ChatSettings) -> Model:
    """Build the model that ``MODEL`` names; with ``auto`` the first for which something is set.

    Call it once a process: a Gemini client takes some 50 ms of a blocked event loop to build, its library half a
    second to import, which is why it is imported only when it is used.

    Raises:
        ConfigurationError: the model named lacks a setting; says which.
    """
    patience = Patience(settings.model_first_event_seconds, settings.model_gap_seconds)
    match _wanted(settings):
        case "gemini":
            from family_food.models.gemini import GeminiModel

            return GeminiModel(
                settings.gemini_api_key.get_secret_value().strip(),
                settings.gemini_model.strip(),
                base_url=_web_address("GOOGLE_GEMINI_BASE_URL", settings.google_gemini_base_url),
                patience=patience,
            )
        case "openai":
            from family_food.models.openai_compatible import OpenAICompatibleModel

            return OpenAICompatibleModel(
                _web_address("OPENAI_BASE_URL", settings.openai_base_url),
                settings.openai_model.strip(),
                api_key=settings.openai_api_key.get_secret_value().strip(),
                patience=patience,
            )
        case _:
            from family_food.models.demo import DemoModel

            return DemoModel()


def _wanted(settings: ChatSettings) -> str:
    """The name of the model, its settings found complete."""
    has_key = bool(settings.gemini_api_key.get_secret_value().strip())
    wanted: str = settings.model
    if wanted == "auto":
        wanted = "gemini" if has_key else "openai" if settings.openai_base_url.strip() else "demo"
    needed = {
        "gemini": {"GEMINI_API_KEY": has_key, "GEMINI_MODEL": bool(settings.gemini_model.strip())},
        "openai": {
            "OPENAI_BASE_URL": bool(settings.openai_base_url.strip()),
            "OPENAI_MODEL": bool(settings.openai_model.strip()),
        },
    }
    missing = [name for name, present in needed.get(wanted, {}).items() if not present]
    if missing:
        raise ConfigurationError(f"the {wanted} model needs {' and '.join(missing)}")
    return wanted


def _web_address(setting: str, url: str) -> str:
    """``url`` without its closing slash; empty stays empty. Warns when it is open to whoever listens on the way.

    Raises:
        ConfigurationError: it is not an http address. The value is not repeated: it may hold a password.
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        usable = not url or (parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(f"{setting} is not a web address: http:// or https:// and a host are expected")
    if url and parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
        log.warning("%s is not encrypted: its key and every conversation can be read on the way", setting)
    return url.rstrip("/")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
