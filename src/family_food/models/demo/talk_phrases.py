"""How people put what is no request for food: hellos, thanks, questions about the assistant, yes and no."""

from __future__ import annotations

import re

from family_food.models.demo.intents import Greeting, Intent, SmallTalk
from family_food.models.demo.phrases import any_of, phrase

TALK: tuple[tuple[re.Pattern[str], Intent], ...] = (
    (
        phrase(
            r"(?:hi|hello|hey|hiya|howdy|good (?:morning|afternoon|evening|day)|greetings|yo)",
            r"(?: (?:there|again|all|you|bot|friend))?",
        ),
        Greeting(),
    ),
    (
        any_of(
            r"(?:(?:ok(?:ay)?|great|cool|nice|perfect|awesome|wonderful|yay)[\s,!.]*)*(?:many )?"
            r"(?:thanks|thank you|thank u|thx|ty|cheers)\b(?!.*\b(?:can|could|may|order|get|want|wanna|have|show|what|ask|approve|deny)\b).{0,40}",
            r"you'?re (?:great|the best|awesome).{0,20}",
            r"(?:great|cool|nice|perfect|awesome|wonderful|yay|yummy|wow|lovely|super)(?: (?:job|work|one))?",
        ),
        SmallTalk("thanks"),
    ),
    (
        phrase(
            r"(?:good ?bye|bye(?: bye)?|see (?:you|ya)(?: \w+)?|good night|cya|later|farewell|that'?s all|i'?m done)\b.{0,20}"
        ),
        SmallTalk("bye"),
    ),
    (
        phrase(
            r"(?:how are (?:you|u)|how'?s it going|how do you do|what'?s up|are you (?:ok|okay|well|fine))\b.{0,30}"
        ),
        SmallTalk("how"),
    ),
    (
        any_of(
            r"(?:who|what) (?:are|r) (?:you|u)\b.{0,30}",
            r"are you (?:an? )?(?:real|human|person|robot|bot|ai|llm|language model|gemini|chatgpt|machine)\b.{0,30}",
            r"what(?:'?s| is) your name.{0,20}",
            r"(?:which|what) (?:ai )?model\b.{0,30}",
        ),
        SmallTalk("who"),
    ),
    (
        any_of(
            r"(?:i need |some )?help(?: me)?(?: out)?",
            r"what can (?:you|u) do\b.{0,30}",
            r"how (?:does this|do you|do i|can i|does it)\b.{0,60}",
            r"what (?:can|should) i (?:say|ask|type|do)\b.{0,30}",
            r"commands?",
            r"instructions",
            r"\?+",
        ),
        SmallTalk("help"),
    ),
    (
        phrase(r"(?:can you |i want to |i'?d like to )?(?:cancel|undo|withdraw|take back|revoke|delete)\b.{2,60}"),
        SmallTalk("cancel"),
    ),
)

PLAIN_YES = phrase(
    r"(?:(?:yes|yeah|yep|yup|ya|ok|okay|sure|of course|certainly|absolutely|definitely|go ahead|go for it|do it|do that|",
    r"fine|alright|sounds good|that one|pretty|ple+a+se+|pls+|plz+|why not|i do|i would|you can|right|correct|exactly|great|that'?s it|pretty please|k|yea|yess+)",
    r"[\s,.!]*)+",
)
_NO = (
    r"(?:no+|nope|nah|no way|nvm|not now|not really|never ?mind|forget (?:it|about it|that)|drop it|cancel(?: it| that)?|stop|leave it|"
    r"don'?t(?: bother| ask| order(?: it)?| do it)?|i changed my mind|nothing|none(?: of them)?|neither|skip(?: it)?)"
)
PLAIN_NO = phrase(rf"(?:please[\s,]*)?{_NO}(?:[\s,.!]+(?:{_NO}|thanks?(?: you)?|please|it'?s (?:ok|okay|fine)))*")
