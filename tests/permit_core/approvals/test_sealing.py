"""Arguments of held calls: read back by whoever has the key and the right row, and by nobody else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permit_core.approvals.sealing import Seal, new_key
from permit_core.errors import Unavailable

ARGUMENTS = {"path": "/home/ann/tax.pdf", "amount": 2**53 + 1, "rate": 1.0}


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), st.integers() | st.none()))
def test_what_is_sealed_is_opened_as_it_was(arguments: dict[str, Any]) -> None:
    seal = Seal(new_key)
    shown = {**arguments, "pin": "[redacted]"}
    assert seal.open("req_1", seal.close("req_1", arguments, shown)) == (arguments, shown)


def test_a_sealed_text_shows_nothing_and_is_another_each_time() -> None:
    seal = Seal(new_key)
    first, second = seal.close("req_1", ARGUMENTS, {}), seal.close("req_1", ARGUMENTS, {})
    assert first != second
    assert b"tax.pdf" not in first


def test_a_sealed_text_in_another_row_cut_or_changed_is_refused() -> None:
    seal = Seal(new_key)
    sealed = seal.close("req_1", ARGUMENTS, {})
    for request, text in [
        ("req_2", sealed),
        ("req_1", sealed[:-1]),
        ("req_1", sealed[:10]),
        ("req_1", b""),
        ("req_1", sealed[:-1] + bytes([sealed[-1] ^ 1])),
    ]:
        with pytest.raises(Unavailable) as caught:
            seal.open(request, text)
        assert caught.value.code == "arguments_unreadable"


def test_another_key_is_told_as_unreadable() -> None:
    sealed = Seal(new_key).close("req_1", ARGUMENTS, {})
    with pytest.raises(Unavailable) as caught:
        Seal(new_key).open("req_1", sealed)
    assert caught.value.code == "arguments_unreadable"


def test_a_key_that_cannot_be_read_or_is_too_short_is_named() -> None:
    def missing() -> bytes:
        raise PermissionError

    for key in (missing, lambda: b"short"):
        with pytest.raises(Unavailable) as caught:
            Seal(key).close("req_1", ARGUMENTS, {})
        assert caught.value.code == "no_key"
