"""The family story, played over the real thing: two people, two WebSockets, one database, nothing acted.

A child asks to see a restaurant that is not for children; a parent denies it with a comment, and grants it when the child
gives a better reason. The child wants a dish that costs too much; the parent approves it once, and the assistant places
the order by itself. A second order on the same approval is refused. From the parent's first comment on, the child's
assistant has read what somebody else wrote, so the child is asked before everything but looking. What the story needs to know, such as which
restaurant is closed to the child and which dish is dear, it learns from the answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from family_food.demo.backend import DemoAccount, DemoBackend, demo_accounts
from family_food.demo.person import Frame, Person, StoryProblem, Turn
from family_food.demo.record import Claim, Ruling, Told, check_record
from family_food.demo.transcript import Transcript
from family_food.terminal.problem import ChatProblem

# Beyond the longest turn, which the server ends by itself.
_SPARE_SECONDS = 30.0


@dataclass
class Outcome:
    """How the story went.

    Attributes:
        claims: what the database was asked, and what it said.
        told_after: seconds from each decision until the child's session was told of it.
        told: what the database must hold; None when the story broke off.
    """

    claims: list[Claim] = field(default_factory=list)
    told_after: list[float] = field(default_factory=list)
    told: Told | None = None
    problem: str = ""

    @property
    def good(self) -> bool:
        """True when it went as told and the database holds exactly that."""
        return not self.problem and bool(self.claims) and all(claim.holds for claim in self.claims)


async def tell(backend: DemoBackend, console: Console | None = None) -> bool:
    """Play the story on a backend with a new database and print the transcript.

    Returns:
        True when it went as told and the database holds exactly what was told.
    """
    transcript = Transcript(console)
    outcome = await play(backend, transcript)
    if outcome.problem:
        transcript.note(f"The story broke off: {outcome.problem}", "bold red")
    elif outcome.good:
        transcript.note(f"The end. All {len(outcome.claims)} claims hold.", "bold green")
    else:
        transcript.note("The database does not hold what the story told.", "bold red")
    return outcome.good


async def play(backend: DemoBackend, transcript: Transcript) -> Outcome:
    """Play the story, then read the database."""
    outcome = Outcome()
    patience = backend.settings.turn_timeout_seconds + _SPARE_SECONDS
    child_account, parent_account = _cast(demo_accounts(backend.settings))
    transcript.chapter("The family story")
    try:
        async with (
            Person.logged_in(backend.url, child_account, transcript, patience) as child,
            Person.logged_in(backend.url, parent_account, transcript, patience) as parent,
        ):
            told = await _Story(child, parent, transcript, outcome).play()
    except (StoryProblem, ChatProblem) as problem:
        outcome.problem = str(problem)
        return outcome
    transcript.chapter("What the database holds")
    outcome.told = told
    outcome.claims = await check_record(backend.settings, told)
    for claim in outcome.claims:
        transcript.found(claim.text, holds=claim.holds)
    return outcome


def _cast(accounts: list[DemoAccount]) -> tuple[DemoAccount, DemoAccount]:
    """A child and a parent of the demo's family."""
    child = next(account for account in accounts if account.role == "child")
    parent = next(account for account in accounts if account.role == "parent")
    return child, parent


class _Story:
    """The plot. Each method is a scene."""

    def __init__(self, child: Person, parent: Person, transcript: Transcript, outcome: Outcome) -> None:
        self._child = child
        self._parent = parent
        self._transcript = transcript
        self._outcome = outcome
        self._rulings: list[Ruling] = []
        self._agreed: list[str] = []  # the tools of the calls that the child has said yes to
        self._refusals: list[tuple[str, str]] = []

    async def play(self) -> Told:
        """All scenes; returns what the database must hold now."""
        self._child.decide = self._agreeing
        restaurant = await self._a_closed_door()
        await self._denied(restaurant)
        menu = await self._granted(restaurant)
        dish = await self._a_dear_dish(restaurant, menu)
        await self._approved_once(restaurant, dish)
        await self._no_second_time(restaurant, dish)
        return Told(
            self._child.account.user, self._parent.account.user, self._rulings, dish, self._refusals, self._agreed
        )

    async def _a_closed_door(self) -> str:
        """The child finds a restaurant that it may not see; returns its name."""
        self._transcript.chapter("A restaurant that is not for children")
        turn = await self._child.brings_about(
            lambda turn: turn.did("list_resource_instances"),
            "the list of restaurants",
            ("Hi! Which restaurants are there?", "Please list every restaurant."),
        )
        listed = (turn.result("list_resource_instances") or {})["instances"]
        closed = [each["name"] for each in listed if each["your_access"] == "can_be_requested"]
        if not closed:
            raise StoryProblem(f"{self._child.name} may see every restaurant already: this is not a new database.")
        name = str(closed[-1])
        turn = await self._child.brings_about(
            lambda turn: bool(turn.outcomes("list_dishes")),
            f"the menu of {name}",
            (f"Show me the menu of {name}, please.", f"Try to list the dishes of {name}."),
        )
        self._refused("list_dishes", turn)
        return name

    async def _denied(self, restaurant: str) -> None:
        """The child asks, the parent says no and why, the child hears it."""
        self._transcript.chapter("Asked, and denied")
        reason = "I am hungry"
        await self._asks(
            "create_access_request",
            f"Please ask for access to {restaurant}, because {reason}.",
            f"Yes, please ask my parents for access to {restaurant} now. The reason is: {reason}.",
        )
        name = self._child.name
        comment = "tell me first what you want to eat there"
        turn = await self._decides(
            "deny",
            "denied",
            f"Deny {name}'s request for {restaurant}, because {comment}.",
            f"Yes, deny {name}'s access request for {restaurant}, with the comment: {comment}.",
        )
        said = self._rulings[-1].comment
        if said.casefold() not in turn.text.casefold():
            self._transcript.note("(The assistant put the comment into words of its own.)")

    async def _granted(self, restaurant: str) -> dict[str, Any]:
        """A better reason; the parent agrees, and the assistant carries on. Returns the menu."""
        self._transcript.chapter("Asked again with a better reason, and granted")
        reason = "grandma takes us there for her birthday"
        await self._asks(
            "create_access_request",
            f"Please ask again for access to {restaurant}, because {reason}.",
            f"Yes, create a new access request for {restaurant}. The reason is: {reason}.",
        )
        name = self._child.name
        turn = await self._decides(
            "approve",
            "approved",
            f"Approve {name}'s request for {restaurant}, with the comment: have fun, both of you.",
            f"Yes, approve {name}'s pending access request for {restaurant}.",
        )
        if not turn.did("list_dishes"):
            turn = await self._child.brings_about(
                lambda turn: turn.did("list_dishes"),
                f"the menu of {restaurant}",
                (f"Show me the menu of {restaurant}, please.", f"List the dishes of {restaurant}."),
            )
        return turn.result("list_dishes") or {}

    async def _a_dear_dish(self, restaurant: str, menu: dict[str, Any]) -> dict[str, Any]:
        """The child wants the dearest dish; the order is refused. Returns the dish."""
        self._transcript.chapter("A dish that costs too much")
        dear = [dish for dish in menu.get("dishes", []) if dish["order"] == "needs_approval"]
        if not dear:
            raise StoryProblem(f"No dish of {restaurant} needs an approval.")
        dish: dict[str, Any] = max(dear, key=lambda each: each["price_cents"])
        turn = await self._child.brings_about(
            lambda turn: bool(turn.outcomes("order_dish")),
            f"an order of {dish['name']}",
            (f"I would like to order the {dish['name']} at {restaurant}.", f"Try to order it: {dish['name']}."),
        )
        self._refused("order_dish", turn)
        return dish

    async def _approved_once(self, restaurant: str, dish: dict[str, Any]) -> None:
        """The parent approves, and the child's assistant orders by itself."""
        self._transcript.chapter("Approved once")
        reason = "grandma and I want to share it"
        await self._asks(
            "create_operation_approval",
            f"Yes, please ask for the approval of the {dish['name']}, because {reason}.",
            f"Please ask my parents to approve the {dish['name']} at {restaurant}. The reason is: {reason}.",
        )
        name = self._child.name
        turn = await self._decides(
            "approve",
            "used",
            f"Approve {name}'s {dish['name']}, with the comment: save a piece for me.",
            f"Yes, approve {name}'s pending request to order {dish['name']}.",
            price=dish["price"],
        )
        if not turn.did("order_dish"):
            raise StoryProblem(f"{name}'s assistant was told of the approval and did not order the {dish['name']}.")

    async def _no_second_time(self, restaurant: str, dish: dict[str, Any]) -> None:
        """An approval is good for one order."""
        self._transcript.chapter("No second time on one approval")
        turn = await self._child.brings_about(
            lambda turn: bool(turn.outcomes("order_dish")),
            f"a second order of {dish['name']}",
            (
                f"Order another {dish['name']} at {restaurant}, please.",
                f"Call order_dish for {dish['name']} once more.",
            ),
        )
        self._refused("order_dish", turn)
        await self._child.brings_about(
            lambda turn: turn.did("list_orders"), "the list of orders", ("What have I ordered?", "List my orders.")
        )

    async def _asks(self, tool: str, *words: str) -> None:
        """The child asks for something, and the parent hears of it."""
        since = self._parent.heard
        await self._child.brings_about(lambda turn: turn.did(tool), f"a call of {tool}", words)
        await self._parent.hears(
            "the notice of the request",
            lambda frame: frame["type"] == "notice" and frame["event"] == "request_created",
            since,
        )

    async def _decides(self, verb: str, ends_as: str, *words: str, price: str = "") -> Turn:
        """The parent decides and confirms what the server asks; returns the turn the child's assistant then takes."""
        asked: list[Frame] = []
        self._parent.decide = self._confirming(verb, price, asked)
        child_since = self._child.heard
        tools = {f"{verb}_access_request", f"{verb}_operation_approval"}
        turn = await self._parent.brings_about(
            lambda turn: any(turn.did(tool) for tool in tools), f"the parent's decision to {verb}", words
        )
        self._parent.decide = lambda _: False
        self._rulings.append(Ruling(asked[-1]["request"], asked[-1]["comment"], ends_as))
        told = await self._child.hears(
            "the notice of the decision",
            lambda frame: frame["type"] == "notice" and frame["event"] == "request_decided",
            child_since,
        )
        done = next(f for f in turn.frames if f["type"] == "tool" and f["name"] in tools and f["state"] == "done")
        after = max(0.0, self._child.arrival(told) - self._parent.arrival(done))
        self._outcome.told_after.append(after)
        self._transcript.note(f"({self._child.name}'s open session was told after {after:.2f} seconds.)")
        return await self._child.sees_turn("what the assistant makes of the decision", child_since)

    def _agreeing(self, frame: Frame) -> bool:
        """The child says yes to the calls that it has just asked for, and they are all it is asked about."""
        if frame["verb"] != "call":
            return False
        self._agreed.append(str(frame["call"]["name"]))
        return True

    def _confirming(self, verb: str, price: str, asked: list[Frame]) -> Callable[[Frame], bool]:
        """Says yes to a question that names who, what, the price and the reason, and to no other."""

        def answer(frame: Frame) -> bool:
            asked.append(frame)
            request = frame["request"]
            named = (self._child.name, request["resource_name"], request["reason"]["text"], price)
            return frame["verb"] == verb and all(part in frame["content"] for part in named)

        return answer

    def _refused(self, tool: str, turn: Turn) -> None:
        """Remember refusals; the story tells that there was one."""
        outcomes = turn.outcomes(tool)
        refusals = [(tool, code or "") for state, code in outcomes if state != "done"]
        if not refusals or len(refusals) != len(outcomes):
            raise StoryProblem(f"{self._child.name}'s {tool} should have been refused.")
        self._refusals += refusals
