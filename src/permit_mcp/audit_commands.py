"""``permit-mcp audit``: looking into the log of everything that happened, and checking that it is as it was written."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import select

from permit_core.audit.comparisons import comparisons
from permit_core.audit.log import AuditLog
from permit_core.audit.rotation import replace_key, rotate_key
from permit_core.audit.signing import Checkpoint, KeyFolder, read_checkpoints, read_public_keys
from permit_core.audit.verify import VerifyReport
from permit_core.bootstrap import open_log
from permit_core.clock import utc_now
from permit_core.database import Database
from permit_core.errors import ConfigurationError, PermitError
from permit_core.policy.near import listed
from permit_core.ports.record import AuditRecord, RecordFilter
from permit_core.settings import Settings
from permit_core.stores.tables import users
from permit_core.views import plain
from permit_mcp.audit_story import line_of, story_of

BATCH = 500
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0

DAMAGED = 1
FAILED = 2

app = typer.Typer(help="The audit log: look into it, and check that it is as it was written.", no_args_is_help=True)
key_app = typer.Typer(help="The key that signs the audit log.", no_args_is_help=True)
app.add_typer(key_app, name="key")

AsJson = Annotated[bool, typer.Option("--json", help="JSON, for programs.")]
OfUser = Annotated[str | None, typer.Option("--user", metavar="USER", help="Who acted: key or name of a user.")]
OfAgent = Annotated[str | None, typer.Option("--agent", help="The agent that acted for the user.")]
OfEvent = Annotated[str | None, typer.Option("--event", help="Only this event; 'tool' means 'tool.call' as well.")]
OfRequest = Annotated[str | None, typer.Option("--request", help="What belongs to this request.")]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="From then on: 2026-11-22, 2026-11-22T09:30Z, or 2h ago as 2h."),
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Before then, as --since.")]
Environment = Annotated[
    str | None, typer.Option("--environment", metavar="KEY", help="Which environment; ENVIRONMENT when not given.")
]


@dataclass(frozen=True)
class _Opened:
    """The log that the settings name."""

    settings: Settings
    database: Database
    log: AuditLog
    environment: str

    async def names(self) -> dict[str, str]:
        """What people call the users, by key."""
        query = select(users).where(users.c.environment == self.environment)
        async with self.database.reading() as reading:
            rows = await reading.execute(query)
            return {row.key: plain(f"{row.first_name or ''} {row.last_name or ''}") for row in rows}

    async def _user(self, written: str) -> str:
        """The key of somebody whom the directory has, or the log alone, by key or by name in any case of letters."""
        names = await self.names()
        if written in names:
            return written
        named = [key for key, name in names.items() if name.casefold() == written.casefold()]
        if len(named) > 1:
            raise ConfigurationError(f"--user: {plain(written)} is the name of {', '.join(named)}: give a key")
        if named:
            return named[0]
        if not await self.log.latest(self.environment, RecordFilter(user=written), limit=1):
            known = listed(written, [*names, *names.values()])
            raise ConfigurationError(f"--user: no user and no record of {plain(written)}: {known}")
        return written

    async def filter(self, given: _Given) -> RecordFilter:
        """What the options ask for.

        Raises:
            ConfigurationError: a time cannot be read, a name is that of several users, or of nobody.
        """
        user = None if given.user is None else await self._user(given.user)
        return RecordFilter(
            event=given.event,
            user=user,
            agent=given.agent,
            request=given.request,
            since=_moment("--since", given.since),
            until=_moment("--until", given.until),
        )


@dataclass(frozen=True)
class _Given:
    """The options that pick records."""

    user: str | None = None
    agent: str | None = None
    event: str | None = None
    request: str | None = None
    since: str | None = None
    until: str | None = None


@app.command()
def verify(
    since: Annotated[
        str | None,
        typer.Option(metavar="HEAD", help="Hash from an earlier report: it must be there; look at what follows."),
    ] = None,
    public_key: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Signatures by this key count; several times for several keys."),
    ] = None,
    anchor: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Checkpoints kept elsewhere; AUDIT_ANCHOR_FILE when not given.")
    ] = None,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Recompute the chain, and hold it against its signatures and against what it tells of.

    Exit code 0: as it was written; 1: damaged, each finding named; 2: could not look. The last line names the head.
    Kept elsewhere, it shows later that the log up to there was not rewritten: give it as --since.
    """

    async def look(opened: _Opened) -> tuple[VerifyReport, list[str]]:
        anchors, remarks = _anchors(opened.settings, anchor)
        keys = [key for file in public_key or [] for key in read_public_keys(file)]
        report = await opened.log.verify(
            opened.environment,
            public_keys=keys or KeyFolder(opened.settings.state_folder).public_keys(),
            anchors=anchors,
            since=since,
            comparisons=comparisons(grants_are_ours=not opened.settings.permit_api_key.get_secret_value()),
        )
        return report, remarks

    report, remarks = _run(look, environment)
    if as_json:
        typer.echo(json.dumps({**report.as_dict(), "remarks": remarks}))
    else:
        for problem in report.problems:
            where = "" if problem.seq is None else f"record {problem.seq}: "
            typer.echo(plain(f"{where}{problem.damage.value}: {problem.text}"))
        for remark in [*remarks, *_about_signatures(report)]:
            typer.echo(plain(remark))
        typer.echo(f"{'intact' if report.ok else 'DAMAGED'}: {report.records} records, head {report.head}")
    raise typer.Exit(0 if report.ok else DAMAGED)


def _anchors(settings: Settings, named: Path | None) -> tuple[list[Checkpoint], list[str]]:
    """The checkpoints kept elsewhere, and what is to be said of the file."""
    file = named or (Path(settings.audit_anchor_file) if settings.audit_anchor_file else None)
    if file is None or (named is None and not file.exists()):
        return [], [] if file is None else [f"AUDIT_ANCHOR_FILE: {file} is not there, so nothing was held against it"]
    found, unreadable = read_checkpoints(file)
    return found, [f"{file}: line {number} holds no checkpoint" for number in unreadable]


def _about_signatures(report: VerifyReport) -> list[str]:
    if not report.keys:
        return (
            [f"signed: nothing; the unsigned tail begins with record {1 if report.last else 0}"] if report.last else []
        )
    by = ", ".join(f"{key[:16]}…" for key in report.keys)
    said = [f"signed: up to record {report.signed_up_to}, by {by}"]
    if report.signed_up_to < report.last:
        said.append(f"unsigned: records {report.signed_up_to + 1} to {report.last}")
    if not report.trusted:
        said.append("the key is not known here: give --public-key FILE, or anybody's signature counts")
    return said


@app.command()
def tail(
    *,
    number: Annotated[int, typer.Option("-n", "--number", min=0, max=10_000, help="How many records.")] = 10,
    user: OfUser = None,
    agent: OfAgent = None,
    event: OfEvent = None,
    request: OfRequest = None,
    since: Since = None,
    until: Until = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens from now on.")] = False,
    seconds: Annotated[float | None, typer.Option("--for", min=0, help="Follow for so many seconds.")] = None,
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Print the last records, oldest first: number, time, who, what."""
    given = _Given(user, agent, event, request, since, until)
    try:
        _run(lambda opened: _tail(opened, number, given, follow=follow, seconds=seconds, as_json=as_json), environment)
    except KeyboardInterrupt:  # before following began, or on Windows
        raise typer.Exit(0) from None


async def _tail(
    opened: _Opened, number: int, given: _Given, *, follow: bool, seconds: float | None, as_json: bool
) -> None:
    stopped = _stopped_by_interrupt()
    wanted, names = await opened.filter(given), await opened.names()
    newest = await opened.log.latest(opened.environment, limit=1)
    after = newest[-1].seq if newest else 0
    if number:
        for record in await opened.log.latest(opened.environment, wanted, limit=number, up_to_seq=after):
            typer.echo(_line(record, names, as_json))
    ends = None if seconds is None else time.monotonic() + seconds
    pause = FIRST_PAUSE_SECONDS
    while follow and not stopped.is_set() and (ends is None or time.monotonic() < ends):
        found = await opened.log.records(opened.environment, wanted, after_seq=after, limit=BATCH)
        if any(record.user not in names for record in found):
            names = await opened.names()
        for record in found:
            typer.echo(_line(record, names, as_json))
        if found:
            after, pause = found[-1].seq, FIRST_PAUSE_SECONDS
        if len(found) < BATCH:
            await _pause(stopped, pause if ends is None else min(pause, max(ends - time.monotonic(), 0)))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _line(record: AuditRecord, names: dict[str, str], as_json: bool) -> str:
    return json.dumps(record.as_dict()) if as_json else line_of(record, names)


def _stopped_by_interrupt() -> asyncio.Event:
    """Set by Ctrl-C: following ends between two looks, never in the middle of one."""
    stopped = asyncio.Event()
    with suppress(NotImplementedError):  # Windows: Ctrl-C interrupts at once there
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopped.set)
    return stopped


async def _pause(stopped: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopped.wait()


@app.command()
def show(
    what: Annotated[str, typer.Argument(metavar="REQUEST|SEQ", help="Id of a request, or number of a record.")],
    environment: Environment = None,
    as_json: AsJson = False,
) -> None:
    """Tell one story: who asked, who allowed it, what happened."""

    async def look(opened: _Opened) -> tuple[list[AuditRecord], dict[str, str]]:
        records = await _story(opened, what)
        return records, await opened.names()

    records, names = _run(look, environment)
    if as_json:
        typer.echo(json.dumps([record.as_dict() for record in records]))
        return
    for line in story_of(records, names):
        typer.echo(line)


async def _story(opened: _Opened, what: str) -> list[AuditRecord]:
    request = what
    if what.isdecimal():
        record = await opened.log.latest(opened.environment, limit=1, up_to_seq=int(what[:18]))
        if not record or record[0].seq != int(what):
            raise ConfigurationError(f"the log has no record {what}")
        if not record[0].request:
            return record
        request = record[0].request
    found = await opened.log.records(opened.environment, RecordFilter(request=request), limit=BATCH)
    if not found:
        raise ConfigurationError(
            f"no record belongs to {plain(request)}: give the id of a request, or a record's number"
        )
    return found


@app.command()
def export(
    *,
    user: OfUser = None,
    agent: OfAgent = None,
    event: OfEvent = None,
    request: OfRequest = None,
    since: Since = None,
    until: Until = None,
    after: Annotated[int, typer.Option("--after", metavar="SEQ", min=0, help="What follows this record.")] = 0,
    environment: Environment = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same: an export is JSON.")] = True,
) -> None:
    """Write records as lines of JSON, oldest first, hashes included. Go on later with --after and the last number."""
    given = _Given(user, agent, event, request, since, until)

    async def write(opened: _Opened) -> None:
        wanted, last = await opened.filter(given), after
        while records := await opened.log.records(opened.environment, wanted, after_seq=last, limit=BATCH):
            for record in records:
                typer.echo(json.dumps(record.as_dict()))
            last = records[-1].seq

    _run(write, environment)


@key_app.command("show")
def key_show(as_json: AsJson = False) -> None:
    """Print the public keys of this account, oldest first, and where the signing key is. Makes nothing."""
    try:
        folder = KeyFolder(Settings.load().state_folder)
        public = folder.public_keys()
    except PermitError as error:
        raise _failed(error) from None
    if as_json:
        typer.echo(json.dumps({"file": str(folder.file), "present": folder.file.exists(), "public_keys": public}))
        return
    typer.echo(f"{folder.file}: {'there' if folder.file.exists() else 'not there'}")
    for key in public:
        typer.echo(key)


@key_app.command("rotate")
def key_rotate() -> None:
    """Sign with a new key from now on. The old one's last signature says so in every environment."""
    _say_key(_run(lambda opened: rotate_key(opened.database, opened.log, KeyFolder(opened.settings.state_folder))))


@key_app.command("replace")
def key_replace() -> None:
    """Make a new key where the old one is lost. Nothing signed says that it follows: keep both public keys."""
    _say_key(_run(lambda opened: replace_key(opened.log, KeyFolder(opened.settings.state_folder))))


def _say_key(public: str) -> None:
    typer.echo(f"signs from now on: {public}")


def _run(look: Callable[[_Opened], Coroutine[Any, Any, Any]], environment: str | None = None) -> Any:
    """What ``look`` finds in the log of the database that the settings name; a failure is one sentence and exit 2."""

    async def looked() -> Any:
        settings = Settings.load()
        database = _existing_database(settings)
        try:
            log = open_log(settings, database)
            try:
                return await look(_Opened(settings, database, log, environment or settings.environment))
            finally:
                await log.close()
        finally:
            await database.close()

    try:
        return asyncio.run(looked())
    except PermitError as error:
        raise _failed(error) from None


def _failed(error: PermitError) -> typer.Exit:
    typer.echo(plain(f"error: {error}"), err=True)
    return typer.Exit(FAILED)


def _existing_database(settings: Settings) -> Database:
    database = Database.open(settings.resolved_database_url, create=False)
    if database.is_sqlite and not Path(database.location).exists():
        raise ConfigurationError(f"there is no database {database.location} yet")
    return database


def _moment(option: str, text: str | None) -> datetime | None:
    """A time as people write it: a date, a date and time (UTC where no zone is said), or how long ago."""
    if text is None:
        return None
    if ago := re.fullmatch(r"(\d{1,6})([smhd])", text):
        units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
        return utc_now() - timedelta(**{units[ago[2]]: int(ago[1])})
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{option}: {plain(text)!r} is no time; write 2026-11-22, 2026-11-22T09:30Z, or 2h for two hours ago"
        ) from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
