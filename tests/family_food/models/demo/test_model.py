from __future__ import annotations

from family_food.models.demo import DemoModel
from family_food.models.port import Model, Prompt, StepEnd
from tests.support.family_chat import one_step


async def test_it_says_what_it_is() -> None:
    model: Model = DemoModel()
    assert model.label == "offline demo model"
    assert model.offline
    await model.close()


async def test_the_words_come_in_several_pieces_and_end_once() -> None:
    events = [event async for event in DemoModel().step(Prompt("", []))]
    assert len(events) > 5
    assert [type(event) for event in events].count(StepEnd) == 1


async def test_without_any_words_it_says_what_it_can_do() -> None:
    assert "I can help you" in (await one_step(Prompt("", []))).text
