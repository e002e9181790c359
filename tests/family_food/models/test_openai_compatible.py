"""Chat completions over real HTTP, against a server with the habits of the real ones."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from family_food.messages import EventMessage, ModelStep, Recap, RecapTurn, ToolCall, ToolResult, ToolResults
from family_food.models.openai_compatible import OpenAICompatibleModel
from family_food.models.port import Finish, ModelError, Prompt, TextDelta, Usage
from family_food.models.stream_pump import Patience
from family_food.models.tool_arguments import NOT_JSON
from tests.support.openai_standin import (
    MODEL,
    Brain,
    Break,
    Completion,
    OpenAIStandIn,
    Raw,
    Reaction,
    Refusal,
    Silence,
    called,
    fragment,
    openai_standin,
    said,
    script,
)
from tests.support.prompts import WAIT_SECONDS, answers_to, asking, run

PATIENCE = Patience(first_event=15, gap=15)


@asynccontextmanager
async def completions(
    brain: Brain, *, key: str = "", **options: Any
) -> AsyncIterator[tuple[OpenAICompatibleModel, OpenAIStandIn]]:
    async with openai_standin(brain, key=key) as standin:
        chosen: dict[str, Any] = {"model": MODEL, "api_key": key, "patience": PATIENCE} | options
        model = OpenAICompatibleModel(f"{standin.url}/v1", **chosen)
        try:
            yield model, standin
        finally:
            await model.close()


async def failure(model: OpenAICompatibleModel, prompt: Prompt | None = None) -> ModelError:
    with pytest.raises(ModelError) as raised:
        await run(model, prompt or asking("hello"))
    return raised.value


async def calls_of(reaction: Reaction) -> list[tuple[str, dict[str, Any]]]:
    async with completions(script(reaction)) as (model, _):
        step = (await run(model, asking("go"))).step
    assert len({call.id for call in step.calls}) == len(step.calls)
    assert all(call.id for call in step.calls)
    return [(call.name, call.arguments) for call in step.calls]


async def test_words_come_as_they_are_said() -> None:
    async with completions(script(said("Good ", "", "day", "\u2028!"))) as (model, standin):
        outcome = await run(model, asking("hello"))
    assert outcome.deltas == ["Good ", "day", "\u2028!"]
    assert outcome.step == ModelStep(text="Good day\u2028!", provider=f"openai:{MODEL}")
    assert outcome.end.usage == Usage(5, 3)
    body = standin.requests[0]
    assert body["messages"] == [
        {"role": "system", "content": "You order food."},
        {"role": "user", "content": "hello"},
    ]
    assert (body["stream"], body["stream_options"], body["tool_choice"]) == (True, {"include_usage": True}, "auto")
    assert [tool["function"]["name"] for tool in body["tools"]] == ["list_dishes", "list_orders"]


async def test_without_tools_none_are_mentioned_and_without_a_system_text_none_is_sent() -> None:
    async with completions(script(said("ok"))) as (model, standin):
        await run(model, Prompt("", asking("hello").entries))
    assert {"tools", "tool_choice"}.isdisjoint(standin.requests[0])
    assert standin.requests[0]["messages"][0]["role"] == "user"


async def test_the_whole_round_of_parallel_calls() -> None:
    both = called(
        fragment("", name="list_dishes", call_id="a", index=0),
        fragment('{"restaurant', index=0),
        fragment('_id":"1"}', index=0),
        fragment("", name="list_orders", call_id="b", index=1),
        fragment("{}", index=1),
    )
    async with completions(script(both, said("done"))) as (model, standin):
        outcome = await run(model, asking("go"))
        assert outcome.step.calls == [
            ToolCall(id="a", name="list_dishes", arguments={"restaurant_id": "1"}),
            ToolCall(id="b", name="list_orders", arguments={}),
        ]
        second = await run(model, asking("go", outcome.step, answers_to(outcome.step)))
    assert second.step.text == "done"
    told = standin.requests[1]["messages"][2:]
    assert [message["role"] for message in told] == ["assistant", "tool", "tool"]
    assert told[0]["content"] is None
    assert [message["tool_call_id"] for message in told[1:]] == ["a", "b"]


@pytest.mark.parametrize(
    "fragments",
    [
        pytest.param(
            [fragment('{"n":1}', name="f", call_id="a"), fragment('{"n":2}', name="f", call_id="b")],
            id="whole calls without an index",
        ),
        pytest.param(
            [fragment('{"n":1}', name="f"), fragment('{"n":2}', name="f")], id="whole calls without index and id"
        ),
        pytest.param(
            [fragment('{"n":1}', name="f", call_id="a", index=0), fragment('{"n":2}', name="f", call_id="b", index=0)],
            id="every call numbered 0",
        ),
        pytest.param(
            [fragment('{"n":1}', name="f", call_id="a", index=0), fragment('{"n":2}', name="f", call_id="a", index=1)],
            id="one id for all",
        ),
        pytest.param(
            [
                fragment('{"n"', name="f", call_id="a"),
                fragment(":1}"),
                fragment("", name="f", call_id="b"),
                fragment('{"n":2}'),
            ],
            id="fragments without an index",
        ),
        pytest.param(
            [
                fragment('{"n"', name="f", call_id="a", index=0),
                fragment(":1}", name="f", call_id="a", index=0),
                fragment('{"n":2}', name="f", call_id="b", index=1),
            ],
            id="name and id repeated",
        ),
        pytest.param(
            [fragment({"n": 1}, name="f", index=0), fragment({"n": 2}, name="f", index=1)], id="arguments as objects"
        ),
    ],
)
async def test_calls_are_joined_whatever_the_server_leaves_out(fragments: list[dict[str, Any]]) -> None:
    assert await calls_of(called(*fragments)) == [("f", {"n": 1}), ("f", {"n": 2})]


@pytest.mark.parametrize("arguments", ["", "  ", "{}", "null", None])
async def test_no_arguments_are_no_arguments(arguments: str | None) -> None:
    assert await calls_of(called(fragment(arguments, name="f", call_id="a", index=0))) == [("f", {})]


@pytest.mark.parametrize(
    "arguments",
    ['{"n": 1', "n=1", "[1]", '"text"', '{"n": NaN}', "[" * 100_000, '{"n": 1' + "0" * 5000 + "}", '{"n": "\\ud800"}'],
)
async def test_arguments_that_are_not_json_become_a_call_that_every_tool_refuses(arguments: str) -> None:
    async with completions(script(called(fragment(arguments, name="f", index=0)), said("sorry"))) as (model, standin):
        step = (await run(model, asking("go"))).step
        assert step.calls[0].arguments == {NOT_JSON: arguments[:500]}
        # The conversation goes on: what is sent back is JSON, and shows the model what it wrote.
        await run(model, asking("go", step, answers_to(step)))
    assert standin.refused == []


async def test_calls_that_were_forbidden_are_left_out() -> None:
    stubborn = Completion([{"content": "Well."}, {"tool_calls": [fragment("{}", name="f", call_id="a")]}], "tool_calls")
    async with completions(script(stubborn)) as (model, standin):
        outcome = await run(model, asking("go", may_call=False))
    assert (outcome.step.text, outcome.step.calls) == ("Well.", [])
    assert standin.requests[0]["tool_choice"] == "none"


async def test_reasoning_is_not_shown() -> None:
    async with completions(script(Completion([{"reasoning_content": "hm"}, {"content": "Hi"}]))) as (model, _):
        assert (await run(model, asking("hello"))).deltas == ["Hi"]


async def test_a_recap_is_said_with_the_words_after_it() -> None:
    recap = Recap(turns=7, words=[RecapTurn(said="pizza </server_event>")])
    cut = EventMessage(event="turn_interrupted", data={})
    async with completions(script(said("ok"))) as (model, standin):
        await run(model, asking(recap, "hi", ModelStep(text="hello"), cut))
    told = standin.requests[0]["messages"]
    assert [message["role"] for message in told] == ["system", "user", "assistant", "user"]
    assert told[1]["content"].count("</server_event>") == 1
    assert told[1]["content"].endswith("\n\nhi")
    assert 'name="turn_interrupted"' in told[3]["content"]


async def test_what_an_interrupted_turn_left_open_is_closed() -> None:
    step = ModelStep(calls=[ToolCall(id="x", name="f", arguments={})], provider="demo")
    stray = ToolResults(results=[ToolResult(call_id="y", name="f", content={})])
    event = EventMessage(event="request_decided", data={"id": "req_1"})
    empty = ModelStep(provider="gemini:x")
    async with completions(script(said("ok"))) as (model, standin):
        await run(model, asking(stray, "go", step, event, empty, "and?"))
    told = standin.requests[0]["messages"]
    assert [message["role"] for message in told] == ["system", "user", "assistant", "tool", "user"]
    assert told[-1]["content"].endswith("\n\nand?")
    assert standin.refused == []


@pytest.mark.parametrize(("finish", "expected"), [("length", Finish.LENGTH), ("content_filter", Finish.BLOCKED)])
async def test_a_cut_or_blocked_answer_says_so_and_runs_no_calls(finish: str, expected: Finish) -> None:
    half = Completion([{"content": "Half"}, {"tool_calls": [fragment('{"n":', name="f", call_id="a")]}], finish)
    async with completions(script(half)) as (model, _):
        outcome = await run(model, asking("go"))
    assert (outcome.end.finish, outcome.step.text, outcome.step.calls) == (expected, "Half", [])


# Leaving


async def test_leaving_a_stream_stops_it_at_the_server() -> None:
    async with completions(lambda _: Silence(after=said("on ", "and "))) as (model, standin):
        async with aclosing(model.step(asking("hello"))) as events:
            assert await anext(events) == TextDelta("on ")
        await standin.clients_left(1)
        events = model.step(asking("hello"))
        await anext(events)
        del events
        await standin.clients_left(2)


async def test_a_cancelled_consumer_stops_the_server() -> None:
    async with completions(lambda _: Silence()) as (model, standin):
        task = asyncio.create_task(run(model, asking("hello")))
        await standin.streams_open(1)
        task.cancel()
        await standin.clients_left(1)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_hundred_and_thirty_streams_run_at_once() -> None:
    everyone = asyncio.Event()

    async def brain(_: object) -> Completion:
        if standin.open_streams == 130:
            everyone.set()
        async with asyncio.timeout(WAIT_SECONDS):
            await everyone.wait()
        return said("ok")

    async with completions(brain) as (model, standin):
        outcomes = await asyncio.gather(*(run(model, asking("hello")) for _ in range(130)))
    assert {outcome.step.text for outcome in outcomes} == {"ok"}


# Failures


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (302, "model_unavailable"),
        (400, "model_malformed"),
        (401, "model_refused_key"),
        (403, "model_refused_key"),
        (404, "model_unknown"),
        (408, "model_timeout"),
        (429, "model_rate_limited"),
        (500, "model_unavailable"),
        (503, "model_unavailable"),
        (504, "model_timeout"),
    ],
)
async def test_a_refusal_has_a_code(status: int, code: str) -> None:
    async with completions(lambda _: Refusal(status)) as (model, _):
        assert (await failure(model)).code == code


async def test_the_time_to_wait_is_told() -> None:
    async with completions(lambda _: Refusal(429, headers={"retry-after": "1"})) as (model, _):
        error = await failure(model)
    assert error.retry_after == 1
    assert "in 1 second." in error.message


async def test_a_key_is_a_bearer_token() -> None:
    async with completions(script(said("ok")), key="k-123") as (model, standin):
        assert (await run(model, asking("hello"))).step.text == "ok"
        other = OpenAICompatibleModel(f"{standin.url}/v1", MODEL, api_key="wrong", patience=PATIENCE)
        assert (await failure(other)).code == "model_refused_key"
        await other.close()


@pytest.mark.parametrize(
    ("code", "expected"),
    [(429, "model_rate_limited"), ("overloaded", "model_unavailable"), (None, "model_unavailable")],
)
async def test_an_error_in_the_middle_of_an_answer_is_reported(code: Any, expected: str) -> None:
    async with completions(lambda _: Refusal(200, code, after=said("Half"))) as (model, standin):
        assert (await failure(model)).code == expected
    assert standin.attempts == 1


@pytest.mark.parametrize("after", [None, said("Half")])
async def test_a_broken_connection_is_unavailable(after: Completion | None) -> None:
    async with completions(lambda _: Break(after)) as (model, _):
        assert (await failure(model)).code == "model_unavailable"


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with openai_standin(script()) as standin:
        pass
    model = OpenAICompatibleModel(standin.url, MODEL, patience=PATIENCE)
    assert (await failure(model)).code == "model_unavailable"
    await model.close()


@pytest.mark.parametrize("after", [None, said("Half")])
async def test_silence_is_noticed_and_the_request_given_up(after: Completion | None) -> None:
    brief = Patience(first_event=0.3 if after is None else 15, gap=0.2)
    async with completions(lambda _: Silence(after), patience=brief) as (model, standin):
        assert (await failure(model)).code == "model_timeout"
        await standin.clients_left(1)


@pytest.mark.parametrize(
    "data",
    [
        b"data: {no json\n\n",
        b"data: [1]\n\n",
        b'data: {"choices": 7}\n\n',
        b"data: \xff\n\n",
        b"data: " + b"x" * 5_000_000,
    ],
)
async def test_an_answer_that_is_not_the_protocol_is_malformed(data: bytes) -> None:
    async with completions(lambda _: Raw([data])) as (model, _):
        assert (await failure(model)).code == "model_malformed"


async def test_events_are_read_wherever_the_bytes_are_cut() -> None:
    text = 'data:{"choices":[{"delta":{"content":"gr\u00fc\u00df"}}]}\r\n\r\n: comment\r\nevent: x\r\n'
    last = 'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}'
    pieces = [bytes([byte]) for byte in (text + last).encode()]
    async with completions(script(Raw(pieces))) as (model, _):
        assert (await run(model, asking("hello"))).step.text == "gr\u00fc\u00df"


async def test_a_useless_answer_is_asked_for_once_more_and_then_reported() -> None:
    async with completions(script(said(" "), said("better"))) as (model, _):
        # What was shown, if only a space, is not taken back.
        assert (await failure(model)).code == "model_empty"
    async with completions(script(said(), said("better"))) as (model, _):
        assert (await run(model, asking("hello"))).step.text == "better"
    async with completions(lambda _: said()) as (model, standin):
        assert (await failure(model)).code == "model_empty"
    assert standin.attempts == 2


async def test_an_unknown_end_and_a_missing_one_are_errors() -> None:
    async with completions(script(said("Half", finish="tired<b>"))) as (model, _):
        assert "(tiredb)" in (await failure(model)).message
    async with completions(script(said("Half", finish=None))) as (model, _):
        assert (await failure(model)).code == "model_unavailable"


async def test_neither_messages_nor_logs_tell_key_address_or_words(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with completions(lambda _: Refusal(500), key="k-secret") as (model, standin):
        error = await failure(model, asking("my secret wish"))
    logged = " ".join(record.getMessage() for record in caplog.records)
    assert "secret" not in logged + error.message
    assert standin.url not in error.message


async def test_closing_leaves_nothing_open_and_is_final() -> None:
    async with completions(lambda _: said("ok")) as (model, _):
        await run(model, asking("hello"))
        await model.close()
        assert (await failure(model)).code == "model_unavailable"
    del model
    gc.collect()  # an open socket would warn, and warnings are errors


async def test_the_label_is_the_models_name() -> None:
    async with completions(script()) as (model, _):
        assert (model.label, model.offline) == (MODEL, False)
