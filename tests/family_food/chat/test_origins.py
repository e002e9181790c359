"""Which web pages may open the chat."""

from __future__ import annotations

import pytest

from family_food.chat.origins import origin_allowed

ALLOWED = "https://food.example, http://localhost:3000 ,"


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        (None, "chat.example", True),
        ("https://chat.example", "chat.example", True),
        ("https://chat.example:443", "chat.example", True),
        ("http://chat.example:8000", "chat.example:8000", True),
        ("http://CHAT.example", "chat.example:80", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("https://food.example", "chat.example", True),
        ("http://localhost:3000", "127.0.0.1:8000", True),
        ("https://food.example:444", "chat.example", False),
        ("http://food.example", "chat.example", False),
        ("https://evil.example", "chat.example", False),
        ("https://chat.example.evil.example", "chat.example", False),
        ("http://chat.example:8001", "chat.example:8000", False),
        ("null", "chat.example", False),
        ("", "chat.example", False),
        ("file:///x", "chat.example", False),
        ("http://chat.example:port", "chat.example", False),
        ("http://[broken", "chat.example", False),
        ("http://chat.example", None, False),
    ],
)
def test_a_page_of_the_same_host_or_of_the_list_may(origin: str | None, host: str | None, allowed: bool) -> None:
    assert origin_allowed(origin, host, ALLOWED) is allowed
