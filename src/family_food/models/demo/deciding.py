"""Deciding requests: only on the reviewer's explicit word, each by a call of its own, never on a guess."""

from __future__ import annotations

from dataclasses import dataclass, replace

from family_food.models.demo import facts
from family_food.models.demo.asks import Asks, Refused
from family_food.models.demo.following import as_listed, list_pending, show_standing
from family_food.models.demo.intents import Decide, No, Ruling, Verb, Yes
from family_food.models.demo.memory import Drafted, ListedRequest, Memory, WhichRequest
from family_food.models.demo.names import mentions_all
from family_food.models.demo.plan import Plan, Reply, Scene, say
from family_food.models.demo.troubles import explain, stops_everything
from family_food.models.demo.wording import bullets, paragraphs, quoted, said, sentences, subject
from permit_core.views import RequestView

NOT_YOURS = "I can't decide requests for you: parents do that."
HOW_TO = 'I only decide on a clear word: "approve 1", or "deny 2, and why". Conditions and exceptions I leave to you.'
_DONE: dict[Verb, str] = {"approve": "Approved", "deny": "Denied"}


@dataclass(frozen=True, slots=True)
class Case:
    """One request to decide, and how."""

    request: ListedRequest
    verb: Verb
    comment: str


def decide(intent: Decide, scene: Scene) -> Plan:
    """Find out which requests are meant; when that is clear for all of them, decide one after another."""
    if not scene.reviews:
        return (yield from say(NOT_YOURS, scene.memory))
    pending = yield from facts.requests("pending", scene.tools)
    if not pending:
        return Reply("There is nothing to decide: no request is waiting.", scene.memory)
    waiting = [as_listed(request) for request in pending]
    cases: list[Case] = []
    for ruling in intent.rulings:
        taken = {case.request.id for case in cases}
        if ruling.other:
            left = [one for one in waiting if one.id not in taken and _fits(one, ruling)]
            if not left or (len(left) > 1 and not ruling.everything):
                return _ask_which(ruling, [one for one in pending if one.id not in taken], scene.memory)
            cases += [Case(request, ruling.verb, ruling.comment) for request in left]
            continue
        # A number means what it meant on the list that was shown, not what a fresh list would make of it.
        by_number = bool(ruling.numbers and scene.memory.listed and not ruling.everything)
        known = _by_number(ruling, waiting, scene.memory) if by_number else _by_words(ruling, waiting, scene.memory)
        if not known:
            return _ask_which(ruling, pending, scene.memory)
        cases += [Case(request, ruling.verb, ruling.comment) for request in known]
    if len({case.request.id for case in cases}) < len(cases):
        return Reply(sentences("You named the same request twice", HOW_TO), scene.memory)
    return (yield from carry_out([_with_draft(case, scene.memory) for case in cases], scene))


def _with_draft(case: Case, memory: Memory) -> Case:
    """The words that were said to this very request just before go with its decision, when there are no others."""
    drafted = memory.drafted
    pointed = memory.pointed is not None and memory.pointed.id == case.request.id
    if case.comment or drafted is None or not pointed or drafted.verb != case.verb:
        return case
    return replace(case, comment=drafted.words)


def carry_out(cases: list[Case], scene: Scene) -> Plan:
    """Decide one after another, and report on each."""
    lines: list[str] = []
    decided: list[str] = []
    for place, case in enumerate(cases):
        try:
            lines.append(_report(case, (yield from _decide_one(case))))
            decided.append(case.request.id)
        except Refused as refusal:
            lines.append(sentences(f"{case.request.label}: {explain(refusal.trouble)}"))
            if stops_everything(refusal.trouble):
                lines += [f"{left.request.label}: not decided." for left in cases[place + 1 :]]
                break
    memory = scene.memory
    if decided:
        open_still = memory.pointed if memory.pointed and memory.pointed.id not in decided else None
        spoken = next((case.request for case in cases if case.request.id in decided), None)
        memory = memory.pointing(open_still).model_copy(update={"spoken": spoken})
    return Reply(lines[0] if len(lines) == 1 else bullets(lines), memory)


def _decide_one(case: Case) -> Asks[RequestView]:
    return (yield from facts.decide(case.verb, case.request.kind, case.request.id, case.comment))


def _report(case: Case, request: RequestView) -> str:
    may = "may" if case.verb == "approve" else "may not"
    comment = said(request.comment) or (quoted(case.comment) if case.comment else "")
    return sentences(
        f"{_DONE[case.verb]}: {request.requesting_user} {may} {subject(request)}",
        f"Your comment: {comment}" if comment else "",
    )


def _by_number(ruling: Ruling, waiting: list[ListedRequest], memory: Memory) -> list[ListedRequest]:
    """The requests that numbers of the list last shown mean; empty when one is not on it or waits no more."""
    found: list[ListedRequest] = []
    for number in ruling.numbers:
        place = number - 1 if number > 0 else number
        if not -len(memory.listed) <= place < len(memory.listed):
            return []
        found.append(memory.listed[place])
    ids = {one.id for one in waiting}
    clear = all(one.id in ids and mentions_all(ruling.selector, one.words) for one in found)
    return found if clear else []


def _fits(request: ListedRequest, ruling: Ruling) -> bool:
    return mentions_all(ruling.selector, request.words)


def _by_words(ruling: Ruling, pending: list[ListedRequest], memory: Memory) -> list[ListedRequest]:
    """The pending requests that the words mean; empty when that is not clear."""
    meant = [one for one in pending if mentions_all(ruling.selector, one.words)]
    if ruling.numbers:  # nothing was numbered yet: only "the first" of one can be meant
        return meant if len(pending) == 1 and set(ruling.numbers) <= {1, -1} else []
    if ruling.both:
        return meant if len(meant) == 2 else []
    if ruling.everything:
        return meant
    if ruling.selector:
        return meant if len(meant) == 1 else []
    if memory.pointed is not None and memory.pointed.id in {one.id for one in pending}:
        return [memory.pointed]
    return pending if len(pending) == 1 else []


def _ask_which(ruling: Ruling, pending: list[RequestView], memory: Memory) -> Reply:
    meant = [one for one in pending if mentions_all(ruling.selector, as_listed(one).words)]
    shown = meant if ruling.selector and len(meant) > 1 else pending
    unknown = f"No waiting request fits {quoted(ruling.selector)}" if ruling.selector and not meant else ""
    gone = "There is no such number on the list as it is now" if ruling.numbers and not ruling.selector else ""
    reply = list_pending(shown, memory, sentences(unknown or gone, f"Which one shall I {ruling.verb}?"))
    question = WhichRequest(verb=ruling.verb, comment=ruling.comment, options=reply.memory.listed)
    return Reply(reply.text, reply.memory.asking(question))


def ask_for_the_word(intent: Yes | No, request: ListedRequest, memory: Memory) -> Plan:
    """A yes or a no to a request is no order to decide: ask for one, and keep the words that came with it."""
    verb: Verb = "approve" if isinstance(intent, Yes) else "deny"
    words = f" I'll pass on your words: {quoted(intent.reason)}." if intent.reason else ""
    lead = "To agree to" if verb == "approve" else "To turn down"
    drafted = Drafted(verb=verb, words=intent.reason) if intent.reason else None
    return say(f'{lead} {request.label}, say "{verb} it".{words}', memory.model_copy(update={"drafted": drafted}))


def unclear(scene: Scene) -> Plan:
    """Deciding was spoken of without a clear order: show what waits."""
    if not scene.reviews:
        return (yield from show_standing(scene))
    pending = yield from facts.requests("pending", scene.tools)
    if not pending:
        return Reply(f"No request is waiting. {HOW_TO}", scene.memory)
    reply = list_pending(pending, scene.memory)
    return Reply(paragraphs(HOW_TO, reply.text), reply.memory)
