"""What a sentence can mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verb = Literal["approve", "deny"]


@dataclass(frozen=True, slots=True)
class SmallTalk:
    """Words that want no facts."""

    topic: Literal["thanks", "bye", "how", "who", "help", "cancel", "long", "lost"]


@dataclass(frozen=True, slots=True)
class Greeting:
    """A hello."""


@dataclass(frozen=True, slots=True)
class Yes:
    """A bare yes, or a yes with a reason."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class No:
    """A bare no, or a no with a reason: drop what is open."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Pick:
    """A number of a list, from 1; -1 is the last."""

    number: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PickAll:
    """Everything on a list; ``both``: the two of it."""

    both: bool = False


@dataclass(frozen=True, slots=True)
class Restaurants:
    """Which restaurants are there?"""


@dataclass(frozen=True, slots=True)
class Menu:
    """The menu of a restaurant; an empty name means the one spoken of, or all."""

    restaurant: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """What can I eat? ``freely``: without asking anybody. ``up_to_cents``: a price the person named.

    ``cheapest``: the cheapest first.
    """

    freely: bool = False
    up_to_cents: int | None = None
    cheapest: bool = False


@dataclass(frozen=True, slots=True)
class Price:
    """What does a dish cost? ``may``: asked as "may I order it?"."""

    dish: str
    restaurant: str = ""
    may: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """Order a dish. ``soft``: said as a wish ("I'd like"), which may also be a reason. ``count``: how many."""

    dish: str
    restaurant: str = ""
    reason: str = ""
    count: int = 1
    soft: bool = False


@dataclass(frozen=True, slots=True)
class AskFor:
    """Ask a parent: for access to a restaurant, or for the approval of a dish."""

    target: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Make the request that was denied once more."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Orders:
    """What was ordered?"""


@dataclass(frozen=True, slots=True)
class Requests:
    """Which requests are there? ``mine``: how does my own stand?"""

    mine: bool = False
    status: Literal["pending", "approved", "denied", "used", "expired"] = "pending"


@dataclass(frozen=True, slots=True)
class Ruling:
    """One decision as it was spoken: which requests, and the words to go with it. ``other``: those not named yet."""

    verb: Verb
    numbers: tuple[int, ...] = ()
    everything: bool = False
    both: bool = False
    selector: str = ""
    comment: str = ""
    other: bool = False


@dataclass(frozen=True, slots=True)
class Decide:
    """Approve or deny, on the person's explicit word."""

    rulings: tuple[Ruling, ...]


@dataclass(frozen=True, slots=True)
class Unclear:
    """Deciding is spoken of, but nothing is clearly decided: a question, a condition, an exception."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A few words without a verb we know: perhaps a name."""

    text: str
    reason: str = ""


Intent = (
    SmallTalk
    | Greeting
    | Yes
    | No
    | Pick
    | PickAll
    | Restaurants
    | Menu
    | Choices
    | Price
    | Order
    | AskFor
    | AskAgain
    | Orders
    | Requests
    | Decide
    | Unclear
    | Mention
)

ASKED_FOR = (Order, AskFor, AskAgain)
"""Kinds that want food, or somebody asked for it."""
COMMANDS = (*ASKED_FOR, Menu, Choices, Price, Orders, Requests, Restaurants)
"""Kinds that want something done."""
WITH_REASON = (Order, AskFor, AskAgain, Price, Pick, Yes, No, Mention)
"""Kinds that can carry a reason."""
