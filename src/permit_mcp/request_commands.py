"""``permit-mcp requests``: what people are asked, and their answers, at a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer

from permit_core.approvals.shapes import checked_shape, in_words, lines
from permit_core.bootstrap import Core
from permit_core.canonical import parse_arguments
from permit_core.errors import ConfigurationError, InvalidInput, UserFacing
from permit_core.identity import Actor
from permit_core.ports.approvals import Via
from permit_core.ports.request import ConfirmedBy, Request, RequestFilter, RequestKind, RequestStatus
from permit_core.stores.standing import StandingYes
from permit_core.views import RequestView, plain, written_out
from permit_mcp.operating import (
    AsJson,
    For,
    Operator,
    Until,
    end_of,
    moment_in_words,
    operator,
    run,
    show_json,
    show_table,
)
from permit_mcp.terminal import Terminal, at_the_terminal

PER_PAGE = 100
LOOK_EVERY = 1.0
"""How often ``watch`` looks for new requests, in seconds."""

LONGEST_SHOWN = 4_000
"""How many characters of one value a question shows; of a longer one it says how many more there are, and where."""

app = typer.Typer(help="Requests that wait for a person's answer.", no_args_is_help=True)
standing_app = typer.Typer(help="Standing yeses: to every call of a shape, until a time.", no_args_is_help=True)
app.add_typer(standing_app, name="standing")

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
def show(
    request_id: Id,
    *,
    full: Annotated[bool, typer.Option("--full", help="Show texts of any length.")] = False,
    as_operator: Operator = None,
    as_json: AsJson = False,
) -> None:
    """Show one request, with everything that would be done."""

    async def work(core: Core) -> tuple[Request, Mapping[str, Any] | None]:
        actor = await operator(core, as_operator)
        request = await core.approvals.get(actor, None, request_id)
        return request, await core.approvals.shown_arguments(actor, request)

    request, arguments = run(work)
    if as_json:
        show_json(_json(request, arguments))
    else:
        typer.echo(described(request, arguments, longest=None if full else LONGEST_SHOWN))


@app.command()
def approve(
    request_id: Id,
    *,
    comment: CommentOption = "",
    shape: Annotated[
        str | None,
        typer.Option(
            "--standing",
            metavar="SHAPE",
            help="Approve every call of this shape, until a time: JSON, with the arguments that may differ from this call's, "
            'each as {"values": [...]} or {"from": number, "to": number}; {} for exactly these.',
        ),
    ] = None,
    until: Until = None,
    length: For = None,
    as_operator: Operator = None,
    as_json: AsJson = False,
) -> None:
    """Approve a request, after a yes at the terminal; with --standing every call of its shape as well, for 7 days at most."""
    if shape is None and (until, length) != (None, None):
        raise typer.BadParameter("--until and --for say how long a standing yes lasts: they belong to --standing")
    if shape is None:
        _decide(request_id, "approve", comment, as_operator, as_json=as_json)
    else:
        _approve_standing(request_id, shape, until, length, comment, as_operator, as_json=as_json)


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
def settle(
    request_id: Id,
    *,
    happened: Annotated[
        bool, typer.Option("--happened/--did-not-happen", help="What was found out: whether the call was made.")
    ],
    comment: CommentOption = "",
    as_operator: Operator = None,
    as_json: AsJson = False,
) -> None:
    """Put on record what became of a call whose outcome is unknown, after a yes at the terminal. It never runs again."""

    async def work(core: Core) -> Request | None:
        actor = await operator(core, as_operator)
        request = await core.approvals.get(actor, None, request_id)
        with at_the_terminal() as terminal:
            terminal.say(described(request, await core.approvals.shown_arguments(actor, request)))
            if comment:
                terminal.say(plain(f'Your comment: "{comment}"'))
            found = "was made" if happened else "was not made"
            if not await asyncio.to_thread(terminal.confirms, f"Record that this call {found}?"):
                return None
        return await core.approvals.settle_unknown(actor, request.id, happened=happened, comment=comment)

    _say_decided(run(work), as_json=as_json)


@standing_app.command("list")
def list_standing(*, as_operator: Operator = None, as_json: AsJson = False) -> None:
    """List the standing yeses that serve now: for the operator, given by the operator, or the operator's to review."""

    async def work(core: Core) -> list[StandingYes]:
        return await core.approvals.standing(await operator(core, as_operator))

    found = run(work)
    if as_json:
        show_json([_standing_json(yes) for yes in found])
        return
    rows = [
        {
            "id": yes.id,
            "who": f"{yes.user} through {yes.agent}" if yes.agent else yes.user,
            "tool": yes.tool,
            "where": in_words(yes.shape),
            "until": moment_in_words(yes.until),
            "given by": yes.given_by_name,
        }
        for yes in found
    ]
    show_table(rows, "No standing yes serves now.")


@standing_app.command("end")
def end_standing(
    standing_id: Annotated[str, typer.Argument(help="The standing yes's id.")],
    *,
    as_operator: Operator = None,
    as_json: AsJson = False,
) -> None:
    """End a standing yes, after a yes at the terminal. It serves no call that begins afterwards, in no process."""

    async def work(core: Core) -> bool | None:
        actor = await operator(core, as_operator)
        there = [yes for yes in await core.approvals.standing(actor) if yes.id == standing_id]
        if not there:
            return await core.approvals.end_standing(actor, standing_id)  # which says what is wrong, or that it is over
        with at_the_terminal() as terminal:
            terminal.say("\n".join(_standing_described(there[0])))
            if not await asyncio.to_thread(terminal.confirms, "End it?"):
                return None
        return await core.approvals.end_standing(actor, standing_id)

    ended = run(work)
    if ended is None:
        typer.echo("Nothing was done.", err=True)
        raise typer.Exit(1)
    if as_json:
        show_json({"id": standing_id, "ended": ended})
    else:
        typer.echo("It is ended." if ended else "It was over already.")


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
        waiting = await _waiting(core, actor)
        later &= {request.id for request in waiting}
        for request in reversed(waiting):
            if request.id not in later:
                await _put(core, actor, terminal, request, later)
        await asyncio.sleep(LOOK_EVERY)


async def _waiting(core: Core, actor: Actor) -> list[Request]:
    """What the person may decide: others' requests, and calls for them that they confirm themselves."""
    others = await _all(core, actor, RequestStatus.PENDING, approver=actor.user)
    own = await _all(core, actor, RequestStatus.PENDING, user=actor.user)
    return others + [request for request in own if request.by is ConfirmedBy.SELF]


async def _put(core: Core, actor: Actor, terminal: Terminal, request: Request, later: set[str]) -> None:
    terminal.say(f"\n{described(request, await core.approvals.shown_arguments(actor, request))}")
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
            terminal.say(described(request, await core.approvals.shown_arguments(actor, request)))
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

    _say_decided(run(work), as_json=as_json)


def _say_decided(decided: Request | None, *, as_json: bool) -> None:
    if decided is None:
        typer.echo("Nothing was done.", err=True)
        raise typer.Exit(1)
    if as_json:
        show_json(_json(decided))
    else:
        typer.echo(_ended(decided))


def _approve_standing(
    request_id: str,
    text: str,
    until: str | None,
    length: str | None,
    comment: str,
    as_operator: str | None,
    *,
    as_json: bool,
) -> None:
    async def work(core: Core) -> StandingYes | None:
        actor = await operator(core, as_operator)
        ends = end_of(until, length, core.clock())
        if ends is None:
            raise ConfigurationError("say how long the standing yes lasts: --until 17:00, or --for 2h")
        request = await core.approvals.get(actor, None, request_id)
        shape = await core.approvals.shape_for(actor, request_id, _limits(text))
        with at_the_terminal() as terminal:
            terminal.say(described(request, await core.approvals.shown_arguments(actor, request)))
            terminal.say(plain(f"With your yes, until {moment_in_words(ends)}, without another question:"))
            terminal.say(plain(f"  every call of {_tool(request)} by {_caller(request)} in which"))
            for line in lines(shape) or ["there is no argument"]:
                terminal.say(f"    {line}")
            if comment:
                terminal.say(plain(f'Your comment: "{comment}"'))
            if not await asyncio.to_thread(terminal.confirms, "Approve them all?"):
                return None
        return await core.approvals.give_standing(actor, request_id, shape, ends, comment, via=Via.PERSON)

    given = run(work)
    if given is None:
        typer.echo("Nothing was done.", err=True)
        raise typer.Exit(1)
    if as_json:
        show_json(_standing_json(given))
    else:
        typer.echo(
            plain(f"{request_id} is approved, and such calls are until {moment_in_words(given.until)}: {given.id}")
        )


def _limits(text: str) -> dict[str, Any]:
    """The shape that was typed.

    Raises:
        InvalidInput: ``invalid_shape``.
    """
    try:
        return checked_shape(parse_arguments(text))
    except InvalidInput as error:
        if error.code == "invalid_shape":
            raise
        raise InvalidInput(
            "--standing is no JSON object.",
            code="invalid_shape",
            hint='Write \'{"amount": {"from": 1, "to": 100}}\', or {} for exactly these arguments.',
        ) from error


async def _all(
    core: Core,
    actor: Actor,
    status: RequestStatus | None,
    *,
    approver: str | None = None,
    user: str | None = None,
) -> list[Request]:
    found: list[Request] = []
    page = 1
    while True:
        wanted = RequestFilter(status=status, approver=approver, user=user)
        there = await core.approvals.list(actor, frozenset(RequestKind), wanted, page, PER_PAGE)
        found += there.items
        if page * PER_PAGE >= there.total:
            return found
        page += 1


def described(
    request: Request, arguments: Mapping[str, Any] | None = None, *, longest: int | None = LONGEST_SHOWN
) -> str:
    """A request as the person who decides reads it: everything that would be done, each stored text on a line of its own.

    Args:
        request: the request.
        arguments: a call's arguments as they are; None for what the record keeps of them, which may be shortened.
        longest: how many characters of one value are shown; None for all.
    """
    view = RequestView.of(request)
    said = [f"Request {request.id} ({view.status})", f"  who: {view.requesting_user} ({plain(request.user)})"]
    if request.agent:
        said.append(f"  through the agent: {plain(request.agent)}")
    said.append(f"  asks: {_wish(request)}")
    called = request.called.arguments if request.called is not None else {}
    for name, value in (called if arguments is None else arguments).items():
        said.append(f"    {written_out(name)[1:-1]} = {_value(value, longest)}")
    if called and arguments is None:
        said.append("    (as the record keeps them: long texts and lists are shortened there)")
    for name, value in request.pinned.items():
        said.append(f"  as it is now: {plain(str(name))} = {_value(value, longest)}")
    if request.reason:
        said.append(f'  their reason: "{plain(request.reason)}"')
    if request.expires_at is not None:
        until = request.expires_at.strftime("%Y-%m-%d %H:%M UTC")
        said.append(f"  {'can be answered' if view.status == 'pending' else 'good'} until {until}")
    said.append(f"  a yes lasts: {view.yes_lasts}")
    return "\n".join(said)


def _standing_described(yes: StandingYes) -> list[str]:
    caller = f"{yes.user} through the agent {yes.agent}" if yes.agent else yes.user
    return [
        plain(f"{yes.id}: every call of {yes.tool} by {caller} until {moment_in_words(yes.until)} in which"),
        *(f"    {line}" for line in lines(yes.shape) or ["there is no argument"]),
        plain(f'  given by {yes.given_by_name}: "{yes.reason}"'),
    ]


def _wish(request: Request) -> str:
    if request.kind is RequestKind.ACCESS_REQUEST:
        return plain(f"the role {request.role} on {request.resource_name} ({request.resource})")
    if request.kind is RequestKind.OPERATION_APPROVAL:
        return plain(f"to {request.operation} {request.resource_name} ({request.resource}) once")
    return plain(f"one call of {_tool(request)}: {request.operation or ''} {request.resource_name or request.resource}")


def _tool(request: Request) -> str:
    return request.called.tool if request.called is not None else ""


def _caller(request: Request) -> str:
    return f"{request.user_name} through the agent {request.agent}" if request.agent else request.user_name


def _value(value: Any, longest: int | None) -> str:
    text = written_out(value)
    if longest is None or len(text) <= longest:
        return text
    return f"{text[:longest]} ... and {len(text) - longest} more characters (requests show ID --full has them)"


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


def _json(request: Request, arguments: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    return RequestView.of(request, arguments, longest=None).model_dump(mode="json")


def _standing_json(yes: StandingYes) -> Mapping[str, Any]:
    return {name: value for name, value in asdict(yes).items() if not name.startswith("revoked")}
