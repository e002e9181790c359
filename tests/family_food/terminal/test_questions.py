from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from family_food.terminal.display.screen import Screen
from family_food.terminal.questions import Questions
from family_food.terminal.typing.keyboard import Keyboard


def confirm(number: int) -> dict[str, Any]:
    request = {"id": f"r-{number}", "requesting_user": "Rose", "status": "pending"}
    return {"type": "confirm", "confirm_id": f"c-{number}", "verb": "approve", "request": request}


class Person:
    """Answers when told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def confirm(self, _: str) -> bool:
        self.asked.set()
        try:
            return await self.answer
        finally:
            self.asked.clear()
            self.answer = asyncio.get_running_loop().create_future()

    def put_aside(self) -> None:
        self.answer.set_result(False)


class Shown:
    """Which question was shown."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def question(self, _: object, number: int) -> None:
        self.numbers.append(number)

    def question_prompt(self, _: object) -> str:
        return "[y/N] "

    def approval_prompt(self, _: object, __: str) -> str:
        return "[y/N] "

    def ask_approval(self, _: object, number: int, __: int, **___: object) -> None:
        self.numbers.append(number)


@pytest.fixture
async def person() -> Person:
    return Person()


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture
async def questions(person: Person, shown: Shown) -> Questions:
    return Questions(cast("Screen", shown), cast("Keyboard", person))


async def test_the_answer_belongs_to_its_question(questions: Questions, person: Person) -> None:
    questions.asked(confirm(1))
    task = asyncio.create_task(questions.answer())
    await person.asked.wait()
    person.answer.set_result(True)
    assert await task == ("c-1", True)
    assert questions.open is None
    assert await questions.answer() is None


async def test_a_question_that_was_closed_has_no_answer(questions: Questions, person: Person) -> None:
    questions.asked(confirm(1))
    task = asyncio.create_task(questions.answer())
    await person.asked.wait()
    questions.closed({"confirm_id": "c-0"})
    assert not person.answer.done()
    questions.closed({"confirm_id": "c-1"})
    assert await task is None


async def test_an_answer_that_came_too_soon_is_asked_for_again(questions: Questions, person: Person) -> None:
    assert not questions.asked_again()
    questions.asked(confirm(1))
    task = asyncio.create_task(questions.answer())
    await person.asked.wait()
    person.answer.set_result(True)
    await task
    assert questions.asked_again()
    assert questions.open is not None
    assert not questions.asked_again()


async def test_questions_are_counted_within_their_turn(questions: Questions, person: Person, shown: Shown) -> None:
    for number in (1, 2):
        questions.asked(confirm(number))
        task = asyncio.create_task(questions.answer())
        await person.asked.wait()
        person.answer.set_result(True)
        await task
    assert shown.numbers == [1, 2]
    questions.turn_over()
    questions.asked(confirm(3))
    asyncio.get_running_loop().call_soon(questions.withdraw)
    await questions.answer()
    assert shown.numbers[-1] == 1


async def test_one_question_at_a_time(questions: Questions, person: Person, shown: Shown) -> None:
    first = asyncio.create_task(questions.decide("approve", {}, "", number=1, total=1))
    await person.asked.wait()
    questions.asked(confirm(1))
    second = asyncio.create_task(questions.answer())
    await asyncio.sleep(0)
    assert len(shown.numbers) == 1
    person.answer.set_result(False)
    assert await first is False
    await person.asked.wait()
    person.answer.set_result(True)
    assert await second == ("c-1", True)
