from __future__ import annotations

import pytest

from family_food.terminal.connection.offered_tokens import OfferedTokens
from family_food.terminal.problem import ChatProblem, Exit
from tests.support.tokens import token_of

REFUSED = {"type": "error", "code": "other_user", "content": "Somebody else's.", "hint": "", "reply_to": None}


async def test_a_token_is_taken_when_the_server_says_so_and_refused_when_it_says_that() -> None:
    tokens = OfferedTokens()
    first, second = tokens.offer("a"), tokens.offer("b")
    assert not tokens.take({"type": "token_refreshed", "expires_at": 1})
    assert (first.done(), second.done()) == (True, False)
    assert tokens.take(REFUSED)
    with pytest.raises(ChatProblem, match="Somebody else") as raised:
        await second
    assert raised.value.exit_code is Exit.NOT_LOGGED_IN
    assert not tokens.take(REFUSED)


async def test_news_of_another_token_takes_none() -> None:
    tokens = OfferedTokens()
    mine = tokens.offer(token_of("henry", exp=2000))
    assert not tokens.take({"type": "token_refreshed", "expires_at": 1000})
    assert not mine.done()
    assert not tokens.take({"type": "error", "code": "too_large", "content": "", "reply_to": None})
    tokens.take({"type": "token_refreshed", "expires_at": 2000})
    assert mine.done()


async def test_a_refusal_that_nobody_waits_for_is_passed_on() -> None:
    tokens = OfferedTokens()
    tokens.offer("a").cancel()
    assert not tokens.take(REFUSED)


async def test_a_lost_connection_answers_nobody() -> None:
    tokens = OfferedTokens()
    offered = tokens.offer("a")
    tokens.give_up("Lost.")
    with pytest.raises(ChatProblem, match="Lost"):
        await offered
