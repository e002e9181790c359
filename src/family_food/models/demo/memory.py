"""What the demo model remembers between turns. It travels in its own steps' ``native`` field, so the model stays pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from family_food.messages import EventMessage, ModelStep, Recap, Shown, ToolResults
from family_food.models.demo.asks import Trouble, answer_of
from family_food.models.demo.facts import Dish
from permit_core.access import Remedy
from permit_core.views import RequestView

PROVIDER = "demo"
_MOST_WANTS = 20
_REQUEST_TOOLS = ("create_access_request", "create_operation_approval")


class _Memo(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Place(_Memo):
    """A restaurant that was spoken of."""

    key: str
    name: str


class Want(_Memo):
    """What to carry on with once a request is approved.

    ``dish`` is a dish's key, or the words it was asked for with while its menu was closed; "" for the menu itself.
    ``reason`` is the one the person gave.
    """

    place: Place
    dish: str = ""
    dish_name: str = ""
    reason: str = ""


class ReasonNeeded(_Memo):
    """Why do you want it? The next words of the person are the reason of this request.

    ``earlier`` is the reason that was given for the way to it, to be used again on a yes.
    """

    kind: Literal["reason"] = "reason"
    remedy: Remedy
    name: str
    want: Want | None = None
    earlier: str = ""


class WhichDish(_Memo):
    """Which of these dishes? ``purpose``: to order it, or to ask for its approval."""

    kind: Literal["which_dish"] = "which_dish"
    purpose: Literal["order", "approval"] = "order"
    options: list[Dish]
    reason: str = ""


class OrderIt(_Memo):
    """Shall I order this one?"""

    kind: Literal["order_it"] = "order_it"
    dish: Dish
    reason: str = ""


class WhichPlace(_Memo):
    """Which restaurant? ``purpose``: to read its menu, or to ask for access to it."""

    kind: Literal["which_place"] = "which_place"
    purpose: Literal["menu", "access"]
    options: list[Place]
    reason: str = ""


class WhatDish(_Memo):
    """Which dish of this restaurant? ``options`` are its dishes as they were listed: "the first one"."""

    kind: Literal["what_dish"] = "what_dish"
    place: Place | None = None
    options: list[Dish] = []


class ListedRequest(_Memo):
    """A request as it was shown to a reviewer: ``label`` names it, ``words`` are what it may be picked by."""

    id: str
    kind: Literal["access_request", "operation_approval"]
    label: str
    words: list[str] = []


class Drafted(_Memo):
    """Words said to a request without deciding it, and which decision they speak for."""

    verb: Literal["approve", "deny"]
    words: str


class WhichRequest(_Memo):
    """Which request shall be decided so? The person gave the verb; only the choice is open."""

    kind: Literal["which_request"] = "which_request"
    verb: Literal["approve", "deny"]
    comment: str = ""
    options: list[ListedRequest]


Question = Annotated[
    ReasonNeeded | WhichDish | OrderIt | WhichPlace | WhatDish | WhichRequest, Field(discriminator="kind")
]


class Memory(_Memo):
    """Everything remembered.

    Attributes:
        question: what the person was asked last and has not answered.
        place: the restaurant spoken of.
        dish: the dish spoken of.
        offered: the dishes there were to choose from last: what "the other one" is one of.
        listed: the requests of the last numbered list; "2" means the second of these and no other.
        pointed: the request shown last by itself: what "it" means.
        spoken: the request spoken of last, decided or not: what "how much was it?" means.
        drafted: words to the request pointed at; they go with the decision they speak for, should it follow.
        wants: what waits for a human's decision.
        denied: the request that was denied last, to ask again.
    """

    question: Question | None = None
    place: Place | None = None
    dish: Dish | None = None
    offered: list[Dish] = []
    listed: list[ListedRequest] = []
    pointed: ListedRequest | None = None
    spoken: ListedRequest | None = None
    drafted: Drafted | None = None
    wants: list[Want] = []
    denied: ReasonNeeded | None = None

    def asking(self, question: Question | None) -> Memory:
        """The same with this question open, or none."""
        offered = question.options if isinstance(question, WhichDish | WhatDish) else []
        return self.model_copy(update={"question": question, "offered": offered or self.offered})

    def about(self, dish: Dish) -> Memory:
        """The same, speaking of this dish."""
        place = Place(key=dish.restaurant_key, name=dish.restaurant_name)
        return self.model_copy(update={"dish": dish, "place": place})

    def at(self, place: Place) -> Memory:
        """The same, speaking of this restaurant."""
        return self.model_copy(update={"place": place})

    def showing(self, listed: list[ListedRequest]) -> Memory:
        """The same after this list of requests was shown: of one alone one can speak as "it"."""
        alone = listed[0] if len(listed) == 1 else None
        return self.model_copy(update={"listed": listed, "pointed": alone, "spoken": alone, "drafted": None})

    def pointing(self, request: ListedRequest | None) -> Memory:
        """The same, speaking of this request, which waits."""
        return self.model_copy(update={"pointed": request, "spoken": request, "drafted": None})

    def wanting(self, want: Want | None) -> Memory:
        """The same with one thing more to carry on with."""
        if want is None:
            return self
        return self.model_copy(update={"wants": [*self.without(want).wants, want][-_MOST_WANTS:]})

    def without(self, *wants: Want) -> Memory:
        """The same without these wants."""
        dropped = {(want.place.key, want.dish) for want in wants}
        kept = [want for want in self.wants if (want.place.key, want.dish) not in dropped]
        return self.model_copy(update={"wants": kept})


def recall(entries: Iterable[Shown]) -> Memory:
    """The memory as the last finished step of this model left it; empty when there is none."""
    for entry in reversed(list(entries)):
        if isinstance(entry, ModelStep) and entry.provider == PROVIDER and entry.native is not None:
            try:
                return Memory.model_validate(entry.native)
            except ValidationError:  # written by another version: forgetting is safe
                return Memory()
    return Memory()


def own_requests(entries: Sequence[Shown]) -> list[RequestView]:
    """The requests made in this conversation, each as last heard of, oldest first."""
    known: dict[str, RequestView] = {}
    for entry in entries:
        if isinstance(entry, Recap):
            for request in entry.requests:
                _note(known, request)
        elif isinstance(entry, ToolResults):
            for result in entry.results:
                answer = answer_of(result)
                if isinstance(answer, Trouble):
                    continue
                if result.name in _REQUEST_TOOLS:
                    _note(known, answer)
                elif result.name == "order_dish" and answer.get("approval_id") in known:
                    used = known[answer["approval_id"]]
                    known[used.id] = used.model_copy(update={"status": "used"})
        elif isinstance(entry, EventMessage) and entry.event == "request_decided":
            _note(known, entry.data)
    return list(known.values())


def _note(known: dict[str, RequestView], data: object) -> None:
    try:
        view = RequestView.model_validate(data)
    except ValidationError:
        return
    known[view.id] = view
