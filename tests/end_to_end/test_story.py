"""The family story, on both databases, and what it says when the database tells another one."""

from __future__ import annotations

import io
import runpy
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import insert, update

from family_food.demo.backend import DemoBackend
from family_food.demo.record import check_record
from family_food.demo.story import Outcome, play
from family_food.demo.transcript import Transcript
from family_food.settings import ChatSettings
from family_food.tables import orders
from permit_core.clock import utc_now
from permit_core.database import Database
from permit_core.stores.tables import requests
from tests.support.environment import PROJECT, bare_environment
from tests.support.permit_io import SeededPermit

pytestmark = pytest.mark.slow


@dataclass
class Played:
    """A story that was played."""

    outcome: Outcome
    transcript: str
    settings: ChatSettings


async def played(database_url: str) -> Played:
    """Play it on a new database."""
    output = io.StringIO()
    console = Console(file=output, markup=False, highlight=False, width=400)
    async with DemoBackend(database_url) as backend:
        outcome = await play(backend, Transcript(console))
    return Played(outcome, output.getvalue(), backend.settings)


async def test_the_story_plays_on_each_database_and_the_record_is_exactly_it(database_url: str) -> None:
    story = await played(database_url)
    assert not story.outcome.problem, f"{story.outcome.problem}\n{story.transcript}"
    assert [claim.text for claim in story.outcome.claims if not claim.holds] == [], story.transcript
    assert len(story.outcome.claims) >= 15
    # Three decisions, and each was heard in the open session; one slow moment of the machine is no failure.
    assert len(story.outcome.told_after) == 3
    assert min(story.outcome.told_after) < 1.0


async def test_the_story_plays_on_permit_io(
    permit_io: SeededPermit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in permit_io.environment.items():
        monkeypatch.setenv(name, value)
    story = await played(f"sqlite+aiosqlite:///{tmp_path / 'story.db'}")
    assert not story.outcome.problem, f"{story.outcome.problem}\n{story.transcript}"
    assert [claim.text for claim in story.outcome.claims if not claim.holds] == [], story.transcript
    assert len(story.outcome.claims) >= 15
    assert len(story.outcome.told_after) == 3


async def test_a_database_that_tells_another_story_is_found_out(tmp_path: Path) -> None:
    story = await played(f"sqlite+aiosqlite:///{tmp_path / 'story.db'}")
    told = story.outcome.told
    assert told is not None, story.transcript
    database = Database.open(story.settings.resolved_database_url)
    try:
        async with database.transaction() as transaction:
            await transaction.execute(update(requests).values(comment="something else"))
            await transaction.execute(
                insert(orders).values(
                    id="ord_2",
                    environment=story.settings.environment,
                    tenant=story.settings.tenant,
                    user_key=told.child,
                    user_name="Henry",
                    restaurant_key="1",
                    restaurant_name="elsewhere",
                    dish_key="1-x",
                    dish_name="second",
                    price_cents=1,
                    placed_at=utc_now(),
                )
            )
    finally:
        await database.close()
    wrong = [claim.text for claim in await check_record(story.settings, told) if not claim.holds]
    assert any("exactly one order" in text for text in wrong)
    assert sum("with the comment" in text for text in wrong) == len(told.rulings)
    poorer = replace(told, refusals=[*told.refusals, ("order_dish", "never_happened")])
    assert any(
        "never_happened" in claim.text and not claim.holds for claim in await check_record(story.settings, poorer)
    )


@pytest.mark.parametrize("arguments", [["--demo", "story"], ["--demo"]], ids=["asked for", "no terminal"])
def test_the_command_plays_the_story_and_leaves_nothing_behind(
    arguments: list[str], own_temporary_folder: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "client.py", *arguments],
        cwd=PROJECT,
        env=bare_environment(MODEL="demo"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=110,
        check=False,
    )
    text = done.stdout.decode()
    assert done.returncode == 0, text + done.stderr.decode()
    assert "\x1b" not in text
    for words in ("The family story", "offline demo model", "What the database holds", "The end. All"):
        assert words in text
    assert "✗ there is" not in text
    assert list(own_temporary_folder.iterdir()) == []
    # Calls of one step end, and two people's screens move, in any order: line by line it is what the page shows.
    written = runpy.run_path(str(PROJECT / "scripts" / "write_transcript.py"))
    shown = written["transcript"]()
    assert sorted(written["settled"](text).splitlines()) == sorted(shown.splitlines())
