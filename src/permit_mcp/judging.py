"""What is asked before a declared call runs: the decision point, quotas, what the session has read, and a human.

Knows no server: a call comes in with its arguments as the tool will get them, and may run, is refused, or waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from permit_core.access import Check, Decision, ReasonCode, ResourceRef
from permit_core.errors import Forbidden, InvalidInput
from permit_core.identity import Actor
from permit_core.policy.conditions import Scope
from permit_core.policy.guards import Guard, resource_of, split_resource
from permit_core.policy.judgement import (
    Allow,
    Gate,
    Hold,
    Judgement,
    QuotaWindow,
    Refuse,
    Spending,
    about_type,
    judge,
    listed,
    narrower,
    scope_of,
    windows,
)
from permit_core.policy.schema import ConfirmedBy
from permit_core.ports.request import Request, RequestStatus
from permit_mcp.declarations import Declarations, Declared, Registered, acted_on
from permit_mcp.signatures import json_values

if TYPE_CHECKING:
    from permit_core.approvals.calls import Call
    from permit_core.bootstrap import Core
    from permit_core.database import Transaction
    from permit_core.policy.model import PolicyModel

_ASKED_ANEW = frozenset(
    {
        "approval_needed",
        "approval_pending",
        "approval_denied",
        "approval_expired",
        "approval_used",
        "approval_mismatch",
    }
)
"""Why a yes cannot be used; each time the question is put (again), unless it waits already."""

Register = Callable[[], Iterable[Registered]]
"""Lists what is on the host's server now."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that is to be judged.

    Attributes:
        actor: who acts.
        guard: what is declared of what is called.
        arguments: as it will really get them, as JSON values.
        definition: digest of what it says of itself.
        hide: names of arguments that the record masks.
        labels: what the session has read until now.
    """

    actor: Actor
    guard: Guard
    arguments: Mapping[str, Any]
    definition: str
    hide: tuple[str, ...] = ()
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that may run now, and what it uses.

    Attributes:
        claimed: approvals, to be settled once it has run.
        spends: of quotas, to be given back when it is certain that it did not.
    """

    claimed: tuple[Request, ...] = ()
    spends: tuple[Spending, ...] = ()


async def decide(core: Core, check: Check, transaction: Transaction | None = None) -> tuple[Check, Decision]:
    """The decision on a check: of the human, and of the agent where the directory knows it; the narrower wins.

    Returns:
        The check that was decided on, and the decision. What is not stored is decided on by its type and by ``call.``.

    Raises:
        StoreError: the database does not answer.
    """
    human = await core.pdp.decide(check, transaction)
    if human.reason_code is ReasonCode.NO_SUCH_INSTANCE and check.resource.key is not None:
        check = about_type(check)
        human = await core.pdp.decide(check, transaction)
    agent = check.actor.agent
    if agent is None or not await _knows(core, check.actor, agent, transaction):
        return check, human
    as_agent = replace(check, actor=replace(check.actor, user=agent))
    return check, narrower(human, await core.pdp.decide(as_agent, transaction))


async def _knows(core: Core, actor: Actor, agent: str, transaction: Transaction | None) -> bool:
    return await core.directory.actor(actor.environment, actor.tenant, agent, transaction) is not None


class Judging:
    """Judges what was declared, in code and in the policy.

    Args:
        declarations: what code declares.
        register: what there is to declare.
    """

    def __init__(self, declarations: Declarations, register: Register) -> None:
        self._declarations = declarations
        self._register = register
        self._place = ""
        self._declared: tuple[Any, Declared] | None = None

    def declared(self, model: PolicyModel) -> Declared:
        """The policy and code together, as they are now.

        Raises:
            ConfigurationError: they contradict each other, or what is registered.
        """
        registered = tuple(self._register())
        kept = self._declared
        if kept is None or kept[0] is not model or kept[1].found_for != registered:
            kept = self._declared = (model, self._declarations.put_together(model, registered))
        return kept[1]

    def fits(self, model: PolicyModel) -> None:
        """Whether code declares nothing that contradicts a policy, or what is registered.

        Raises:
            ConfigurationError: it does.
        """
        self._declarations.put_together(model, tuple(self._register()))

    async def is_listed(self, core: Core, actor: Actor, guard: Guard) -> bool:
        """Whether a guarded thing is there for somebody: not where it would always be refused."""
        if core.facts is None:
            return True  # the decision point is elsewhere, and says so when it is called
        facts = core.facts.peek(actor.environment) or await core.facts.facts(actor.environment)
        return listed(core.model, facts, actor, guard)

    async def admit(self, core: Core, asked: Asked) -> Admitted:
        """Let a call pass: returns when it may run now, with what it uses.

        Raises:
            UserFacing: it is refused, or it waits for a human; the error says which, and what to do.
            StoreError: it could not be found out, so it may not run.
        """
        hold: Hold | None = None
        # Not within the transaction below: asking for labels is a call of the session, and may write.
        asked = replace(asked, labels=await core.labels.of(asked.actor, self._place_of(asked.actor)))
        if not asked.guard.quotas:  # most calls: allowed or refused, and nothing to write
            judged = await self._judge(core, asked, None)
            if isinstance(judged, Refuse):
                raise judged.error()
            if isinstance(judged, Allow):
                return Admitted()
        spends: tuple[Spending, ...] = ()

        async def again(transaction: Transaction, approved: Mapping[Gate, str]) -> Judgement:
            nonlocal hold, spends
            judged = await self._judge_and_spend(core, asked, transaction, cast("Mapping[Gate, ConfirmedBy]", approved))
            if isinstance(judged, Hold):
                hold = judged
            if isinstance(judged, Allow):
                spends = judged.spends
            return judged

        call = await self._call(core, asked)
        try:
            claimed = await core.approvals.claim(asked.actor, call, again)
        except Forbidden as error:
            if error.code not in _ASKED_ANEW or hold is None:
                raise
            if not _stores_itself(hold):
                raise _to_be_asked_for(hold, error) from None
            raise Waits(await core.approvals.hold(asked.actor, call, hold)) from None
        return Admitted(claimed, spends)

    async def give_back(self, core: Core, actor: Actor, spends: Iterable[Spending]) -> None:
        """Take off quotas what a call used up that is certain not to have run.

        Raises:
            StoreError: it stays used up.
        """
        from permit_core.stores.quotas import QuotaStore  # not at the start, see _place_of

        async with core.database.transaction(actor.environment) as transaction:
            await QuotaStore().give_back(actor.environment, transaction, spends)

    async def taint(self, core: Core, actor: Actor, guard: Guard) -> None:
        """What will be read stays with the session; durable when this returns.

        Raises:
            StoreError: it is not durable: nothing may be read.
        """
        if guard.rule.reads:
            await core.labels.taint(actor, self._place_of(actor), guard.rule.reads, guard.name)

    def _place_of(self, actor: Actor) -> str:
        # Imported when a call comes, as below: what stores is slow to import, and no client waits for it at the start.
        from permit_core.labels import ACROSS_SERVERS, process_place

        if actor.agent is not None:
            return ACROSS_SERVERS
        self._place = self._place or process_place()
        return self._place

    async def _judge(
        self,
        core: Core,
        asked: Asked,
        transaction: Transaction | None,
        *,
        spent: Mapping[QuotaWindow, Any] | None = None,
        approved: Mapping[Gate, ConfirmedBy] | None = None,
    ) -> Judgement:
        declared, guard, actor = self.declared(core.model), asked.guard, asked.actor
        scope = Scope({}, {}, {}, asked.arguments)
        check = decision = None
        if guard.is_open:
            about = guard.check(actor, asked.arguments)
        else:
            resource, _ = declared.resource(guard, asked.arguments)
            about = Check(actor, str(guard.rule.action), resource, call=asked.arguments)
            about, decision = await decide(core, about, transaction)
            check = about
        if core.facts is not None:
            scope = scope_of(await core.facts.facts(actor.environment, transaction), about, core.model)
        return judge(
            declared.model,
            guard,
            kind=guard.kind,
            name=guard.name,
            check=check,
            decision=decision,
            scope=scope,
            actor=actor,
            now=core.clock(),
            labels=asked.labels,
            spent=spent,
            approved=approved,
        )

    async def _judge_and_spend(
        self,
        core: Core,
        asked: Asked,
        transaction: Transaction,
        approved: Mapping[Gate, ConfirmedBy],
    ) -> Judgement:
        """Judge within a transaction, and write there what an allowed call uses up of a quota."""
        from permit_core.stores.quotas import QuotaStore  # not at the start, see _place_of

        environment, quotas = asked.actor.environment, QuotaStore()
        periods = windows(asked.guard, asked.actor, core.clock())
        spent = await quotas.spent(environment, transaction, periods) if periods else {}
        judged = await self._judge(core, asked, transaction, spent=spent, approved=approved)
        if isinstance(judged, Allow):
            await quotas.spend(environment, transaction, judged.spends)
        return judged

    async def _call(self, core: Core, asked: Asked) -> Call:
        """The call as a human is asked about it."""
        from permit_core.approvals.calls import Call  # not at the start, see _place_of

        guard = asked.guard
        if guard.is_open:
            return Call(guard.name, asked.arguments, asked.definition, ResourceRef(""), hide=asked.hide)
        resource, shown = self.declared(core.model).resource(guard, asked.arguments)
        stored = None
        if resource.key is not None:
            stored = await core.directory.instance(asked.actor.environment, asked.actor.tenant, resource)
        return Call(
            tool=guard.name,
            arguments=asked.arguments,
            definition=asked.definition,
            resource=resource if stored is not None else ResourceRef(resource.type, None),
            acts_on=shown,
            attributes=stored.attributes if stored is not None else {},
            hide=asked.hide,
            show=acted_on(guard),
        )


def _stores_itself(hold: Hold) -> bool:
    """Whether this very call waits; an operation on something stored is asked for by a person, with a reason."""
    return hold.kind == "call" or hold.check is None or hold.check.resource.key is None


def _to_be_asked_for(hold: Hold, error: Forbidden) -> Forbidden:
    return Forbidden(
        error.message,
        code=error.code,
        hint=error.hint or "Ask for a one-time approval.",
        **{**error.details, "ask_for": [remedy.as_dict() for remedy in hold.ask_for]},
    )


class Waits(Forbidden):
    """The very call waits for a yes.

    Attributes:
        request: what is asked, as it is stored.
    """

    def __init__(
        self,
        request: Request,
        hint: str = "Wait for the decision (wait_for_request), then make exactly the same call again.",
    ) -> None:
        super().__init__(
            "This call needs a human's yes before it runs; it waits for one.",
            code="approval_pending" if request.status is RequestStatus.PENDING else "approval_needed",
            hint=hint,
            request_id=request.id,
            expires_at=request.expires_at.isoformat() if request.expires_at else None,
        )
        self.request = request


async def check_now(core: Core, actor: Actor, action: str, resource: str, call: Mapping[str, Any]) -> Decision:
    """The decision on something within a call, for whoever acts."""
    named = resource_of(split_resource(resource))
    if not core.model.has_action(named.type, action):
        known = ", ".join(sorted(core.model.resources))
        raise InvalidInput(
            f"The policy knows no action {action!r} on {named.type!r}.",
            code="no_such_resource_type",
            hint=f"Use an action of one of: {known}.",
        )
    return (await decide(core, Check(actor, action, named, call=json_values(call))))[1]
