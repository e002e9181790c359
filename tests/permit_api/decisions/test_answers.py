"""Whatever goes wrong in a decision, the answer is no."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from permit_api.decisions import answers
from permit_api.decisions.answers import answer
from permit_api.decisions.snapshots import Snapshot
from permit_core.access import Check, Decision, Effect, ReasonCode, ResourceRef
from permit_core.identity import Actor
from permit_core.policy.facts import Facts
from permit_core.policy.model import PolicyModel


@pytest.fixture
def snapshot() -> Snapshot:
    model = PolicyModel.model_validate({"version": 1, "name": "t", "resources": {"doc": {"actions": ["read"]}}})
    return Snapshot(1, model, Facts.of([], ["default"], [], [], []), {"default": {}})


def fail() -> Any:
    raise RuntimeError("out of order")


@pytest.mark.parametrize("late", [False, True])
def test_an_engine_that_fails_denies(
    snapshot: Snapshot, late: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    allow = Decision(Effect.ALLOW, ReasonCode.TENANT_ROLE, chain=fail)
    monkeypatch.setattr(answers, "decide", lambda *_: allow if late else fail())
    with caplog.at_level(logging.ERROR):
        given = answer(snapshot, Check(Actor("default", "default", "ann"), "read", ResourceRef("doc")))
    assert (given["allow"], given["debug"]["code"]) == (False, "pdp_error")
    assert "out of order" in caplog.text
    assert "out of order" not in str(given)
