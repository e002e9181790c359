"""The person's own yes before an effect, once the model has read what others wrote.

Words of other people may instruct a model. So a conversation that holds such words is labelled, for good, and from then
on each call that is not read-only is put to the person first, as what it would do to what is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from family_food.chat.confirmation import Question, quoted
from family_food.chat.protocol import AskedCall, AskedFact
from family_food.messages import Entry, EventMessage, ToolCall
from family_food.ordering.menu import DISHES, ORDER, Dish, Menu, access_denied, order_check, price_text
from permit_core.access import OBJECT_KEY, Check, Effect, ResourceRef
from permit_core.bootstrap import Core
from permit_core.entries import ResourceInstance
from permit_core.errors import InvalidInput, NotFound, UserFacing
from permit_core.identity import Actor
from permit_core.labels import UNTRUSTED
from permit_core.ports.request import RequestKind
from permit_core.redaction import redact
from permit_core.views import plain

LONGEST_NAME = 128
_LONGEST_VALUE = 600
_ARGUMENTS = "arguments"
"""What a request of a call has of its asker's words besides the reason."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a call would do, as its person is asked about it.

    Attributes:
        sentence: what would be done, without a subject: ``order Foie Gras at Fancy French``.
        facts: the same part by part: (name, value).
        price: what it costs, for people; empty when that is not known.
    """

    sentence: str
    facts: tuple[tuple[str, str], ...] = ()
    price: str = ""

    def question(self, call: ToolCall) -> Question:
        """What the person is asked about a call that would do this."""
        price = f", price {self.price}" if self.price else ""
        asked = f"{self.sentence[:1].upper()}{self.sentence[1:]}{price}?"
        words = f"{asked} The assistant has read what others wrote, so it does nothing without your yes."
        shown = AskedCall(
            name=plain(call.name)[:LONGEST_NAME],
            arguments=redact(call.arguments),
            sentence=self.sentence,
            price=self.price,
            facts=[AskedFact(name=name, value=value) for name, value in self.facts],
        )
        return Question(words, "call", "done", call=shown)


class Consent:
    """Knows what a conversation has read, and what has to be asked because of it.

    Args:
        core: labels, policy and what is stored.
        actor: whose conversation it is.
        conversation_id: the place of what was read.
        own_tools: whether the tool server is the one that this server starts by itself. What another one answers is
            nobody's word that can be relied on.
    """

    def __init__(self, core: Core, actor: Actor, conversation_id: str, *, own_tools: bool) -> None:
        self._core = core
        self._actor = actor
        self._place = conversation_id
        self._own_tools = own_tools
        self._menu = Menu(core)

    def looks(self, tool: str) -> bool:
        """Whether a tool changes nothing, by the policy's word. What a tool says of itself is not asked."""
        declared = self._core.model.guard("tools", tool)
        return declared is not None and not declared.writes

    async def tainted(self) -> bool:
        """Whether the conversation holds words that may instruct the model.

        Raises:
            StoreError: it cannot be known.
        """
        return UNTRUSTED in await self._core.labels.of(self._actor, self._place)

    # What was read

    async def note_entries(self, entries: Sequence[Entry]) -> None:
        """Label the conversation for what is about to be put into it; to be awaited before a model sees it.

        Raises:
            StoreError: the label is not durable.
        """
        for entry in entries:
            if isinstance(entry, EventMessage) and _event_has_words(entry):
                await self._taint(entry.event)

    async def note_result(self, tool: str, content: Mapping[str, Any]) -> None:
        """Label the conversation for a tool's answer; to be awaited before a model sees it.

        Raises:
            StoreError: the label is not durable, or it cannot be known whose words they are.
        """
        if not self._own_tools or await self._has_words_of_others(content):
            await self._taint(plain(tool)[:LONGEST_NAME])

    async def _taint(self, source: str) -> None:
        await self._core.labels.taint(self._actor, self._place, [UNTRUSTED], source, kept=True)

    async def _has_words_of_others(self, content: Mapping[str, Any]) -> bool:
        for part, words in _written(content):
            if not words.keys() <= {"reason", "comment", _ARGUMENTS} or not await self._are_own(part, words):
                return True
        return False

    async def _are_own(self, request: Mapping[str, Any], words: Mapping[str, Mapping[str, Any]]) -> bool:
        """Whether the words in a request were written by this person. A name proves nothing; the stored request does."""
        if any(each.get("written_by") != plain(self._actor.name) for each in words.values()):
            return False
        try:
            kind = RequestKind(str(request.get("kind")))
            stored = await self._core.approvals.get(self._actor, kind, str(request.get("id")))
        except (ValueError, UserFacing):
            return False
        wrote = {"reason": stored.user, "comment": stored.decided_by, _ARGUMENTS: stored.user}
        return all(wrote[name] == self._actor.user for name in words)

    # What is asked

    async def wish(self, call: ToolCall) -> Wish | None:
        """What a call would do, from what is stored; None when a reviewer has agreed to exactly that already.

        Raises:
            UserFacing: what it is about is not there, or not open to this person: nothing is to be asked.
        """
        match call.name:
            case "order_dish":
                return await self._order(call.arguments)
            case "create_access_request":
                return await self._access(call.arguments)
            case "create_operation_approval":
                return await self._approval(call.arguments)
        return _call(call)

    async def _order(self, arguments: Mapping[str, Any]) -> Wish | None:
        place = await self._menu.open(self._actor, _text(arguments, "restaurant_id"))
        dish = await self._menu.find_dish(self._actor, place, _text(arguments, "dish_name"))
        if await self._agreed_to(dish):
            return None
        facts = (("What", _named(dish.instance)), ("Where", _named(place)))
        return Wish(f"order {_named(dish.instance)} at {_named(place)}", facts, price_text(dish.price_cents))

    async def _agreed_to(self, dish: Dish) -> bool:
        """Whether an order of this dish would use up an approval of exactly it."""
        decision = await self._core.pdp.decide(order_check(self._actor, dish.instance.ref))
        if decision.effect is not Effect.REQUIRE_APPROVAL:
            return False
        return await self._core.approvals.usable(self._actor, ORDER, dish.instance) is not None

    async def _access(self, arguments: Mapping[str, Any]) -> Wish:
        ref = ResourceRef.parse(_text(arguments, "resource_instance"), self._core.settings.resource_key)
        instance = await self._instance(ref)
        role = _text(arguments, "role")
        kind = self._core.model.resource_type(ref.type)
        known = kind.roles.get(role) if kind is not None else None
        called = plain((known.name if known is not None else None) or role)[:100]
        reason = quoted(_text(arguments, "reason"))
        facts = (("What", _named(instance)), ("Role", called), ("Reason", reason))
        return Wish(f"ask a reviewer for the role {called} on {_named(instance)}, with the reason {reason}", facts)

    async def _approval(self, arguments: Mapping[str, Any]) -> Wish:
        operation = _text(arguments, "operation") or ORDER
        rule = self._core.model.operation_rule(operation, None)
        ref = ResourceRef.parse(_text(arguments, "resource_instance"), DISHES if rule is None else rule.resource)
        instance = await self._instance(ref)
        if rule is None:
            raise InvalidInput("That cannot be approved.", code="unknown_operation")
        decision = await self._core.pdp.decide(Check(self._actor, operation, ref))
        if decision.effect is Effect.DENY:  # what is not open to somebody is not shown to them in a question either
            raise access_denied("That is not open to you.", decision)
        dish = Dish.of(instance) if ref.type == DISHES else None
        price = price_text(dish.price_cents) if dish is not None else ""
        reason = quoted(_text(arguments, "reason"))
        what = f"{plain(operation)[:100]} {_named(instance)}"
        facts = (("What", f"{what}, once"), ("Reason", reason))
        return Wish(f"ask a reviewer for a yes to {what}, with the reason {reason}", facts, price)

    async def _instance(self, ref: ResourceRef) -> ResourceInstance:
        found = (
            await self._core.directory.instance(self._actor.environment, self._actor.tenant, ref) if ref.key else None
        )
        if found is None:
            raise NotFound("There is no such thing.", code="no_such_instance", hint="Use one that was listed.")
        return found


def _event_has_words(event: EventMessage) -> bool:
    """Whether an event tells the model what somebody else wrote; what cannot be read does."""
    if event.event == "turn_interrupted":
        return False
    request = event.request
    if request is None or (request.kind == RequestKind.CALL.value and event.event == "request_created"):
        return True
    return bool(request.comment is not None and request.comment.text)


def _written(content: Any) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Mapping[str, Any]]]]:
    """Every object that holds words of people (:class:`permit_core.views.PersonText`), with these words by name.

    What a call that waits was called with is such words as well: whoever asked, or their model, wrote it.
    """
    waiting: list[Any] = [content]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list | tuple):
            waiting += part
        elif isinstance(part, Mapping):
            words = {
                str(name): value
                for name, value in part.items()
                if isinstance(value, Mapping) and "treat_as" in value and value.get("text")
            }
            if part.get("kind") == RequestKind.CALL.value and "requesting_user" in part:
                words[_ARGUMENTS] = {"written_by": part["requesting_user"]}
            if words:
                yield part, words
            waiting += [value for name, value in part.items() if str(name) not in words]


def _named(instance: ResourceInstance) -> str:
    return f"{plain(instance.name)} ({instance.ref})"


def _text(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    return value if isinstance(value, str) else ""


def _call(call: ToolCall) -> Wish:
    """A call of which nothing is stored: its own words, as they are."""
    arguments = redact(call.arguments)
    facts = tuple((_as_name(str(name)), _cut(plain(str(value)))) for name, value in arguments.items())
    spelled = ", ".join(f"{name} {quoted(value)}" for name, value in facts)
    name = plain(call.name)[:LONGEST_NAME]
    return Wish(f"call {name}{f' with {spelled}' if spelled else ''}", (("Call", name), *facts))


def _as_name(text: str) -> str:
    """An argument's name as it is; in quotation marks where it is more than a name, and could pass for a sentence."""
    name = plain(text)[:100]
    return name if OBJECT_KEY.match(name) else quoted(name)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
