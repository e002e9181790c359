"""The order in which a call is judged, shown over every combination of what can stand in its way."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from permit_core.access import Check, Decision, Effect, ReasonCode, Remedy, ResourceRef
from permit_core.errors import Forbidden, TooMany
from permit_core.identity import Actor
from permit_core.policy.conditions import Scope
from permit_core.policy.engine import decide
from permit_core.policy.facts import Facts
from permit_core.policy.guards import STRICTNESS, Guard
from permit_core.policy.judgement import (
    Allow,
    Hold,
    Judgement,
    QuotaWindow,
    Refuse,
    about_type,
    judge,
    listed,
    narrower,
    not_declared_hint,
    pause,
    scope_of,
    windows,
)
from permit_core.policy.model import PolicyModel
from tests.support.policies import facts_of, policy_of

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
HENRY = Actor("default", "default", "henry", agent="bot")
MODEL = policy_of("""
resources:
  files:
    actions: [read, delete, keep, review]
    attributes: {size: {type: number}, word: {type: string}, open: {type: bool}, tags: {type: array}, due: {type: time}}
    roles:
      editor: {permissions: [read]}
      owner: {permissions: [read, delete]}
roles:
  helper: {permissions: [files:read]}
user_attributes: {level: {type: number}}
operation_approvals:
  - {resource: files, operation: delete, asked_by: [editor], review_action: review, pending_expires: 1 day,
     approval_expires: 1 hour, pinned: {size: equals}, ask_again_after: 10 minutes}
tools:
  delete_file:
    action: delete
    resource: "files:{name}"
    arguments: {name: string, never: bool, confirm: string, amount: number}
    never: {call.never: {equals: true}}
    quota: {most: 10, per: 1 day, sum: call.amount}
    confirm:
      - {when: {call.confirm: {equals: reviewer}}, by: reviewer, pinned: {size: less-than-equals}, ask_again_after: 1 hour}
      - {when: {call.confirm: {equals: self}}, by: self}
      - {when: {call.confirm: {equals: in_client}}, by: in_client}
      - {when: tainted, by: in_client}
  read_file: {action: read, resource: "files:{name}", read_only: true, confirm: {when: tainted, by: self}}
  send_file: {action: read, resource: "files:{name}", read_only: true, outward: true, confirm: {when: tainted, by: self}}
  off: {action: read, resource: files, never: always}
  keep_file: {action: keep, resource: files}
  open_one: {open: true, quota: {most: 2, per: 1 hour, by: [agent]}, confirm: {when: always, by: self}}
""")
GUARD = MODEL.guard("tools", "delete_file")
assert GUARD is not None
DECISIONS = {
    "allow": Decision(Effect.ALLOW, ReasonCode.INSTANCE_ROLE, "resources.files.roles.owner"),
    "approval": Decision(
        Effect.REQUIRE_APPROVAL,
        ReasonCode.APPROVAL_NEEDED,
        "operation_approvals.0",
        remedies=(Remedy("operation_approval", "files:a", operation="delete"),),
    ),
    "deny": Decision(
        Effect.DENY, ReasonCode.NO_PERMISSION, remedies=(Remedy("access_request", "files:a", role="owner"),)
    ),
}


def judged(
    arguments: dict[str, Any],
    decision: Decision | None,
    *,
    guard: Guard | None = GUARD,
    labels: frozenset[str] = frozenset(),
    spent: float = 0,
    approved: Any = None,
    actor: Actor = HENRY,
    now: datetime = NOW,
) -> Judgement:
    check = Check(actor, "delete", ResourceRef("files", "a"), call=arguments)
    periods = windows(guard, actor, now) if guard else ()
    return judge(
        MODEL,
        guard,
        kind="tools",
        name="delete_file",
        check=check,
        decision=decision,
        scope=Scope({}, {}, {}, arguments),
        actor=actor,
        now=now,
        labels=labels,
        spent=dict.fromkeys(periods, spent),
        approved=approved,
    )


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "never": draw(st.booleans()),
        "spent": draw(st.sampled_from([0, 9, 10])),
        "decision": draw(st.sampled_from(["allow", "approval", "deny"])),
        "confirm": draw(st.sampled_from(["no", *STRICTNESS])),
        "tainted": draw(st.booleans()),
        "approved": draw(
            st.dictionaries(st.sampled_from(["operation", "call"]), st.sampled_from(STRICTNESS), max_size=2)
        ),
    }


def expected(call: dict[str, Any]) -> tuple[str, str | None]:
    """The order, written down a second time: what stands first in the way answers."""
    if call["never"]:
        return "refuse", "never"
    if call["spent"] == 10:
        return "refuse", "quota_exceeded"
    if call["decision"] == "deny":
        return "refuse", "access_denied"
    if call["decision"] == "approval" and "operation" not in call["approved"]:
        return "hold", "operation"
    needed = [STRICTNESS.index(call["confirm"])] if call["confirm"] != "no" else []
    needed += [STRICTNESS.index("in_client")] if call["tainted"] else []
    if needed:
        said = call["approved"].get("call")
        if said is None or STRICTNESS.index(said) < max(needed):
            return "hold", "call"
    return "allow", None


def play(call: dict[str, Any]) -> Judgement:
    return judged(
        {"name": "a", "never": call["never"], "confirm": call["confirm"], "amount": 1},
        DECISIONS[call["decision"]],
        labels=frozenset({"untrusted"} if call["tainted"] else ()),
        spent=call["spent"],
        approved=call["approved"],
    )


def said(judgement: Judgement) -> tuple[str, str | None]:
    if isinstance(judgement, Refuse):
        return "refuse", judgement.code
    return ("hold", judgement.kind) if isinstance(judgement, Hold) else ("allow", None)


@given(calls())
def test_the_first_thing_in_the_way_answers(call: dict[str, Any]) -> None:
    assert said(play(call)) == expected(call)


@given(calls(), st.sampled_from(["operation", "call"]), st.sampled_from(STRICTNESS))
def test_an_approval_never_overrides_a_refusal_and_takes_nothing_away(call: dict[str, Any], gate: str, by: str) -> None:
    before = said(play(call))
    after = said(play({**call, "approved": {**call["approved"], gate: max(by, call["approved"].get(gate, by), key=STRICTNESS.index)}}))  # fmt: skip

    assert (before[0] == "refuse") is (after[0] == "refuse")
    if before[0] == "refuse":
        assert after == before
    assert not (before[0] == "allow" and after[0] == "hold")


def test_every_pair_of_the_order_is_met() -> None:
    """Never, quota, denied, approval, confirm: whichever two stand in the way, the one that is named first answers."""
    gates: dict[str, dict[str, Any]] = {
        "never": {"never": True},
        "quota_exceeded": {"spent": 10},
        "access_denied": {"decision": "deny"},
        "operation": {"decision": "approval"},
        "call": {"confirm": "self"},
    }
    free = {"never": False, "spent": 0, "decision": "allow", "confirm": "no", "tainted": False, "approved": {}}
    names = list(gates)
    for first, second in product(names, names):
        if {first, second} == {"access_denied", "operation"}:
            continue  # one decision is not both
        earliest = min(first, second, key=names.index)
        assert said(play({**free, **gates[first], **gates[second]}))[1] == earliest
    assert play(free) == Allow(spends=judged({"amount": 1, "never": False, "confirm": ""}, DECISIONS["allow"]).spends)  # type: ignore[union-attr]


def test_a_hold_on_an_operation_is_what_the_operation_rule_says() -> None:
    hold = play({"never": False, "spent": 0, "decision": "approval", "confirm": "no", "tainted": True, "approved": {}})

    assert isinstance(hold, Hold)
    assert (hold.kind, hold.rule, hold.by, hold.review_action) == (
        "operation",
        "operation_approvals.0",
        "reviewer",
        "review",
    )
    assert (hold.pending_expires, hold.approval_expires) == (timedelta(days=1), timedelta(hours=1))
    assert (hold.pinned, hold.ask_again_after) == ({"size": "equals"}, timedelta(minutes=10))
    assert hold.tainted
    assert [remedy.as_dict()["operation"] for remedy in hold.ask_for] == ["delete"]
    assert (hold.code, hold.check is not None) == ("approval_needed", True)


def test_a_hold_on_a_call_is_what_its_confirm_says() -> None:
    hold = play(
        {"never": False, "spent": 0, "decision": "allow", "confirm": "reviewer", "tainted": True, "approved": {}}
    )

    assert isinstance(hold, Hold)
    assert (hold.kind, hold.rule, hold.by, hold.review_action) == (
        "call",
        "tools.delete_file.confirm.0",
        "reviewer",
        "review",
    )
    assert (hold.pinned, hold.ask_again_after) == ({"size": "less-than-equals"}, timedelta(hours=1))
    assert (hold.ask_for, hold.tainted) == ((), True)


def test_an_allowed_call_says_which_approvals_it_used() -> None:
    both = {"operation": "reviewer", "call": "reviewer"}
    free = {"never": False, "spent": 0, "confirm": "no", "tainted": False, "approved": both}

    assert play({**free, "decision": "allow"}).uses == frozenset()  # type: ignore[union-attr]
    assert play({**free, "decision": "approval"}).uses == {"operation"}  # type: ignore[union-attr]
    assert play({**free, "decision": "approval", "confirm": "self"}).uses == {"operation", "call"}  # type: ignore[union-attr]


def test_what_cannot_be_told_lifts_no_gate() -> None:
    assert said(judged({"amount": 1, "confirm": "no"}, DECISIONS["allow"])) == ("refuse", "never")
    assert said(judged({"amount": 1, "never": "no", "confirm": "no"}, DECISIONS["allow"])) == ("refuse", "never")
    held = judged({"amount": 1, "never": False}, DECISIONS["allow"])
    assert isinstance(held, Hold)
    assert held.by == "reviewer"
    for amount in (None, "1", True, -1, float("nan"), float("inf")):
        refused = judged({"amount": amount, "never": False, "confirm": "no"}, DECISIONS["allow"])
        assert said(refused) == ("refuse", "quota_exceeded")


def test_a_quota_says_when_the_same_call_fits_again() -> None:
    refused = judged({"amount": 4, "never": False, "confirm": "no"}, DECISIONS["allow"], spent=7)

    assert isinstance(refused, Refuse)
    assert refused.retry_at == datetime(2026, 11, 23, tzinfo=UTC)
    assert refused.retry_after == 15 * 3600 + 1800
    error = refused.error()
    assert isinstance(error, TooMany)
    assert (error.code, error.retry_after) == ("quota_exceeded", refused.retry_after)
    assert error.details["retry_at"] == "2026-11-23T00:00:00+00:00"


def test_sums_are_exact_and_more_than_the_quota_never_fits() -> None:
    arguments = {"amount": 0.1, "never": False, "confirm": "no"}

    assert said(judged(arguments, DECISIONS["allow"], spent=9.9)) == ("allow", None)
    assert said(judged({**arguments, "amount": 0.2}, DECISIONS["allow"], spent=9.9)) == ("refuse", "quota_exceeded")
    alone = judged({**arguments, "amount": 10.1}, DECISIONS["allow"])
    assert isinstance(alone, Refuse)
    assert (alone.retry_at, alone.retry_after) == (None, None)
    assert isinstance(alone.error(), Forbidden)


def test_quotas_are_counted_by_user_or_agent_tenant_and_period() -> None:
    guard = MODEL.guard("tools", "open_one")
    assert guard is not None
    assert GUARD is not None

    def keys(which: Guard, actor: Actor, now: datetime = NOW) -> tuple[QuotaWindow, ...]:
        return windows(which, actor, now)

    other_agent = Actor("default", "default", "henry", agent="bot2")
    other_user = Actor("default", "default", "rose", agent="bot")
    assert keys(GUARD, HENRY) == keys(GUARD, other_agent) == keys(GUARD, HENRY, NOW + timedelta(hours=15, minutes=29))
    assert keys(GUARD, HENRY) != keys(GUARD, other_user)
    assert keys(GUARD, HENRY) != keys(GUARD, HENRY, NOW + timedelta(hours=15, minutes=30))
    assert keys(guard, HENRY) == keys(guard, other_user) != keys(guard, other_agent)
    assert keys(guard, HENRY) != keys(guard, Actor("default", "elsewhere", "henry", agent="bot"))
    sly = Actor("default", "a|b", "c"), Actor("default", "a", "b|c")
    assert keys(GUARD, sly[0]) != keys(GUARD, sly[1])


def test_a_call_that_is_counted_in_two_quotas_waits_for_the_later() -> None:
    guard = policy_of("""
resources: {files: {actions: [read]}}
tools:
  look: {open: true, quota: [{most: 1, per: 1 hour}, {most: 2, per: 1 day}, {most: 0, per: 1 day, when: {user.key: {equals: rose}}}]}
""").guard("tools", "look")
    assert guard is not None
    hour, day, _ = windows(guard, HENRY, NOW)

    def look(*spent: int) -> Judgement:
        return judge(MODEL, guard, kind="tools", name="look", check=None, decision=None, scope=Scope({"key": "henry"}, {}, {}),
                     actor=HENRY, now=NOW, spent=dict(zip((hour, day), spent, strict=True)))  # fmt: skip

    assert [spending.window for spending in look(0, 0).spends] == [hour, day]  # type: ignore[union-attr]
    assert look(1, 1).retry_at == hour.ends  # type: ignore[union-attr]
    assert look(1, 2).retry_at == day.ends  # type: ignore[union-attr]
    assert judge(MODEL, guard, kind="tools", name="look", check=None, decision=None, scope=Scope({}, {}, {}),
                 actor=HENRY, now=NOW).rule == "tools.look.quota.2"  # type: ignore[union-attr]  # fmt: skip


def test_reading_alone_is_not_tainted_and_going_outward_is() -> None:
    untrusted, asked = frozenset({"untrusted"}), DECISIONS["allow"]

    assert said(judged({}, asked, guard=MODEL.guard("tools", "read_file"), labels=untrusted)) == ("allow", None)
    assert said(judged({}, asked, guard=MODEL.guard("tools", "send_file"), labels=untrusted)) == ("hold", "call")
    assert said(judged({}, asked, guard=MODEL.guard("tools", "send_file"), labels=frozenset({"private"}))) == (
        "allow",
        None,
    )


def test_what_is_not_declared_is_refused_with_the_line_to_add() -> None:
    refused = judged({}, DECISIONS["allow"], guard=None, approved={"operation": "reviewer", "call": "reviewer"})

    assert isinstance(refused, Refuse)
    assert (refused.code, refused.hint) == ("not_declared", not_declared_hint("tools", "delete_file"))
    assert "tools: {delete_file: open}" in refused.hint
    assert 'mcp_resources: {"files://{a}": open}' in not_declared_hint("mcp_resources", "files://{a}")
    assert 'prompts: {"say \\"x\\"": open}' in not_declared_hint("prompts", 'say "x"')


def test_a_refusal_says_what_can_be_asked_for_and_who_could_not_be_asked() -> None:
    refused = judged({"amount": 1, "never": False, "confirm": "no"}, DECISIONS["deny"])
    assert isinstance(refused, Refuse)
    error = refused.error()
    assert error.details["ask_for"] == [{"kind": "access_request", "resource_instance": "files:a", "role": "owner"}]
    assert isinstance(error, Forbidden)
    assert error.decision is refused.decision

    away = judged({"amount": 1, "never": False, "confirm": "no"}, Decision(Effect.DENY, ReasonCode.PDP_UNREACHABLE))
    assert said(away) == ("refuse", "pdp_unreachable")
    undecided = judged({"amount": 1, "never": False, "confirm": "no"}, None)
    assert said(undecided) == ("refuse", "access_denied")


def test_an_approval_the_policy_has_no_rule_for_is_a_refusal() -> None:
    model = policy_of("""
resources: {files: {actions: [delete]}}
tools: {delete_file: {action: delete, resource: "files:{name}"}}
""")
    check = Check(HENRY, "delete", ResourceRef("files", "a"))
    refused = judge(model, model.guard("tools", "delete_file"), kind="tools", name="delete_file", check=check,
                    decision=DECISIONS["approval"], scope=Scope({}, {}, {}), actor=HENRY, now=NOW)  # fmt: skip

    assert said(refused) == ("refuse", "access_denied")


def test_an_open_tool_has_its_other_gates() -> None:
    guard = MODEL.guard("tools", "open_one")

    assert said(judged({}, None, guard=guard)) == ("hold", "call")
    assert said(judged({}, None, guard=guard, approved={"call": "self"})) == ("allow", None)
    assert said(judged({}, None, guard=guard, approved={"call": "in_client"})) == ("hold", "call")
    assert said(judged({}, None, guard=guard, spent=2)) == ("refuse", "quota_exceeded")


def test_the_narrower_of_two_decisions_wins() -> None:
    for first, second in product(DECISIONS.values(), DECISIONS.values()):
        order = list(DECISIONS.values())[::-1]
        assert narrower(first, second) is (second if order.index(second) < order.index(first) else first)


def test_a_pause_doubles_with_every_denial_and_ends() -> None:
    first = timedelta(minutes=10)

    assert [pause(first, denials) for denials in range(4)] == [timedelta(0), first, first * 2, first * 4]
    assert pause(None, 5) == timedelta(0)
    assert pause(first, 10_000) == pause(first, 41) == timedelta(days=30)


FACTS = facts_of("""
users:
  - {key: henry, first_name: Henry, attributes: {level: 1}}
  - {key: rose, first_name: Rose}
  - {key: ella, first_name: Ella}
resource_instances:
  - {resource: files, key: a, attributes: {size: 5, word: secret, open: false, tags: [x], due: "2026-11-22"}}
role_assignments:
  - {user: henry, role: editor, resource_instance: "files:a"}
  - {user: rose, role: helper}
""")


def test_conditions_see_what_is_stored_and_what_was_called_side_by_side() -> None:
    check = Check(HENRY, "delete", ResourceRef("files", "a"), call={"size": 1, "level": 9})
    scope = scope_of(FACTS, check, MODEL)

    assert (scope.resource["size"], scope.user["level"]) == (5, 1)
    assert scope.call == {"size": 1, "level": 9}
    stranger = scope_of(FACTS, Check(Actor("default", "default", "nobody"), "delete", ResourceRef("files", "a")), MODEL)
    assert (stranger.user, stranger.resource) == ({}, {})


@pytest.mark.parametrize("action", ["read", "delete", "keep", "review"])
def test_a_tool_is_listed_unless_the_judgement_always_refuses(action: str) -> None:
    for user in ("henry", "rose", "ella", "nobody"):
        actor = Actor("default", "default", user)
        for name in ("delete_file", "read_file", "off", "keep_file", "open_one"):
            guard = MODEL.guard("tools", name)
            assert guard is not None
            shown = listed(MODEL, FACTS, actor, guard)
            if guard.is_open or guard.rule.action != action:
                assert shown or not guard.is_open
                continue
            ever = any(
                decide(MODEL, FACTS, Check(actor, action, ref)).effect is not Effect.DENY
                for ref in (ResourceRef("files", "a"), ResourceRef("files", None))
            )
            assert shown >= (ever and name != "off")
            if user in {"ella", "nobody"} or name in {"off", "keep_file"}:
                assert not shown


def test_a_set_rule_may_make_a_tool_worth_showing() -> None:
    model = policy_of("""
resources: {files: {actions: [read], roles: {reader: {}}}}
roles: {helper: {}}
set_rules:
  - {user_set: helper, is_role: true, permission: "files:read", resource_set: files, is_resource: true}
tools: {read_file: {action: read, resource: "files:{name}"}}
""")
    guard = model.guard("tools", "read_file")
    assert guard is not None

    def shown(user: str, which: PolicyModel = model, facts: Facts = FACTS) -> bool:
        return listed(which, facts, Actor("default", "default", user), guard)

    assert shown("rose")
    assert not shown("ella")
    by_role = policy_of("""
resources: {files: {actions: [read], roles: {reader: {}, editor: {}}}}
set_rules: [{user_set: "files#reader", is_role: true, permission: "files:read", resource_set: files, is_resource: true}]
""")
    assert shown("henry", by_role)
    assert not shown("rose", by_role)
    by_condition = policy_of("""
resources: {files: {actions: [read]}}
user_attributes: {level: {type: number}}
user_sets: {seniors: {conditions: {user.level: {greater-than: 5}}}}
set_rules: [{user_set: seniors, permission: "files:read", resource_set: files, is_resource: true}]
""")
    assert shown("ella", by_condition)
    assert not shown("nobody", by_condition)


def test_a_check_about_what_is_not_stored_becomes_one_about_its_type() -> None:
    check = Check(HENRY, "delete", ResourceRef("files", "gone"), call={"name": "gone"})

    assert about_type(check) == Check(HENRY, "delete", ResourceRef("files", None), call={"name": "gone"})
