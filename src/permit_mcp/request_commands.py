"""``permit-mcp requests``: what people are asked, and their answers, at a terminal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from permit_core.bootstrap import Core
from permit_core.errors import UserFacing
from permit_core.identity import Actor
from permit_core.ports.approvals import Via
from permit_core.ports.request import Request, RequestFilter, RequestKind, RequestStatus
from permit_core.views import RequestView, plain
from permit_mcp.operating import AsJson, Operator, operator, run, show_json, show_table
from permit_mcp.terminal import Terminal, at_the_terminal

PER_PAGE = 100
LOOK_EVERY = 1.0
"""How often ``watch`` looks for new requests, in seconds."""

app = typer.Typer(help="Requests that wait for a person's answer.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="The request's id.")]
CommentOption = Annotated[str, typer.Option(help="What the person who asked is told.")]


@app.command("list")
def list_(
    *,
    status: Annotated[RequestStatus | None, typer.Option(help="Only requests that stand like this.")] = None,
    as_operator: Operator = None,
    as_json: AsJson = False,
) -> None:
    """List requests that the operator made or may decide, newest first."""

    async def work(core: Core) -> list[Request]:
        return await _all(core, await operator(core, as_operator), status)

    found = run(work)
    if as_json:
        show_json([_json(request) for request in found])
        return
    show_table([_row(request) for request in found], "There are no requests.")


@app.command()
def show(request_id: Id, *, as_operator: Operator = None, as_json: AsJson = False) -> None:
    """Show one request, with everything that would be done."""

    async def work(core: Core) -> Request:
        return await core.approvals.get(await operator(core, as_operator), None, request_id)

    request = run(work)
    if as_json:
        show_json(_json(request))
    else:
        typer.echo(described(request))


@app.command()
def approve(
    request_id: Id, *, comment: CommentOption = "", as_operator: Operator = None, as_json: AsJson = False
) -> None:
    """Approve a request, after a yes at the terminal."""
    _decide(request_id, "approve", comment, as_operator, as_json=as_json)


@app.command()
def deny(request_id: Id, *, comment: CommentOption = "", as_operator: Operator = None, as_json: AsJson = False) -> None:
    """Deny a request, after a yes at the terminal."""
    _decide(request_id, "deny", comment, as_operator, as_json=as_json)


@app.command()
def cancel(
    request_id: Id, *, comment: CommentOption = "", as_operator: Operator = None, as_json: AsJson = False
) -> None:
    """Withdraw a request of one's own, or take back a yes that is not used yet, after a yes at the terminal."""
    _decide(request_id, "cancel", comment, as_operator, as_json=as_json)


@app.command()
def watch(*, as_operator: Operator = None) -> None:
    """Wait for requests, and ask about each of them at this terminal. Ctrl-C ends it."""

    async def work(core: Core) -> None:
        actor = await operator(core, as_operator)
        with at_the_terminal() as terminal:
            terminal.say(plain(f"Waiting for requests that {actor.name or actor.user} may decide. Ctrl-C ends this."))
            await _watch(core, actor, terminal)

    try:
        run(work)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


async def _watch(core: Core, actor: Actor, terminal: Terminal) -> None:
    later: set[str] = set()
    while True:
        waiting = await _all(core, actor, RequestStatus.PENDING, approver=actor.user)
        later &= {request.id for request in waiting}
        for request in reversed(waiting):
            if request.id not in later:
                await _put(core, actor, terminal, request, later)
        await asyncio.sleep(LOOK_EVERY)


async def _put(core: Core, actor: Actor, terminal: Terminal, request: Request, later: set[str]) -> None:
    terminal.say(f"\n{described(request)}")
    question = "Type y to approve, n to deny, Enter for neither: "
    answer = (await asyncio.to_thread(terminal.ask, question, ring=True) or "").strip().lower()
    try:
        if answer in {"y", "yes"}:
            decided = await core.approvals.approve(actor, request.kind, request.id, via=Via.PERSON)
        elif answer in {"n", "no"}:
            decided = await core.approvals.deny(actor, request.kind, request.id, via=Via.PERSON)
        else:
            later.add(request.id)
            terminal.say("Left as it is.")
            return
        terminal.say(_ended(decided))
    except UserFacing as error:
        later.add(request.id)
        terminal.say(plain(f"{error.message} {error.hint}"))


def _decide(request_id: str, verb: str, comment: str, as_operator: str | None, *, as_json: bool) -> None:
    async def work(core: Core) -> Request | None:
        actor = await operator(core, as_operator)
        request = await core.approvals.get(actor, None, request_id)
        with at_the_terminal() as terminal:
            terminal.say(described(request))
            if comment:
                terminal.say(plain(f'Your comment: "{comment}"'))
            if not await asyncio.to_thread(terminal.confirms, f"{verb.capitalize()} it?"):
                return None
        if verb == "approve":
            return await core.approvals.approve(actor, request.kind, request.id, comment, via=Via.PERSON)
        if verb == "deny":
            return await core.approvals.deny(actor, request.kind, request.id, comment, via=Via.PERSON)
        if request.status is RequestStatus.APPROVED:
            return await core.approvals.void(actor, request.kind, request.id, comment)
        return await core.approvals.cancel(actor, request.kind, request.id)

    decided = run(work)
    if decided is None:
        typer.echo("Nothing was done.", err=True)
        raise typer.Exit(1)
    if as_json:
        show_json(_json(decided))
    else:
        typer.echo(_ended(decided))


async def _all(core: Core, actor: Actor, status: RequestStatus | None, approver: str | None = None) -> list[Request]:
    found: list[Request] = []
    for kind in RequestKind:
        page = 1
        while True:
            wanted = RequestFilter(status=status, approver=approver)
            there = await core.approvals.list(actor, kind, wanted, page, PER_PAGE)
            found += there.items
            if page * PER_PAGE >= there.total:
                break
            page += 1
    return sorted(found, key=lambda request: request.created_at, reverse=True)


def described(request: Request) -> str:
    """A request as the person who decides reads it: everything that would be done, each stored text on a line of its own."""
    view = RequestView.of(request)
    lines = [f"Request {request.id} ({view.status})", f"  who: {view.requesting_user} ({plain(request.user)})"]
    if request.agent:
        lines.append(f"  through the agent: {plain(request.agent)}")
    lines.append(f"  asks: {_wish(request)}")
    for name, value in (request.called.arguments if request.called is not None else {}).items():
        lines.append(f"    {plain(str(name))} = {_value(value)}")
    for name, value in request.pinned.items():
        lines.append(f"  as it is now: {plain(str(name))} = {_value(value)}")
    if request.reason:
        lines.append(f'  their reason: "{plain(request.reason)}"')
    if request.expires_at is not None:
        until = request.expires_at.strftime("%Y-%m-%d %H:%M UTC")
        lines.append(f"  {'can be answered' if view.status == 'pending' else 'good'} until {until}")
    lines.append(f"  a yes lasts: {view.yes_lasts}")
    return "\n".join(lines)


def _wish(request: Request) -> str:
    if request.kind is RequestKind.ACCESS_REQUEST:
        return plain(f"the role {request.role} on {request.resource_name} ({request.resource})")
    if request.kind is RequestKind.OPERATION_APPROVAL:
        return plain(f"to {request.operation} {request.resource_name} ({request.resource}) once")
    tool = request.called.tool if request.called is not None else ""
    return plain(f"one call of {tool}: {request.operation or ''} {request.resource_name or request.resource}")


def _value(value: Any) -> str:
    return (
        plain(json.dumps(value, ensure_ascii=False, sort_keys=True)) if not isinstance(value, str) else _quoted(value)
    )


def _quoted(text: str) -> str:
    """A text with everything that cannot be seen written out, so that nothing in it is hidden."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _ended(request: Request) -> str:
    return plain(f"{request.id} is {request.status.value}.")


def _row(request: Request) -> Mapping[str, Any]:
    return {
        "id": request.id,
        "status": request.status.value,
        "who": request.user_name,
        "asks": _wish(request),
        "since": request.created_at.strftime("%Y-%m-%d %H:%M"),
    }


def _json(request: Request) -> Mapping[str, Any]:
    return RequestView.of(request).model_dump(mode="json")
