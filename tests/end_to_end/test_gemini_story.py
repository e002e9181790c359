"""The family story with a Gemini key set: through google-genai, over Gemini's wire, to a stand-in for the service."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import pytest

from family_food.models.demo import DemoModel
from tests.support.environment import PROJECT, bare_environment
from tests.support.gemini_standin import KEY, MODEL, gemini_standin, model_brain

pytestmark = pytest.mark.slow


async def test_the_same_story_plays_through_google_genai(own_temporary_folder: Path) -> None:
    async with gemini_standin(model_brain(DemoModel())) as standin:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "client.py",
            "--demo",
            "story",
            cwd=PROJECT,
            env=bare_environment(MODEL="auto", GEMINI_API_KEY=KEY, GOOGLE_GEMINI_BASE_URL=standin.url),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )
        try:
            async with asyncio.timeout(110):
                output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()
    text = output.decode()
    assert process.returncode == 0, text + errors.decode()
    assert "The end. All" in text
    assert f"Gemini ({MODEL})" in text
    # The stand-in refuses what the service refuses; it had no reason to.
    assert standin.refused == []
    assert len(standin.requests) > 20
    # Nothing of the accounts crosses the wire.
    sent = "".join(str(request.body) for request in standin.requests)
    assert "password" not in sent
    assert "email" not in sent.lower()
    assert list(own_temporary_folder.iterdir()) == []
