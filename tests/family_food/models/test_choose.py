"""Which model the settings choose."""

import subprocess
import sys
from typing import Any

import pytest

from family_food.models.choose import choose_model
from family_food.settings import ChatSettings
from permit_core.errors import ConfigurationError

GEMINI = {"gemini_api_key": "a-key"}
OPENAI = {"openai_base_url": "http://127.0.0.1:9/v1/", "openai_model": "qwen3:8b"}


def settings(**values: Any) -> ChatSettings:
    nothing = {"gemini_api_key": "", "openai_base_url": "", "openai_model": "", "google_gemini_base_url": ""}
    return ChatSettings.load(**({"model": "auto"} | nothing | values))


@pytest.mark.parametrize(
    ("values", "label"),
    [
        (GEMINI, "Gemini (gemini-3.8-flash)"),
        (GEMINI | OPENAI, "Gemini (gemini-3.8-flash)"),
        (GEMINI | OPENAI | {"model": "openai"}, "qwen3:8b"),
        (OPENAI, "qwen3:8b"),
        (GEMINI | {"model": "demo"}, "offline demo model"),
        ({}, "offline demo model"),
        ({"gemini_api_key": "  "}, "offline demo model"),
    ],
)
async def test_the_first_model_that_is_set_up_is_chosen(values: dict[str, Any], label: str) -> None:
    model = choose_model(settings(**values))
    assert (model.label, model.offline) == (label, label == "offline demo model")
    await model.close()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"model": "gemini"}, "the gemini model needs GEMINI_API_KEY"),
        (GEMINI | {"gemini_model": " "}, "the gemini model needs GEMINI_MODEL"),
        ({"model": "openai"}, "the openai model needs OPENAI_BASE_URL and OPENAI_MODEL"),
        ({"openai_base_url": "http://127.0.0.1:9"}, "the openai model needs OPENAI_MODEL"),
        (OPENAI | {"openai_base_url": "127.0.0.1:9"}, "OPENAI_BASE_URL is not a web address"),
        (OPENAI | {"openai_base_url": "ftp://127.0.0.1"}, "OPENAI_BASE_URL is not a web address"),
        (OPENAI | {"openai_base_url": "http://secret:pw@h:port"}, "OPENAI_BASE_URL is not a web address"),
        (GEMINI | {"google_gemini_base_url": "http://"}, "GOOGLE_GEMINI_BASE_URL is not a web address"),
    ],
)
def test_what_is_missing_is_named_and_nothing_secret_is(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected) as raised:
        choose_model(settings(**values))
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://model.example/v1", True),
        ("http://192.0.2.1:8000", True),
        ("https://model.example/v1", False),
        ("http://localhost:11434/v1", False),
        ("http://[::1]:11434/v1", False),
        ("http://127.0.0.2:11434/v1", False),
    ],
)
async def test_an_open_line_to_another_machine_is_warned_of(
    url: str, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    await choose_model(settings(**OPENAI | {"openai_base_url": url})).close()
    assert ("OPENAI_BASE_URL is not encrypted" in caplog.text) is warned


def test_a_library_is_imported_only_for_the_model_that_needs_it() -> None:
    program = "import sys, family_food.models.choose; sys.exit('google.genai' in sys.modules or 'httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
