"""What holds for every call of every tool on the server, the host's own included.

A tool that the acting user's roles do not show is not there: not in the list, and not when it is called all the same.
Arguments that a tool does not declare are refused, above all somebody else's ``user_id``. Every call is remembered.

This module knows no server; ``sdk_host`` and ``fastmcp_host`` bring it to the two kinds of server.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import anyio
from mcp.types import CallToolResult

from permit_core.bootstrap import Core
from permit_core.decision.journal import Journal, journal
from permit_core.errors import Forbidden, NotFound, PermitError, StoreError, UserFacing
from permit_core.identity import Actor, unknown_actor
from permit_core.ports.record import AuditEvent
from permit_core.redaction import redact
from permit_core.views import plain
from permit_mcp.acting_user import USER_ID, ActingUser
from permit_mcp.arguments import invalid_arguments
from permit_mcp.core_source import CoreSource
from permit_mcp.refusals import INTERNAL_ERROR, breakdown, refusal, unknown_tool

logger = logging.getLogger(__name__)

T = TypeVar("T")

RECORD_SECONDS = 15.0
"""How long a call may still take to be remembered once it has ended, cancelled or not; longer than a busy database."""


class UnknownTool(PermitError):
    """There is no such tool, or none for this user: the answer must not tell which."""


class WrongArguments(PermitError):
    """The server's own validation does not take the arguments; ``paths`` says which, as paths into them."""

    def __init__(self, paths: Iterable[Sequence[str | int]]) -> None:
        super().__init__("arguments do not fit")
        self.paths = tuple(paths)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as it came in.

    Attributes:
        name: the tool's.
        arguments: as the client sent them.
        schema: the tool's input schema; None when the server has no such tool.
        validated: the arguments as the tool will get them, defaults filled in; raises :class:`WrongArguments`.
    """

    name: str
    arguments: Mapping[str, Any]
    schema: Mapping[str, Any] | None
    validated: Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: ``refused`` for our refusals with their code, ``error`` for everything else that failed."""

    kind: Literal["ok", "error", "refused"]
    code: str = ""

    @classmethod
    def read(cls, is_error: bool, refused: Mapping[str, Any] | None) -> Outcome:
        """The outcome of a result with this flag and this refusal in its metadata."""
        if not is_error:
            return cls("ok")
        if refused is None:
            return cls("error")
        return cls("error" if refused["code"] == INTERNAL_ERROR else "refused", refused["code"])


class Enforcement:
    """The rules at the boundary of the tools.

    Args:
        acting: for whom calls act.
        cores: policy, directory and audit log.
    """

    def __init__(self, acting: ActingUser, cores: CoreSource) -> None:
        self._acting = acting
        self._cores = cores

    async def visible(self) -> frozenset[str] | None:
        """The names of the tools to list; None for all (nobody is bound)."""
        if self._acting.bound_to is None:
            return None
        return await self._tools_of(self._acting.bound_to)

    async def guarded(self, call: ToolCall, run: Callable[[], Awaitable[T]], outcome_of: Callable[[T], Outcome]) -> T:
        """Run a call if it may run, and remember it either way.

        Args:
            call: what is asked for.
            run: does it.
            outcome_of: reads the outcome off what ``run`` answers.

        Raises:
            UnknownTool: there is no such tool for this user; recorded as ``tool.refused``.
            UserFacing: ``forbidden_argument``, ``no_such_user``, ``tool_not_allowed`` (recorded as ``tool.refused``)
                or ``invalid_arguments`` (recorded as ``tool.call``).
            StoreError: whether the call may run could not be found out, so it did not.
        """
        with journal() as decided:
            return await self._run(call, run, outcome_of, decided)

    async def _run(
        self, call: ToolCall, run: Callable[[], Awaitable[T]], outcome_of: Callable[[T], Outcome], decided: Journal
    ) -> T:
        try:
            actor = await self._admit(call)
        except UnknownTool:
            await self._remember("tool.refused", call, Outcome("refused", "unknown_tool"))
            raise
        except UserFacing as error:
            await self._remember("tool.refused", call, Outcome("refused", error.code))
            raise
        try:
            call.validated()
            answer = await run()
        except anyio.get_cancelled_exc_class():
            await self._remember("tool.call", call, Outcome("error", "cancelled"), actor, decided)
            raise
        except WrongArguments as error:
            await self._remember("tool.call", call, Outcome("refused", "invalid_arguments"), actor, decided)
            raise invalid_arguments(call.schema or {}, call.arguments, error.paths) from error
        except Exception:
            await self._remember("tool.call", call, Outcome("error"), actor, decided)
            raise
        await self._remember("tool.call", call, outcome_of(answer), actor, decided)
        return answer

    async def _admit(self, call: ToolCall) -> Actor:
        """Check that the call may run; who acts, or the unknown actor."""
        core = await self._cores.get()
        environment, tenant = core.environment, core.settings.tenant
        bound = self._acting.bound_to
        if bound is not None and call.name not in await self._tools_of(bound):
            raise UnknownTool(call.name)
        if call.schema is None:
            raise UnknownTool(call.name)
        self._refuse_undeclared(call, call.schema)
        user_id = call.arguments.get(USER_ID)
        if bound is not None:
            if user_id is not None and user_id != bound:
                raise _forbidden_argument([USER_ID])
            return Actor(environment, tenant, bound)
        if user_id is None:
            return unknown_actor(environment, tenant)
        actor = await self._acting.actor(str(user_id))
        if call.name not in await self._tools_of(actor.user):
            raise Forbidden("The policy does not give this tool to this user.", code="tool_not_allowed")
        return actor

    def _refuse_undeclared(self, call: ToolCall, schema: Mapping[str, Any]) -> None:
        declared = schema.get("properties", {}).keys()
        undeclared = sorted(call.arguments.keys() - declared)
        if schema.get("additionalProperties") not in (None, False):
            # A tool of the host's that takes anything still does not take anybody.
            undeclared = [name for name in undeclared if name == USER_ID]
        if undeclared:
            raise _forbidden_argument(undeclared)

    async def _tools_of(self, user: str) -> frozenset[str]:
        core = await self._cores.get()
        return core.model.tools_for(await core.directory.tenant_roles(user, core.settings.tenant))

    async def _remember(
        self, event: str, call: ToolCall, outcome: Outcome, actor: Actor | None = None, decided: Journal | None = None
    ) -> None:
        body = {
            **redact({"tool": call.name, "arguments": call.arguments}),
            "outcome": outcome.kind,
            "code": outcome.code,
            **(decided.as_dict() if decided else {}),
        }
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
            logger.exception("%s of %s could not be recorded", event, body["tool"])

    async def _known_actor(self, core: Core, call: ToolCall) -> Actor:
        environment, tenant = core.environment, core.settings.tenant
        if self._acting.bound_to is not None:
            return Actor(environment, tenant, self._acting.bound_to)
        try:
            return await self._acting.actor(str(call.arguments.get(USER_ID, "")))
        except NotFound:
            return unknown_actor(environment, tenant)


def _forbidden_argument(names: list[str]) -> Forbidden:
    shown = ", ".join(redact(dict.fromkeys(names[:5])))
    return Forbidden(
        f"This tool does not take: {shown}.",
        code="forbidden_argument",
        hint="Leave it out. The tools act for the person whose session this is."
        if USER_ID in names
        else "Call the tool again with the arguments of its schema only.",
    )


def answer_to(error: PermitError, name: str) -> CallToolResult:
    """The result that tells the caller of :meth:`Enforcement.guarded`'s errors; unknown is said as the SDK says it."""
    if isinstance(error, UnknownTool):
        return unknown_tool(name)
    if isinstance(error, UserFacing):
        return refusal(error)
    logger.error("call of %s could not be judged", plain(name)[:100], exc_info=error)
    return breakdown()
