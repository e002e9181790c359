"""A stand-in for the Gemini API: its wire protocol over real HTTP, its refusals, and a brain of one's choice.

It refuses what the service refuses: no key (403), an unknown model (404), no contents, a conversation that ends with
the model, a call without its answer, a call of the current turn without the thought signature it was given (400).

As a program, with the offline demo model for a brain::

    python -m tests.support.gemini_standin --port 8099 --brain demo
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import inspect
import json
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from family_food.messages import EventMessage, ModelStep, Recap, Shown, ToolCall, ToolResult, ToolResults, UserMessage
from family_food.models.port import Model, Prompt, StepEnd, ToolDeclaration
from tests.support.http_standin import Dropped, Exchange, HttpStandIn

KEY = "test-key-0123456789"
MODEL = "gemini-3.8-flash"
DUMMY_SIGNATURE = b"skip_thought_signature_validator"
_MAGIC = b"\xfb\xff\xfe"
_STATE_AT = len(_MAGIC) + hashlib.sha256().digest_size
_ROUTE = re.compile(r"/(?P<version>v\d\w*)/models/(?P<model>[^/:]+):(?P<verb>\w+)")
_EVENT = re.compile(r'<server_event name="(\w+)">\n(.*)\n</server_event>\n', re.DOTALL)


@dataclass(frozen=True)
class Call:
    """A function call to answer with. ``id`` None: the stand-in gives one; empty: it is left out."""

    name: str
    args: dict[str, Any] = field(default_factory=dict)
    id: str | None = None


@dataclass(frozen=True)
class Answer:
    """What the model answers, each word of ``text`` in a chunk of its own.

    ``state`` is what the brain wants to see again with this step. It travels in the thought signature, which is where
    the real models keep theirs: a client that loses a signature, or changes it, makes the brain forget.
    """

    text: Sequence[str] = ()
    calls: Sequence[Call] = ()
    thoughts: Sequence[str] = ()
    finish: str | None = "STOP"
    block: str | None = None
    calls_in_one_chunk: bool = True
    late_signature: bool = False
    state: bytes = b""


@dataclass(frozen=True)
class Refusal:
    """An HTTP error before any stream; with ``after``, an error in the middle of one."""

    code: int
    status: str = "UNKNOWN"
    message: str = "refused"
    details: Sequence[dict[str, Any]] = ()
    headers: dict[str, str] = field(default_factory=dict)
    after: Answer | None = None

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": self.message, "status": self.status}
        return {"error": error | ({"details": list(self.details)} if self.details else {})}


@dataclass(frozen=True)
class Silence:
    """Nothing more after ``after`` until the client leaves; with ``after`` None not even a status line."""

    after: Answer | None = None


@dataclass(frozen=True)
class Break:
    """The connection breaks after ``after``."""

    after: Answer | None = None


@dataclass(frozen=True)
class Raw:
    """Bytes as they are, in a 200 stream."""

    data: bytes


Reaction = Answer | Refusal | Silence | Break | Raw


@dataclass(frozen=True)
class WireRequest:
    """A request that was let in."""

    path: str
    model: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def contents(self) -> list[dict[str, Any]]:
        contents: list[dict[str, Any]] = self.body["contents"]
        return contents

    def prompt(self) -> Prompt:
        """The request as our own prompt: the way back from the wire."""
        system = "".join(part.get("text", "") for part in (_key(self.body, "systemInstruction") or {}).get("parts", []))
        mode = (_key(_key(self.body, "toolConfig") or {}, "functionCallingConfig") or {}).get("mode", "AUTO")
        return Prompt(system, [_entry(c) for c in self.contents], _declared(self.body), may_call=mode != "NONE")


Brain = Callable[[WireRequest], Reaction | Awaitable[Reaction]]


def script(*reactions: Reaction) -> Brain:
    """A brain that reacts in the order given and has nothing to say afterwards."""
    rest = iter(reactions)
    return lambda _: next(rest)


def model_brain(model: Model) -> Brain:
    """A brain that is one of our own models, fed with what came over the wire."""

    async def brain(request: WireRequest) -> Reaction:
        async with aclosing(model.step(request.prompt())) as events:
            async for event in events:
                if isinstance(event, StepEnd):
                    step = event.step
                    state = json.dumps({"provider": step.provider, "native": step.native}).encode()
                    calls = [Call(call.name, call.arguments) for call in step.calls]
                    return Answer(re.findall(r"\s*\S+\s*", step.text), calls, late_signature=not calls, state=state)
        raise AssertionError("a step without an end")

    return brain


class GeminiStandIn(HttpStandIn):
    """The service. ``requests`` are those it let in, ``refused`` the messages of its own refusals."""

    def __init__(self, brain: Brain, *, key: str = KEY, models: Iterable[str] = (MODEL,)) -> None:
        super().__init__()
        self.brain, self.key, self.models = brain, key, frozenset(models)
        self.requests: list[WireRequest] = []
        self.refused: list[str] = []
        self.attempts = 0
        self._ids = count(1)

    async def handle(self, exchange: Exchange) -> None:
        self.attempts += 1
        request, refusal = self._let_in(exchange)
        if request is None:
            assert refusal is not None
            self.refused.append(refusal.message)
            await exchange.json(refusal.code, refusal.body())
            return
        self.requests.append(request)
        reaction = self.brain(request)
        await self._react(exchange, request, await reaction if inspect.isawaitable(reaction) else reaction)

    def _let_in(self, exchange: Exchange) -> tuple[WireRequest | None, Refusal | None]:
        http = exchange.request
        route = _ROUTE.search(http.path)
        if http.headers.get("x-goog-api-key") != self.key:
            return None, Refusal(403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers.")
        if http.method != "POST" or route is None or route["verb"] != "streamGenerateContent":
            return None, Refusal(404, "NOT_FOUND", "no such method")
        if route["model"] not in self.models:
            return None, Refusal(404, "NOT_FOUND", f"models/{route['model']} is not found")
        body = http.json()
        if wrong := _wrong(body, route["model"]):
            return None, Refusal(400, "INVALID_ARGUMENT", wrong)
        return WireRequest(http.path, route["model"], http.headers, body), None

    async def _react(self, exchange: Exchange, request: WireRequest, reaction: Reaction) -> None:
        if isinstance(reaction, Refusal) and reaction.after is None:
            await exchange.json(reaction.code, reaction.body(), reaction.headers)
            return
        if isinstance(reaction, Silence | Break) and reaction.after is None:
            await self._stop(reaction)
        await exchange.stream()
        if isinstance(reaction, Raw):
            await exchange.send(reaction.data)
            return
        answer = reaction if isinstance(reaction, Answer) else reaction.after
        assert answer is not None
        whole = reaction is answer
        for chunk in self._chunks(answer, request.model, whole=whole):
            await exchange.send(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        if isinstance(reaction, Refusal):
            await exchange.send(b"data: " + json.dumps(reaction.body()).encode() + b"\n\n")
        elif isinstance(reaction, Silence | Break):
            await self._stop(reaction)

    async def _stop(self, reaction: Silence | Break) -> None:
        if isinstance(reaction, Break):
            raise Dropped
        await asyncio.Event().wait()

    def _chunks(self, answer: Answer, model: str, *, whole: bool) -> Iterable[dict[str, Any]]:
        spent = {"promptTokenCount": 11, "totalTokenCount": 11}
        if answer.block:
            yield {"promptFeedback": {"blockReason": answer.block}, "usageMetadata": spent}
            return
        for thought in answer.thoughts:
            yield _chunk([{"text": thought, "thought": True}], spent)
        for words in answer.text:
            yield _chunk([{"text": words}], spent)
        calls = [self._call_part(call, model, None if n else answer.state) for n, call in enumerate(answer.calls)]
        if answer.calls_in_one_chunk and calls:
            yield _chunk(calls, spent)
        elif calls:
            yield from (_chunk([call], spent) for call in calls)
        if whole:
            last: dict[str, Any] = {"text": ""}
            if answer.late_signature:
                last["thoughtSignature"] = _encoded(_signature(model, "", {}, answer.state))
            total = {"promptTokenCount": 11, "candidatesTokenCount": 7, "thoughtsTokenCount": 3, "totalTokenCount": 21}
            end = _chunk([last], total)
            if answer.finish:
                end["candidates"][0]["finishReason"] = answer.finish
            yield end

    def _call_part(self, call: Call, model: str, state: bytes | None) -> dict[str, Any]:
        function: dict[str, Any] = {"name": call.name, "args": call.args}
        if call.id is None:
            function["id"] = f"fc-{next(self._ids)}"
        elif call.id:
            function["id"] = call.id
        part: dict[str, Any] = {"functionCall": function}
        if state is not None:  # only the first call of a step is signed
            part["thoughtSignature"] = _encoded(_signature(model, call.name, call.args, state))
        return part


def _chunk(parts: list[dict[str, Any]], spent: dict[str, int]) -> dict[str, Any]:
    candidate = {"content": {"parts": parts, "role": "model"}, "index": 0}
    return {"candidates": [candidate], "usageMetadata": spent, "modelVersion": "stand-in", "responseId": "r1"}


def _signature(model: str, name: str, args: dict[str, Any], state: bytes) -> bytes:
    """A signature is bound to what it signs and to the model that gave it. Its bytes need both base64 alphabets."""
    signed = json.dumps([model, name, args], sort_keys=True).encode() + state
    return _MAGIC + hashlib.sha256(signed).digest() + state


def _is_signed(signature: bytes, model: str, name: str, args: dict[str, Any]) -> bool:
    return signature == _signature(model, name, args, signature[_STATE_AT:])


def _state(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """What the brain kept in the signatures of a step: provider and native part, if it was one of our models."""
    for part in parts:
        state = _decoded(_key(part, "thoughtSignature") or "")[_STATE_AT:]
        if state.startswith(b"{"):
            kept: dict[str, Any] = json.loads(state)
            return kept
    return {}


def _encoded(signature: bytes) -> str:
    return base64.b64encode(signature).decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_"))


def _key(body: dict[str, Any], camel: str) -> Any:
    """A field in either spelling: the service takes both."""
    return body.get(camel, body.get(re.sub(r"([A-Z])", lambda m: "_" + m[1].lower(), camel)))


def _wrong(body: dict[str, Any], model: str) -> str | None:
    """What the service would refuse in this body."""
    contents = body.get("contents")
    if not contents:
        return "contents are not specified"
    if any(not content.get("parts") for content in contents):
        return "contents.parts must not be empty"
    if contents[-1].get("role") == "model":
        return "Please ensure that the conversation ends with a user turn"
    mode = _key(_key(body, "toolConfig") or {}, "functionCallingConfig")
    if mode and not _declared(body):
        return "Function calling config is set without function_declarations."
    for before, content in zip([{}, *contents], contents, strict=False):
        calls = any(_key(part, "functionCall") for part in content["parts"])
        if calls and before.get("role") != "user":
            return "Please ensure that function call turn comes immediately after a user turn."
    return _wrong_pairs(contents) or _wrong_signatures(contents, model)


def _wrong_pairs(contents: list[dict[str, Any]]) -> str | None:
    unequal = (
        "Please ensure that the number of function response parts is equal to the number of function call parts of "
        "the function call turn."
    )
    for before, content in zip([{}, *contents], [*contents, {}], strict=True):
        calls = [_key(p, "functionCall") for p in before.get("parts", []) if _key(p, "functionCall")]
        answers = [_key(p, "functionResponse") for p in content.get("parts", []) if _key(p, "functionResponse")]
        if len(calls) != len(answers):
            return unequal
        if answers and len(answers) != len(content["parts"]):
            return "function responses must not be mixed with other parts"
        for call, answer in zip(calls, answers, strict=True):
            if call["name"] != answer["name"] or call.get("id") != answer.get("id"):
                return "function responses must answer the function calls in order"
            if not isinstance(answer.get("response"), dict):
                return "function_response.response must be an object"
    return None


def _wrong_signatures(contents: list[dict[str, Any]], model: str) -> str | None:
    """Only the current turn counts: what came after the last words of the user."""
    said = [n for n, c in enumerate(contents) if c.get("role") == "user" and any("text" in p for p in c["parts"])]
    for content in contents[said[-1] if said else 0 :]:
        first = next((part for part in content["parts"] if _key(part, "functionCall")), None)
        if first is None:
            continue
        call = _key(first, "functionCall")
        given = _key(first, "thoughtSignature")
        if not given:
            return f"Function call is missing a thought_signature in functionCall parts: {call['name']}"
        signature = _decoded(given)
        if signature != DUMMY_SIGNATURE and not _is_signed(signature, model, call["name"], call.get("args", {})):
            return "Corrupted thought signature."
    return None


def _declared(body: dict[str, Any]) -> list[ToolDeclaration]:
    return [
        ToolDeclaration(f["name"], f["description"], _key(f, "parametersJsonSchema") or f.get("parameters") or {})
        for tool in body.get("tools", [])
        for f in _key(tool, "functionDeclarations") or []
    ]


def _entry(content: dict[str, Any]) -> Shown:
    parts = content["parts"]
    if content.get("role") == "model":
        calls = [_key(part, "functionCall") for part in parts if _key(part, "functionCall")]
        return ModelStep(
            text="".join(part["text"] for part in parts if "text" in part and not part.get("thought")),
            calls=[_tool_call(n, call) for n, call in enumerate(calls)],
            **_state(parts),
        )
    answers = [_key(part, "functionResponse") for part in parts if _key(part, "functionResponse")]
    if answers:
        return ToolResults(results=[_tool_result(n, answer) for n, answer in enumerate(answers)])
    text = "".join(part.get("text", "") for part in parts)
    if event := _EVENT.match(text):
        data = json.loads(event[2])
        return Recap(**data) if event[1] == "recap" else EventMessage(event=event[1], data=data)
    return UserMessage(text=text)


def _tool_call(number: int, call: dict[str, Any]) -> ToolCall:
    return ToolCall(id=call.get("id") or str(number), name=call["name"], arguments=call.get("args", {}))


def _tool_result(number: int, answer: dict[str, Any]) -> ToolResult:
    response = answer["response"]
    failed = "error" in response
    return ToolResult(
        call_id=answer.get("id") or str(number),
        name=answer["name"],
        content=response if failed else response["result"],
        is_error=failed,
    )


@asynccontextmanager
async def gemini_standin(brain: Brain, *, port: int = 0, **options: Any) -> AsyncIterator[GeminiStandIn]:
    """A stand-in that serves as long as the block lasts."""
    standin = GeminiStandIn(brain, **options)
    async with standin.serving(port):
        yield standin


async def _serve(arguments: argparse.Namespace) -> None:
    from family_food.models.demo import DemoModel

    brain = model_brain(DemoModel())
    async with gemini_standin(brain, port=arguments.port, key=arguments.key, models=arguments.model) as standin:
        sys.stdout.write(f"listening on {standin.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    """Serve until interrupted. The first line of output says where."""
    parser = argparse.ArgumentParser(description="A stand-in for the Gemini API on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--brain", choices=["demo"], default="demo")
    parser.add_argument("--key", default=KEY, help="the only API key that is let in")
    parser.add_argument("--model", action="append", default=[MODEL], help="a model that exists (repeatable)")
    try:
        asyncio.run(_serve(parser.parse_args()))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
