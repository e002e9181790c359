"""From a sentence to what it means: ordered rules, the first that fits wins. Nothing here knows a fact of the family."""

from __future__ import annotations

import re
from collections.abc import Callable

from family_food.models.demo.intents import (
    AskAgain,
    AskFor,
    Choices,
    Greeting,
    Intent,
    Mention,
    Menu,
    No,
    Order,
    Orders,
    Pick,
    Price,
    Requests,
    Restaurants,
    SmallTalk,
    Yes,
)
from family_food.models.demo.numerals import CARDINAL, bare_position, number
from family_food.models.demo.rulings import read_decision, read_talk_of_deciding
from family_food.models.demo.sentence import Sentence, bare_reason, split_because, split_reason, without_tail

# A few words without a verb may be a name; more are a sentence that was not understood.
_MOST_WORDS_OF_A_NAME = 5


def _rule(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_FOLKS = r"(?:my |our |the )?(?:mom|mum|mommy|mother|dad|daddy|father|parents?|folks|them|him|her|someone|somebody|\w+)"
_PEOPLE = r"(?:they|he|she|anyone|anybody|someone|my \w+|mom|mum|dad|\w+)"

_TALK: tuple[tuple[re.Pattern[str], Intent], ...] = (
    (_rule(r"(?:hi|hello|hey|hiya|howdy|good (?:morning|afternoon|evening|day)|greetings|yo)(?: (?:there|again|all|you|bot|friend))?"), Greeting()),
    (_rule(r"(?:(?:ok(?:ay)?|great|cool|nice|perfect|awesome|wonderful|yay)[\s,!.]*)*(?:(?:many |no |ok )?(?:thanks|thank you|thx|ty|cheers)\b.{0,40}|you'?re (?:great|the best|awesome).{0,20})"), SmallTalk("thanks")),
    (_rule(r"(?:great|cool|nice|perfect|awesome|wonderful|yay|yummy|wow|lovely|super)(?: (?:job|work|one))?"), SmallTalk("thanks")),
    (_rule(r"(?:good ?bye|bye(?: bye)?|see (?:you|ya)(?: \w+)?|good night|cya|later|farewell|that'?s all|i'?m done)\b.{0,20}"), SmallTalk("bye")),
    (_rule(r"(?:how are (?:you|u)|how'?s it going|how do you do|what'?s up|are you (?:ok|okay|well|fine))\b.{0,30}"), SmallTalk("how")),
    (_rule(r"(?:who|what) (?:are|r) (?:you|u)\b.{0,30}|are you (?:a |an )?(?:real|human|person|robot|bot|ai|llm|language model|gemini|chatgpt|machine)\b.{0,30}|what(?:'?s| is) your name.{0,20}|(?:which|what) (?:ai )?model\b.{0,30}"), SmallTalk("who")),
    (_rule(r"(?:i need |some )?help(?: me)?(?: out)?|what can (?:you|u) do\b.{0,30}|how (?:does this|do you|do i|can i|does it)\b.{0,60}|what (?:can|should) i (?:say|ask|type|do)\b.{0,30}|commands?|instructions|\?+"), SmallTalk("help")),
    (_rule(r"(?:can you |i want to |i'?d like to )?(?:cancel|undo|withdraw|take back|revoke|delete)\b.{2,60}"), SmallTalk("cancel")),
)  # fmt: skip
_PLAIN_YES = _rule(
    r"(?:(?:yes|yeah|yep|yup|ya|ok|okay|sure|of course|certainly|absolutely|definitely|go ahead|go for it|do it|do that|fine|alright|sounds good|that one|pretty|please|pls|plz|why not|i do|i would|you can|right|correct|exactly|great)[\s,.!]*)+"
)
_PLAIN_NO = _rule(
    r"(?:(?:no|nope|nah|not now|not really|never ?mind|forget (?:it|about it|that)|drop it|cancel(?: it| that)?|stop|leave it|don'?t(?: bother| ask| order(?: it)?| do it)?|i changed my mind|no thanks?|no thank you|nothing|none(?: of them)?|neither|skip(?: it)?|thanks?|thank you|please|it'?s (?:ok|okay|fine))[\s,.!]*)+"
)

_ORDERS = _rule(
    r"\b(?:my|our|the|all|any|recent|past|previous|last|list|show|family'?s?)(?: (?:my|our|the|recent|past|last|all|family'?s?))* orders?\b|\bwhat (?:all )?(?:did|have|has|had) (?:\w+ ){1,2}order(?:ed)?\b|\border history\b|^orders$|\bwhat(?:'?s| was| has been| is| were)(?: been)? ordered\b|\bdid (?:i|we|\w+) (?:already )?order\b"
)
_REQUEST_LIST = _rule(
    r"\brequests?\b|^(?:what'?s |anything |any |show |list )?(?:\w+ )?pending\b|\bapprovals\b|\banything (?:new )?(?:to|i should|for me to) (?:approve|decide|do|review)\b|\bwhat (?:do|should|must) i (?:have to |need to )?(?:decide|review|approve)\b|\bwho(?:'?s| is| has)? (?:asking|waiting|asked)\b|\bwhat (?:do|does|did) \w+ (?:want|ask for)$|\b(?:anyone|anybody|someone|kids?|children) (?:asking|waiting|asked)\b"
)
_DECIDED = _rule(r"\b(approved|denied|used|expired)\b")
_MY_REQUESTS = _rule(r"\bmy (?:\w+ )?requests?\b|\brequests? (?:i|we) made\b|\bwhat did i ask\b")
_STATUS = _rule(
    rf"\b(?:did|have|has|was|is|will) (?:{_PEOPLE}|it|that|there)(?: \w+)? (?:yet |already |been |just )?(?:answer|answered|reply|replied|respond|responded|decide|decided|say|said|approve|approved|deny|denied|allow|allowed|agree|agreed|news)\b|\b(?:any|an) (?:\w+ )?(?:answer|news|reply|response|update|decision)\b|^(?:the )?status\b|\bstatus of\b|\bstill waiting\b|\bwhat did {_PEOPLE} (?:say|answer|decide)\b|\bam i allowed (?:yet|now)\b|\bhow long\b|\b(?:has|have) {_PEOPLE} seen\b"
)
_AGAIN = _rule(
    rf"^(?:(?:can|could|will) you )?(?:please )?(?:ask|request|try)(?: {_FOLKS})?(?: once)?(?: more)? ?again\b[\s,.:;-]*(?P<rest>.*)$"
)
_ASK = (
    _rule(
        r"^(?:(?:can|could|will|would) you |(?:can|could|may) (?:i|we) |(?:i|we)(?:'?d)?(?: would)?(?: like| want| need| wish)?(?: to)? |please |let me |let'?s )*(?:ask|request|apply|get|give|want|need|have|like|unlock|grant me)\b.{0,40}?\b(?:access|permission|approval|allowance)\b(?: again)?(?:\s+(?:to|for|of|from|at)\b)?(?:\s+(?:order(?:ing)?|see(?:ing)?|visit(?:ing)?|eat(?:ing)?(?: at)?|have|get|buy(?:ing)?|try(?:ing)?|go(?: to)?|view|use)\b)?(?: from| at| for| to)?\s*(?P<target>.*)$"
    ),
    _rule(r"^access (?:to|for) (?P<target>.+)$"),
    _rule(
        rf"^(?:(?:can|could|will) you )?(?:please )?ask {_FOLKS}(?: again)? (?:for|about|to let me (?:have|order|see|eat|go to|visit|try|get)|(?:if|whether) (?:i|we) (?:can|could|may|am allowed to) (?:have|order|see|eat(?: at)?|go to|visit|try|get|access))\s+(?P<target>.+)$"
    ),
    _rule(r"^(?:can|could|may) (?:i|we) (?:access|visit|go to|eat at|order (?:at|from)) (?P<target>.+)$"),
    _rule(r"^(?:please )?(?:request|unlock|ask for)\s+(?P<target>.+)$"),
)
_PRICE = (
    _rule(
        r"^(?:and )?how (?:much|expensive|pricey)(?:'?s| is| are| does| do| would| will)?(?: be)?\s*(?P<dish>.*?)(?:\s+(?:cost|be))?$"
    ),
    _rule(r"^.{0,30}?\b(?:prices?|cost) (?:of|for)\s+(?P<dish>.+)$"),
    _rule(r"^what (?:does|do|would|will|is|are|'?s) (?P<dish>.+?) (?:cost|priced at)$"),
    _rule(r"^(?:is|are) (?P<dish>.+?) (?:expensive|cheap|pricey|dear|free)$"),
    _rule(r"^(?:can|could|may|am|are) (?:i|we) (?:allowed to )?(?:please )?(?:order|eat|try|buy) (?P<dish>.+)$"),
    _rule(
        r"^do (?:i|we) (?:need|have) (?:an? |to )?(?:approval|permission|access|ask)(?: (?:for|to))?(?: (?:order|have|eat|get|buy))? (?P<dish>.+)$"
    ),
    _rule(r"^do(?:es)? (?:you|they|it|any(?:one|body)?|anywhere) (?:have|sell|serve|offer) (?P<dish>.+)$"),
    _rule(r"^(?:is|are) there (?:any )?(?P<dish>.+)$"),
    _rule(
        r"^(?:where|who) (?:can i|do they|sells?|serves?|has|have|is|are)\s*(?:get|find|have|buy|eat|order|serve|sell)?\s+(?P<dish>.+)$"
    ),
)
_UP_TO = _rule(
    r"\b(?:under|below|less than|cheaper than|up to|at most|for|max(?:imum)?)\s*[$\u20ac\u00a3]?\s*(?P<units>\d{1,4})(?:[.,](?P<cents>\d\d))?\b"
)
_CHOICES = _rule(
    r"^what(?:'?s| is| else)? (?:can|could|may|am|are|should|shall) (?:i|we) .*\b(?:eat|order|have|get|buy|try|allowed)\b|^what(?:'?s| is)? (?:there )?(?:to eat|for (?:dinner|lunch|food))|\bwithout (?:asking|an? approval|approval|permission)|\bon my own\b|^(?:what|which|show|list)\b.{0,20}\b(?:food|dish(?:es)?|options|choices|menus|meals)\b|\b(?:i'?m|i am|we'?re|so) (?:\w+ )?(?:hungry|starving)\b|^(?:what|anything).{0,30}\b(?:recommend|suggest|good|cheap(?:est)?|affordable)\b|^(?:anything|something|everything) (?:under|below|cheap|up to)|^(?:feed me|food)$|^what do you have$"
)
_FREELY = _rule(
    r"\bwithout (?:asking|an? approval|approval|permission)|\bon my own\b|\bfreely\b|\b(?:don'?t|no) need\b"
)
_PLACES = _rule(r"\b(?:restaurants?|places)\b")
_AT = r"(?:at|from|in|of|for|@)"
_MENU = (
    _rule(rf"^.*?\b(?:menus?|dishes|food|list)\s+{_AT}\s+(?P<place>.+)$"),
    _rule(
        r"^(?:(?:can|could|may) (?:i|we|you) )?(?:please )?(?:show|see|open|get|give|read|view|browse|display|list|look at|check|tell|let me see)?\s*(?:me |us )?(?:out )?(?:what'?s |what is )?(?:on )?(?P<place>.*?)(?:'s)?\s*menus?$"
    ),
    _rule(
        rf"^what(?:'?s| is| are| do they have| can i (?:eat|order|have|get)| could i (?:eat|order|have|get)| is there| there is)? (?:there |good |on offer |available |to eat )?{_AT} (?P<place>.+)$"
    ),
    _rule(r"^what (?:does|do) (?P<place>.+?) (?:have|serve|offer|sell|do|make|cook)(?: to eat| for me| there)?$"),
    _rule(
        r"^(?:(?:can|could|may) (?:i|we|you) )?(?:please )?(?:show|see|open|view|browse|list|look at|go to|visit|tell me about|check(?: out)?|let me see|let'?s go to|let'?s see)\s+(?:me |us )?(?P<place>.+)$"
    ),
    _rule(r"^(?:and|what about|how about) (?P<place>.+)$"),
)
_ORDER = (
    (False, _rule(r"^(?:(?:can|could|would|will) you (?:please )?|please )?(?:order|buy|get|bring|give|fetch|send|reorder|gimme|place an order (?:for|of)|let'?s (?:order|get|have|eat|try))\b(?: (?:me|us)\b)?(?: again\b)?\s*(?P<what>.*)$")),
    (True, _rule(r"^(?:i|we)(?: really| just)?(?: want| need|'?d (?:really |rather )?(?:like|love|go for|prefer)| would (?:really |rather )?(?:like|love|prefer)|'?ll (?:have|take|get|order|go with)| will (?:have|take|get|order)| wanna| fancy| feel like|'?m having| choose| pick| wish for| take| order)\b(?: to\b)?(?: (?:order|have|try|eat|get|buy)\b)?\s*(?P<what>.+)$")),
    (True, _rule(r"^(?:can|could|may) (?:i|we) (?:please )?(?:have|get)\s+(?P<what>.+)$")),
    (True, _rule(rf"^(?P<what>(?:an?|{CARDINAL}|another)\s+(?!of\b)[a-z].{{1,60}})$")),
)  # fmt: skip
_COUNT = _rule(rf"^(?:(?P<count>{CARDINAL})(?:\s*x)?|x\s*(?P<times>\d{{1,2}})|a couple of)\s+(?=\w)")
_FROM = _rule(r"(?:^|\s+)(?:from|at|@)\s+(?P<place>[^,]+)$")
_VAGUE = _rule(
    r"^(?:some |a |an )?(?:something|anything|food|dinner|lunch|breakfast|meal|order|dish|a bite|to eat)(?: to eat| nice| good| else)?$"
)


def understand(sentence: Sentence) -> Intent:
    """What the sentence means on its own, whatever was said before."""
    if sentence.wordless:
        return SmallTalk("help") if sentence.question else SmallTalk("lost")
    if sentence.too_long:
        return SmallTalk("long")
    for rule in _RULES:
        intent = rule(sentence)
        if intent is not None:
            return intent
    words = sentence.core.split()
    return Mention(sentence.core) if 0 < len(words) <= _MOST_WORDS_OF_A_NAME else SmallTalk("lost")


def read_order(what: str, *, soft: bool = False) -> Order:
    """Dish, restaurant, count and reason out of the object of an order."""
    what, reason = split_reason(what, any_rest=False)
    what = re.sub(r"\s+(?:for me|instead|right now|again)$", "", without_tail(what), flags=re.IGNORECASE)
    place = _FROM.search(what)
    dish = what[: place.start()].strip() if place else what
    count = _COUNT.match(dish)
    many = number(count["count"] or count["times"] or "two") if count else 1
    dish = dish[count.end() :] if count else dish
    if _VAGUE.match(dish):
        dish = ""
    return Order(dish, place["place"].strip() if place else "", reason, max(many, 1), soft)


def _talk(sentence: Sentence) -> Intent | None:
    whole = without_tail(sentence.text) or sentence.text
    for text in (whole, sentence.core):
        for pattern, intent in _TALK:
            if text and pattern.fullmatch(text):
                return intent
    return None


def _yes_or_no(sentence: Sentence) -> Intent | None:
    whole = sentence.text.strip(" .!?,")
    if _PLAIN_NO.fullmatch(whole):
        return No()
    if _PLAIN_YES.fullmatch(whole):
        return Yes()
    what, reason = split_because(sentence.text)
    return (
        Yes(bare_reason(reason)) if sentence.says_yes and reason and _PLAIN_YES.fullmatch(what.strip(" .!,")) else None
    )


def _pick(sentence: Sentence) -> Intent | None:
    position = bare_position(sentence.core)
    return Pick(position) if position is not None else None


def _history(sentence: Sentence) -> Intent | None:
    if _ORDERS.search(sentence.core) and not re.match(r"(?i)(?:order|get|buy) ", sentence.core):
        return Orders()
    return None


def _asking(sentence: Sentence) -> Intent | None:
    again = _AGAIN.match(sentence.core)
    if again and not re.match(r"(?i)(?:for|to|if|about)\b", again["rest"]):
        return AskAgain(bare_reason(again["rest"]))
    if _REQUEST_LIST.search(sentence.core) and not re.match(
        r"(?i)(?:please )?(?:request|ask|make a request)\b ", sentence.core
    ):
        return None
    for pattern in _ASK:
        match = pattern.match(sentence.core)
        if match:
            target, reason = split_reason(match["target"], any_rest=True)
            return AskFor(target, reason)
    return None


def _waiting(sentence: Sentence) -> Intent | None:
    if _MY_REQUESTS.search(sentence.core) or _STATUS.search(sentence.core):
        return Requests(mine=True)
    if _REQUEST_LIST.search(sentence.core):
        decided = _DECIDED.search(sentence.core)
        return Requests(status=decided[1].lower() if decided else "pending")  # type: ignore[arg-type]
    return None


def _menu(sentence: Sentence) -> Intent | None:
    if _PLACES.search(sentence.core) and not re.search(r"(?i)\b(?:menu|order)\b", sentence.core):
        return Restaurants()
    for pattern in _MENU:
        match = pattern.match(sentence.core)
        if match:
            place = re.sub(
                r"^(?:the|all|your|their|its|a)\b\s*|(?<=\w)'s$", "", match["place"].strip(), flags=re.IGNORECASE
            )
            return Menu("" if re.fullmatch(r"(?i)it|they|them|there|that|this|on|one|", place) else place)
    return None


def _choices(sentence: Sentence) -> Intent | None:
    if not _CHOICES.search(sentence.core) or re.search(
        rf"(?i)\s{_AT}\s+(?!all\b|home\b|\$?\d|dinner|lunch|me\b|us\b)\w", sentence.core
    ):
        return None
    limit = _UP_TO.search(sentence.core)
    cents = int(limit["units"]) * 100 + int(limit["cents"] or 0) if limit else None
    return Choices(bool(_FREELY.search(sentence.core)), cents)


def _price(sentence: Sentence) -> Intent | None:
    for pattern in _PRICE:
        match = pattern.match(sentence.core)
        if match:
            asked = read_order(match["dish"])
            may = bool(re.match(r"(?i)(?:can|could|may|am|are) (?:i|we)\b", sentence.core))
            return Price(asked.dish, asked.restaurant, may)
    return None


def _order(sentence: Sentence) -> Intent | None:
    for soft, pattern in _ORDER:
        match = pattern.match(sentence.core)
        if match:
            instead = bool(re.search(r"(?i)\binstead\b", sentence.core))
            return read_order(match["what"], soft=soft and not instead)
    return None


_RULES: tuple[Callable[[Sentence], Intent | None], ...] = (
    _talk,
    _yes_or_no,
    _pick,
    read_decision,
    _history,
    _asking,
    _waiting,
    read_talk_of_deciding,
    _choices,
    _price,
    _menu,
    _order,
)
