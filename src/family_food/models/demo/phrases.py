"""How people put things: the patterns behind the rules of ``understanding``. Texts are matched as one clean line."""

from __future__ import annotations

import re

from family_food.models.demo.numerals import CARDINAL


def phrase(*parts: str) -> re.Pattern[str]:
    """A pattern, written in parts that are read one after another; case does not count."""
    return re.compile("".join(parts), re.IGNORECASE)


def any_of(*parts: str) -> re.Pattern[str]:
    """A pattern that any of the parts fits."""
    return re.compile("|".join(parts), re.IGNORECASE)


# People one may ask, and people one may speak of: any word may be a name.
_FOLKS = r"(?:(?:my |our |the )?(?:mom|mum|mommy|mother|dad|daddy|father|parents?|folks|them|him|her|\w+))"
_PEOPLE = r"(?:they|he|she|anyone|anybody|someone|my \w+|mom|mum|dad|\w+)"
_EATING = r"(?:have|order|eat(?: at)?|see|go to|visit|try|get|buy|access)"
_BY_ME = r"(?:(?:can|could|will|would) you |(?:can|could|may) (?:i|we) |please |let me |let's )*"

ORDERS = any_of(
    r"\b(?:my|our|the|all|any|recent|past|previous|last|list|show|family'?s?)"
    r"(?: (?:my|our|the|recent|past|last|all|family'?s?))* orders?\b",
    r"\bwhat (?:all )?(?:did|have|has|had) (?:\w+ ){1,2}order(?:ed)?\b",
    r"\border history\b",
    r"^orders$",
    r"\bwhat(?:'?s| was| has been| is| were)(?: been)? ordered\b",
    r"\bdid (?:i|we|\w+) (?:already )?order\b",
)
REQUESTS = any_of(
    r"\brequests?\b",
    r"^(?:what'?s |anything |any |show |list )?(?:\w+ )?pending\b",
    r"\bapprovals\b",
    r"\banything (?:new )?(?:to|i should|for me to) (?:approve|decide|do|review)\b",
    r"\bwhat (?:do|should|must) i (?:have to |need to )?(?:decide|review|approve)\b",
    r"\bwhat(?:'?s| is) (?:still )?(?:waiting|open)\b",
    r"\bwho(?:'?s| is| has)? (?:asking|waiting|asked)\b",
    r"\bwhat (?:do|does|did) \w+ (?:want|ask(?:ed)?|need)(?: for)?(?: (?:now|again|this time))?$",
    r"\b(?:anyone|anybody|someone|kids?|children) (?:asking|waiting|asked)\b",
)
DECIDED = phrase(r"\b(approved|denied|used|expired)\b")
MY_REQUESTS = any_of(r"\bmy (?:\w+ )?requests?\b", r"\brequests? (?:i|we) made\b", r"\bwhat did i ask\b")
STATUS = any_of(
    rf"\b(?:did|have|has|was|is|will) (?:{_PEOPLE}|it|that|there)(?: \w+)? (?:yet |already |been |just )?"
    r"(?:answer|reply|respond|decide|say|said|approve|den(?:y|ied)|allow|agree|news)(?:e?d)?\b",
    r"\b(?:any|an) (?:\w+ )?(?:answer|news|reply|response|update|decision)\b",
    r"^(?:the )?status\b",
    r"\bstatus of\b",
    r"\bstill waiting\b",
    rf"\bwhat did {_PEOPLE} (?:say|answer|decide)\b",
    r"\bam i allowed (?:yet|now)\b",
    r"\bhow long\b",
    rf"\b(?:has|have) {_PEOPLE} seen\b",
)

AGAIN = phrase(
    rf"^{_BY_ME}(?:ask|request|try)(?: {_FOLKS})?(?: once)?(?: more)? ?again\b[\s,.:;-]*(?P<rest>.*)$",
)
ASKS = (
    phrase(
        rf"^(?:{_BY_ME}|(?:i|we)(?:'?d)?(?: would)?(?: like| want| need| wish)?(?: to)? )",
        r"(?:ask|request|apply|get|give|want|need|have|like|unlock|grant me|i want|i need|i'?d like|i would like)\b.{0,40}?",
        r"\b(?:access|permission|approval|allowance)\b(?: again)?(?:\s+(?:to|for|of|from|at)\b)?",
        r"(?:\s+(?:order(?:ing)?|see(?:ing)?|visit(?:ing)?|eat(?:ing)?(?: at)?|have|get|buy(?:ing)?|try(?:ing)?|go(?: to)?|",
        r"view|use)\b)?(?: from| at| for| to)?\s*(?P<target>.*)$",
    ),
    phrase(r"^access (?:to|for) (?P<target>.+)$"),
    phrase(
        rf"^{_BY_ME}ask {_FOLKS}(?: again)?(?: for| about| to let me {_EATING}|",
        rf"(?: if| whether)? (?:i|we) (?:can|could|may|am allowed to) {_EATING}|",
        rf"\W+(?:can|could|may) (?:i|we) {_EATING})\s+(?P<target>.+)$",
    ),
    phrase(rf"^tell {_FOLKS} (?:that )?i(?: want|'?d like| would like| need)(?: to {_EATING})?\s+(?P<target>.+)$"),
    phrase(
        rf"^{_BY_ME}(?P<target>)ask (?:my |our )?(?:mom|mum|dad|mother|father|parents?|folks|them|him|her)",
        r"(?:[\s,.]+because\b.*)?$",
    ),
    phrase(r"^(?:can|could|may) (?:i|we) (?:access|visit|go to|eat at|order (?:at|from)) (?P<target>.+)$"),
    phrase(r"^(?:please )?(?:request|unlock|ask for)\s+(?P<target>.+)$"),
)
PRICES = (
    phrase(
        r"^(?:and )?how (?:much|expensive|pricey)(?:'?s| is| are| was| were| does| do| did| would| will)?(?: be)?\s*",
        r"(?P<dish>.*?)(?:\s+(?:cost|be|is|are|was))?$",
    ),
    phrase(r"^.{0,30}?\b(?:prices?|cost) (?:of|for)\s+(?P<dish>.+)$"),
    phrase(r"^what(?: does| do| would| will| is| are| did| was|'?s) (?P<dish>.+?) (?:cost|priced at)$"),
    phrase(r"^(?:is|are) (?P<dish>.+?) (?:expensive|cheap|pricey|dear|free)$"),
    phrase(r"^(?:can|could|may|am|are) (?:i|we) (?:allowed to )?(?:please )?(?:order|eat|try|buy) (?P<dish>.+)$"),
    phrase(
        r"^do (?:i|we) (?:need|have) (?:an? |to )?(?:approval|permission|access|ask)(?: (?:for|to))?",
        r"(?: (?:order|have|eat|get|buy))? (?P<dish>.+)$",
    ),
    phrase(r"^do(?:es)? (?:you|they|it|any(?:one|body)?|anywhere) (?:have|sell|serve|offer) (?P<dish>.+)$"),
    phrase(r"^(?:is|are) there (?:any )?(?P<dish>.+)$"),
    phrase(r"^any (?P<dish>.+)$"),
    phrase(
        r"^(?:where|who) (?:can i|do they|sells?|serves?|has|have|is|are)\s*",
        r"(?:get|find|have|buy|eat|order|serve|sell)?\s+(?P<dish>.+)$",
    ),
)
_LESS = r"\b(?:under|below|less than|cheaper than|up to|at most|max(?:imum)?)"
UP_TO = phrase(_LESS, r"\s*[$\u20ac\u00a3]?\s*(?P<units>\d{1,4})(?:[.,](?P<cents>\d\d))?\b")
CHOICES = any_of(
    r"^what(?:'?s| is| else)? (?:can|could|may|am|are|should|shall) (?:i|we) .*"
    r"\b(?:eat|order|have|get|buy|try|allowed)\b",
    r"^what(?:'?s| is)? (?:there )?(?:to eat|for (?:dinner|lunch|food))",
    r"\bwithout (?:asking|an? approval|approval|permission)",
    r"\bon my own\b",
    r"^(?:what|which|show|list)\b.{0,20}\b(?:food|dish(?:es)?|options|choices|menus|meals)\b",
    r"\b(?:i'?m|i am|we'?re|so) (?:\w+ )?(?:hungry|starving)\b",
    r"^(?:what|anything).{0,30}\b(?:recommend|suggest|good|cheap(?:est)?|affordable)\b",
    r"^(?:anything|something|everything) (?:under|below|cheap|up to)",
    rf"^(?:what|which|anything|something|everything|dishes)\b.{{0,30}}{_LESS}\s*[$\u20ac\u00a3]?\d",
    r"^(?:feed me|food)$",
    r"^what do you have$",
)
FREELY = any_of(
    r"\bwithout (?:asking|an? approval|approval|permission)", r"\bon my own\b", r"\bfreely\b", r"\b(?:don'?t|no) need\b"
)
CHEAPEST = phrase(r"\bcheap(?:est)?\b")
PLACES = any_of(
    r"\b(?:restaurants?|places)\b", r"^where (?:can|could|may|should) (?:i|we) (?:eat|go|order)(?: (?!at\b).*)?$"
)
_AT = r"(?:at|from|in|of|for|@)"
# "at" somewhere: not a price, not a time of day, not home.
AT_A_PLACE = phrase(rf"\s{_AT}\s+(?!all\b|home\b|less\b|under\b|most\b|\$?\d|dinner|lunch|me\b|us\b)\w")
MENUS = (
    phrase(rf"^.*?\b(?:menus?|dishes|food|list)\s+{_AT}\s+(?P<place>.+)$"),
    phrase(
        r"^(?:(?:can|could|may) (?:i|we|you) )?(?:please )?",
        r"(?:show|see|open|get|give|read|view|browse|display|list|look at|check|tell|let me see)?\s*(?:me |us )?(?:out )?",
        r"(?:what'?s |what is )?(?:on )?(?P<place>.*?)(?:'s)?\s*menus?$",
    ),
    phrase(
        r"^what(?:'?s| is| are| do they have| can i (?:eat|order|have|get)| could i (?:eat|order|have|get)| is there|",
        rf" there is)? (?:there |good |on offer |available |to eat )?{_AT} (?P<place>.+)$",
    ),
    phrase(r"^what (?:does|do) (?P<place>.+?) (?:have|serve|offer|sell|do|make|cook)(?: to eat| for me| there)?$"),
    phrase(
        r"^(?:(?:show|see|tell|list|look|check) (?:me |us |at )?)?what (?P<place>.+?) ",
        r"(?:has|have|serves?|offers?|sells?|makes?)(?: to eat| there)?$",
    ),
    phrase(
        r"^(?:(?:can|could|may) (?:i|we|you) )?(?:please )?(?:show|see|open|view|browse|list|look at|go to|visit|",
        r"tell me about|check(?: out)?|let me see|let'?s go to|let'?s see)\s+(?:me |us )?(?P<place>.+)$",
    ),
    phrase(r"^(?:and|what about|how about) (?P<place>.+)$"),
)
THE_PLACE = phrase(
    r"^(?:the|all|your|their|its|a)\b\s*|(?<=\w)'s$|\s+(?:to eat|on offer|available|today|right now|now)$"
)
SPOKEN_OF = phrase(r"(?:it|they|them|there|that|this|on|one|)")

ORDER = phrase(
    r"^(?:(?:can|could|would|will) you (?:please )?|please )?",
    r"(?:order|buy|get|bring|give|fetch|send|reorder|gimme|gimmie|lemme (?:get|have)|let me (?:get|have)|place an order (?:for|of)|let'?s (?:order|get|have|eat|try))\b",
    r"(?: (?:me|us)\b)?(?: again\b)?\s*(?P<what>.*)$",
)
# Wishes: orders, unless a reason was asked for.
WISHES = (
    phrase(
        r"^(?:i|we)(?: really| just| actually| kinda| also)?(?: want| need|'?d (?:really |rather )?(?:like|love|go for|prefer)|",
        r" would (?:really |rather )?(?:like|love|prefer)|'?ll (?:have|take|get|order|go with)| will (?:have|take|get|order)|",
        r" wanna| fancy| would take| feel like|'?m having| choose| pick| wish for| take| order)\b(?: to\b)?",
        r"(?: (?:order|have|try|eat|get|buy)\b)?\s*(?P<what>.*)$",
    ),
    phrase(
        r"^(?:can|could|may|might) (?:i|we)(?: (?:please|pls|plz|maybe|just|also|then))*",
        r" (?:have|get|grab)(?: me| us)?(?: just)?\s+(?P<what>.+)$",
    ),
    phrase(r"^just\s+(?P<what>.{2,60})$"),
    phrase(rf"^(?P<what>(?:an?|{CARDINAL}|another)\s+(?!of\b|and\b|or\b)[a-z].{{1,60}})$"),
)
ALL = phrase(
    r"(?:(?P<both>both(?: of (?:them|those))?)|all(?: of (?:them|those|it))?|(?:them )?all|everything|every one)"
)
COUNT = phrase(rf"^(?:(?P<count>{CARDINAL})(?:\s*x)?|x\s*(?P<times>\d{{1,2}})|a couple of)\s+(?=\w)")
FROM = phrase(r"(?:^|\s+)(?:from|at|@)\s+(?P<place>[^,]+?)(?:\s+and\s+(?P<more>[^,]+))?$")
VAGUE = phrase(
    r"^(?:some |a |an )?(?:something|anything|food|dinner|lunch|breakfast|meal|order|dish|a bite|to eat)",
    r"(?: to eat| nice| good| else)?$",
)
NO_PART_OF_A_NAME = phrase(r"\s+(?:for me|instead|right now|now|today|again|asap)$")
