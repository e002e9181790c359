"""What holds for every call of every tool on the server, every read of a resource and every prompt, the host's own included.

What nobody declared does not run. A tool that is not there for whoever acts is not there: not in the list, and not when it
is called all the same. Arguments that a tool does not declare are refused, above all somebody else's ``user_id``. Every call
is remembered.

This module knows no server; ``sdk_host`` and ``fastmcp_host`` bring it to the two kinds of server.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import anyio

from permit_core.decision.decision_log import DecisionLog, decision_log
from permit_core.errors import Conflict, Forbidden, NotFound, PermitError, StoreError, UserFacing
from permit_core.identity import Actor, unknown_actor
from permit_core.policy.guards import Guard, GuardKind
from permit_core.policy.judgement import Spending, not_declared_hint
from permit_core.ports.approvals import Via
from permit_core.ports.policy_source import any_version, one_version
from permit_core.ports.record import AuditEvent
from permit_core.ports.request import ConfirmedBy, Request, RequestKind
from permit_core.redaction import redact
from permit_core.views import plain, written_out
from permit_mcp.acting import USER_ID, Acting, VerifiedToken, acting_as
from permit_mcp.arguments import invalid_arguments
from permit_mcp.core_source import CoreSource
from permit_mcp.declarations import Declarations, acted_on
from permit_mcp.judging import Admitted, Asked, Judging, Waits
from permit_mcp.signatures import json_values, secret_names

if TYPE_CHECKING:
    from permit_core.approvals.calls import Outcome as CallOutcome
    from permit_core.bootstrap import Core

logger = logging.getLogger(__name__)

T = TypeVar("T")

RECORD_SECONDS = 15.0
"""How long a call may still take to be remembered once it has ended, cancelled or not; longer than a busy database."""

MOST_ASKED = 4_000
"""How many characters a question at a client has at most; a longer one is asked at a terminal."""

INTERNAL_ERROR = "internal_error"

ASKING = frozenset({"create_access_request", "create_operation_approval"})
ABOUT_ONES_OWN = frozenset({"get_request", "wait_for_request", "withdraw_request"})
"""Tools about requests of one's own: there for everybody who may ask."""

Listing = Literal["shown", "hidden", "not declared"]

_EVENTS: Mapping[GuardKind, tuple[str, str, str]] = {
    "tools": ("tool", "tool.call", "tool.refused"),
    "mcp_resources": ("resource", "resource.read", "resource.refused"),
    "prompts": ("prompt", "prompt.call", "prompt.refused"),
}
"""How the record calls it, an ended call, and one that was not let in."""


class Unknown(PermitError):
    """There is no such tool, or none for this user: the answer must not tell which."""


class WrongArguments(PermitError):
    """The server's own validation does not take the arguments; ``paths`` says which, as paths into them."""

    def __init__(self, paths: Iterable[Sequence[str | int]]) -> None:
        super().__init__("arguments do not fit")
        self.paths = tuple(paths)


class AskFirst(PermitError):
    """The client is to ask its person first, and to make the call again with the answer.

    Attributes:
        request_id: of the stored request that the question is about.
        words: the question, in one line.
    """

    def __init__(self, request_id: str, words: str) -> None:
        super().__init__("the person at the client is asked first")
        self.request_id = request_id
        self.words = words


class Client(Protocol):
    """The client that makes a call, and whoever sits there."""

    @property
    def can_ask(self) -> bool:
        """Whether it can ask its person."""
        ...

    async def ask(self, request_id: str, words: str) -> bool | None:
        """What the person says: yes, no, or neither. The wait is bounded.

        Raises:
            AskFirst: the question is to be the answer to this call.
        """
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it came in.

    Attributes:
        kind: tool, resource or prompt.
        name: the tool's or prompt's name, the resource's URI template (or URI).
        arguments: as the client sent them.
        schema: the input schema; None when the server has no such thing.
        validated: the arguments as the function will get them, defaults filled in; raises :class:`WrongArguments`.
        definition: digest of what it says of itself.
        token: the request's verified access token; None when it has none.
        shown: what the record calls it; the name when empty.
        client: who made it; None where there is nobody who could be asked.
    """

    kind: GuardKind
    name: str
    arguments: Mapping[str, Any]
    schema: Mapping[str, Any] | None
    validated: Callable[[], Mapping[str, Any]]
    definition: Callable[[], str]
    token: VerifiedToken | None = None
    shown: str = ""
    client: Client | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended.

    Attributes:
        kind: ``refused`` for our refusals with their code, ``error`` for everything else that failed, ``asked`` when the
            server asks its client something first and nothing was done yet.
        code: of a refusal.
    """

    kind: Literal["ok", "error", "refused", "asked"]
    code: str = ""

    @classmethod
    def read(cls, is_error: bool, refused: Mapping[str, Any] | None) -> Outcome:
        """The outcome of a result with this flag and this refusal in its metadata."""
        if not is_error:
            return cls("ok")
        if refused is None:
            return cls("error")
        return cls("error" if refused["code"] == INTERNAL_ERROR else "refused", refused["code"])


@dataclass(slots=True)
class _Case:
    """A call on its way: who acts (None: nobody), what is declared, and what it uses."""

    call: Call
    actor: Actor | None
    guard: Guard
    used: Admitted = field(default_factory=Admitted)


class Enforcement:
    """The rules at the boundary of a server.

    Args:
        acting: for whom calls act.
        cores: policy, directory and audit log.
        declarations: what code declares.
        judging: what is asked before a declared call runs.
    """

    def __init__(self, acting: Acting, cores: CoreSource, declarations: Declarations, judging: Judging) -> None:
        self._acting = acting
        self._cores = cores
        self._declarations = declarations
        self._judging = judging
        self._said_at_start = False

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """From the start of a server, as of :meth:`start`, to its end."""
        await self.start()
        async with self._cores.serving():
            yield

    async def start(self) -> None:
        """Find out, before anything is served, what cannot work, and say what nobody declared.

        The database is opened by the first request that needs it, see :meth:`~permit_mcp.core_source.CoreSource.start`.

        Raises:
            ConfigurationError: policy, settings and declarations do not fit together.
            StoreError: the database is unreachable, where it is opened now.
        """
        await self._cores.start()
        declared = self._judging.declared(self._cores.model)
        if self._said_at_start:
            return
        self._said_at_start = True
        for it in declared.undeclared:
            logger.warning(
                "%s is not declared, so every call is refused. %s", it.name, not_declared_hint(it.kind, it.name)
            )

    async def listing(
        self, kind: GuardKind, names: Iterable[str], token: VerifiedToken | None
    ) -> Mapping[str, Listing]:
        """How each of the names is to be listed for whoever asks.

        Raises:
            StoreError: it cannot be found out.
            ConfigurationError: policy, settings and declarations do not fit together.
        """
        core = await self._cores.get()
        await core.policies.renew(core.environment)
        declared = self._judging.declared(core.model)
        actor: Actor | None = None
        try:
            if not self._acting.is_unbound:
                actor = await self._acting.actor(token)
        except (NotFound, Forbidden):
            return dict.fromkeys(names, "hidden")
        found: dict[str, Listing] = {}
        for name in names:
            guard = declared.model.guard(kind, name)
            if actor is None:
                found[name] = "not declared" if guard is None else "shown"
            else:
                seen = guard is not None and await self._is_there(core, actor, guard)
                found[name] = "shown" if seen else "hidden"
        return found

    async def guarded(self, call: Call, run: Callable[[], Awaitable[T]], outcome_of: Callable[[T], Outcome]) -> T:
        """Run a call if it may run, and remember it either way.

        Args:
            call: what is asked for.
            run: does it.
            outcome_of: reads the outcome off what ``run`` answers.

        Raises:
            Unknown: there is no such thing for this user; recorded as ``tool.refused``.
            UserFacing: it was not let in (``forbidden_argument``, ``no_such_user``, ``not_identified``,
                ``tool_not_allowed``, ``not_declared``: recorded as ``tool.refused``), or does not run
                (``invalid_arguments``, ``access_denied``, ``approval_needed`` and others: recorded as ``tool.call``).
            AskFirst: the client is to ask its person first; recorded as ``asked``.
            StoreError: whether the call may run could not be found out, so it did not.
        """
        core = await self._cores.get()
        version = await core.policies.renew(core.environment)
        with one_version(core.policies, core.environment, version):
            return await self._guarded(call, run, outcome_of, version.hash)

    async def _guarded(
        self, call: Call, run: Callable[[], Awaitable[T]], outcome_of: Callable[[T], Outcome], policy: str
    ) -> T:
        """Judged and recorded by one version of the policy."""
        _, done, refused = _EVENTS[call.kind]
        with decision_log(policy) as decided:
            try:
                case = await self._let_in(call)
            except Unknown:
                await self._remember(refused, call, Outcome("refused", "unknown_tool"))
                raise
            except UserFacing as error:
                await self._remember(refused, call, Outcome("refused", error.code))
                raise
            outcome = Outcome("error")
            try:
                await self._admit(case)
                answer = await self._run(case, run, outcome_of)
                outcome = outcome_of(answer)
            except anyio.get_cancelled_exc_class():
                outcome = Outcome("error", "cancelled")
                raise
            except UserFacing as error:
                outcome = Outcome("refused", error.code)
                raise
            except AskFirst:
                outcome = Outcome("asked")
                raise
            finally:
                await self._remember(done, call, outcome, case, decided)
            return answer

    async def _let_in(self, call: Call) -> _Case:
        """Who acts (nobody, on an unbound server), and what is declared of what is called."""
        core = await self._cores.get()
        guard = self._judging.declared(core.model).model.guard(call.kind, call.name)
        user_id = call.arguments.get(USER_ID)
        unbound = self._acting.is_unbound
        if not unbound:
            actor = await self._acting.actor(call.token)
            if call.schema is None or (guard is not None and not await self._is_there(core, actor, guard)):
                raise Unknown(call.name)
        elif call.schema is None:
            raise Unknown(call.name)
        self._refuse_undeclared(call, call.schema)
        if guard is None:
            raise _not_declared(call)
        if not unbound:
            if user_id is not None and user_id != actor.user:
                raise _forbidden_argument([USER_ID])
            return _Case(call, actor, guard)
        if user_id is None and guard.is_open and call.token is None:
            return _Case(call, None, guard)
        actor = await self._acting.actor(call.token, user_id)
        if not await self._is_there(core, actor, guard) and guard.is_open:
            raise Forbidden("The policy does not give this tool to this user.", code="tool_not_allowed")
        return _Case(call, actor, guard)

    async def _is_there(self, core: Core, actor: Actor, guard: Guard) -> bool:
        """An open tool that roles name is there for these roles; a guarded one where it is not always refused."""
        if not guard.is_open:
            return await self._judging.is_listed(core, actor, guard)
        if guard.kind != "tools":
            return True
        if guard.name not in self._declarations.own_tools and guard.name not in core.model.role_tools:
            return True
        theirs = core.model.tools_for(await core.directory.tenant_roles(actor.environment, actor.tenant, actor.user))
        if guard.name in ABOUT_ONES_OWN and not theirs.isdisjoint(ASKING):
            return True  # whoever may ask can look at what was asked, in every role
        return guard.name in theirs

    async def _admit(self, case: _Case) -> None:
        call, guard = case.call, case.guard
        try:
            arguments = call.validated()
        except WrongArguments as error:
            raise invalid_arguments(call.schema or {}, call.arguments, error.paths) from None
        if _is_plainly_open(guard):
            return
        if case.actor is None:
            raise NotFound("This needs a user to act for.", code="no_such_user", hint="Name the user in user_id.")
        core = await self._cores.get()
        hide = tuple(secret_names(call.schema or {}))
        asked = Asked(case.actor, guard, json_values(arguments), call.definition(), hide)
        try:
            case.used = await self._judging.admit(core, asked)
        except Waits as waits:
            if waits.request.by is not ConfirmedBy.IN_CLIENT:
                raise
            await self._ask_in_client(core, case.actor, call.client, waits)
            case.used = await self._judging.admit(core, asked)  # judged anew, now that it is decided

    async def _ask_in_client(self, core: Core, actor: Actor, client: Client | None, waits: Waits) -> None:
        """Have the person at the client decide the stored question; returns when it is not a no.

        Raises:
            Forbidden: ``approval_denied``: they said no.
            Waits: they did not, or cannot there; with what to do instead.
            AskFirst: as of :meth:`Client.ask`.
        """
        request = waits.request
        arguments = await core.approvals.shown_arguments(actor, request)
        words = "" if arguments is None else _words(request, arguments)
        elsewhere = (
            f"Its person decides at a terminal, permit-mcp requests approve {request.id}, and then it is made again."
        )
        if client is None or not client.can_ask or not 0 < len(words) <= MOST_ASKED:
            raise Waits(request, hint=f"This cannot be asked at the client. {elsewhere}")
        yes = await client.ask(request.id, words)
        if yes is None:
            raise Waits(request, hint=f"Nobody answered at the client. {elsewhere}")
        decide = core.approvals.approve if yes else core.approvals.deny
        with suppress(Conflict):  # decided elsewhere meanwhile: what holds is found out when it is judged
            await decide(actor, RequestKind.CALL, request.id, via=Via.CLIENT)
        if not yes:
            raise Forbidden("The person at the client said no.", code="approval_denied", request_id=request.id)

    async def _run(self, case: _Case, run: Callable[[], Awaitable[T]], outcome_of: Callable[[T], Outcome]) -> T:
        """Run it, and settle what it uses: an approval is ``unknown`` unless an answer came.

        What it reads is with the session before anything of it can be: errors and notifications say things as well.
        """
        # Imported when a call comes: what stores is slow to import, and no client waits for it at the start.
        from permit_core.approvals.calls import Outcome as CallOutcome

        settled = CallOutcome.NOT_SENT
        try:
            if case.guard.rule.reads and case.actor is not None:
                await self._judging.taint(await self._cores.get(), case.actor, case.guard)
            settled = CallOutcome.LOST
            # A tool may run long, and asks by the policy of that moment.
            with acting_as(case.actor), any_version():
                answer = await run()
            settled = CallOutcome.NOT_SENT if outcome_of(answer).kind == "asked" else CallOutcome.ANSWERED
        finally:
            if case.actor is not None:
                spends = case.used.spends if settled is CallOutcome.NOT_SENT else ()
                await self._settle(case.actor, case.used.claimed, settled, spends)
        return answer

    async def _settle(
        self, actor: Actor, claimed: tuple[Request, ...], outcome: CallOutcome, back: tuple[Spending, ...]
    ) -> None:
        if not claimed and not back:
            return
        try:
            with anyio.fail_after(RECORD_SECONDS, shield=True):
                core = await self._cores.get()
                if claimed:
                    await core.approvals.settle(actor, claimed, outcome)
                if back:
                    await self._judging.give_back(core, actor, back)
        except Exception:
            # It stays `executing`, and becomes `unknown` by itself: never run again, and a reviewer sees it.
            logger.exception("the end of %s could not be written down", ", ".join(request.id for request in claimed))

    def _refuse_undeclared(self, call: Call, schema: Mapping[str, Any]) -> None:
        declared = schema.get("properties", {}).keys()
        undeclared = sorted(call.arguments.keys() - declared)
        if schema.get("additionalProperties") not in (None, False):
            # A tool of the host's that takes anything still does not take anybody.
            undeclared = [name for name in undeclared if name == USER_ID]
        if undeclared:
            raise _forbidden_argument(undeclared)

    async def _remember(
        self, event: str, call: Call, outcome: Outcome, case: _Case | None = None, decided: DecisionLog | None = None
    ) -> None:
        name = call.shown or call.name
        body = {
            **redact(
                {_EVENTS[call.kind][0]: name, "arguments": call.arguments},
                hide=secret_names(call.schema or {}),
                show=acted_on(case.guard) if case is not None else (),
            ),
            "outcome": outcome.kind,
            "code": outcome.code,
            **(decided.as_dict() if decided else {}),
        }
        if case is not None and case.used.claimed:
            body["requests"] = [request.id for request in case.used.claimed]
        actor = case.actor if case is not None else None
        try:
            with anyio.fail_after(RECORD_SECONDS, shield=True):
                core = await self._cores.get()
                who = actor or await self._known_actor(core, call)
                # The disk is not waited for: what the call changed has waited for it, with a record of its own.
                await core.audit.note(AuditEvent(event, who, body), durable=False)
        except StoreError:
            # The database has logged why, once for the whole outage.
            logger.error("%s of %s could not be recorded", event, body["tool"])  # noqa: TRY400
        except Exception:
            # What the call changed has its own record, in the transaction that changed it. Telling the caller that
            # the call failed would invite a repetition.
            logger.exception("%s of %s could not be recorded", event, plain(name)[:100])

    async def _known_actor(self, core: Core, call: Call) -> Actor:
        try:
            return await self._acting.actor(call.token, call.arguments.get(USER_ID))
        except (NotFound, Forbidden):
            return unknown_actor(core.environment, core.settings.tenant)


def _words(request: Request, arguments: Mapping[str, Any]) -> str:
    """The question about a call, from what is stored; its arguments in a form that nothing can hide in."""
    tool = request.called.tool if request.called is not None else ""
    given = ", ".join(f"{written_out(name)[1:-1]} = {written_out(value)}" for name, value in arguments.items())
    pinned = "".join(f" Now {plain(name)} is {written_out(value)}." for name, value in request.pinned.items())
    on = f"It acts on {plain(request.resource_name)}, with" if request.resource.type else "It has"
    return (
        f"Make this call of {plain(tool)} for {plain(request.user_name)}, once? {on} {given or 'no arguments'}.{pinned}"
    )


def _is_plainly_open(guard: Guard) -> bool:
    """Nothing is asked before it runs."""
    return guard.is_open and guard.never is None and not guard.confirms and not guard.quotas


def _not_declared(call: Call) -> Forbidden:
    what = _EVENTS[call.kind][0]
    return Forbidden(
        f"The policy does not say what this {what} does, so it does not run.",
        code="not_declared",
        hint=not_declared_hint(call.kind, call.name),
    )


def _forbidden_argument(names: list[str]) -> Forbidden:
    shown = ", ".join(redact(dict.fromkeys(names[:5])))
    return Forbidden(
        f"This tool does not take: {shown}.",
        code="forbidden_argument",
        hint="Leave it out. The tools act for the person whose session this is."
        if USER_ID in names
        else "Call the tool again with the arguments of its schema only.",
    )
