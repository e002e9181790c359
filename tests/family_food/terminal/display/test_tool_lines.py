"""Tool calls, one line each."""

from __future__ import annotations

from typing import Any

from family_food.terminal.display.tool_lines import ToolLines, spelled

CALL: dict[str, Any] = {"call_id": "1", "name": "order_dish", "arguments": {"restaurant_id": 4, "dish_name": "Tempura"}}


class Clock:
    """A clock that is moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_call_that_is_over_tells_arguments_outcome_and_time() -> None:
    clock = Clock()
    lines = ToolLines(clock)
    assert lines.started(CALL) == 'order_dish(restaurant_id=4, dish_name="Tempura")'
    clock.now += 1.25
    assert lines.running == [('order_dish(restaurant_id=4, dish_name="Tempura")', 1.25)]
    line = lines.ended(CALL | {"state": "done", "content": "order_dish: ordered Tempura, 9.99"})
    assert line.call() == 'order_dish(restaurant_id=4, dish_name="Tempura")'
    assert line.ending == ["ordered Tempura, 9.99", "1.2 s"]
    assert lines.running == []


def test_an_outcome_that_says_no_more_than_done_is_left_out() -> None:
    for content in ("order_dish: done", "done", "order_dish", "", None):
        line = ToolLines().ended(CALL | {"state": "done", "content": content})
        assert line.ending == []


def test_a_refusal_has_its_code_once() -> None:
    frame = CALL | {"state": "refused", "content": "order_dish: Not without approval.", "code": "approval_needed"}
    assert ToolLines().ended(frame).ending == ["Not without approval. (approval_needed)"]
    said = frame | {"content": "order_dish: approval_needed"}
    assert ToolLines().ended(said).ending == ["approval_needed"]


def test_a_state_nobody_knows_is_a_failure() -> None:
    assert ToolLines().ended(CALL | {"state": "exploded"}).state == "failed"


def test_arguments_are_cut_first() -> None:
    line = ToolLines().ended(CALL | {"state": "done"})
    assert line.call(24) == "order_dish(restaurant_…)"
    assert len(line.call(24)) == 24
    assert line.call(5) == "order_dish(…)"


def test_calls_of_a_turn_that_is_over_do_not_run() -> None:
    lines = ToolLines()
    for number in range(200):
        lines.started(CALL | {"call_id": number})
    assert len(lines.running) == 64
    lines.forget()
    assert lines.running == []


def test_arguments_that_are_no_json_are_spelled_all_the_same() -> None:
    assert spelled({"a": {1, 2}, "b\x1b": "x\ny"}) == 'a=set, b="x\\ny"'
    assert spelled(None) == ""
    assert len(spelled({"a": "x" * 10_000})) == 2000
