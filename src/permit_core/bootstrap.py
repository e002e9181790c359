"""The composition root: the only place that chooses and connects the parts of the core."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from permit_core.approvals.notices import NoticeBoard
from permit_core.approvals.service import ApprovalService
from permit_core.audit.log import AuditLog
from permit_core.clock import Clock, utc_now
from permit_core.database import Database
from permit_core.decision.embedded import EmbeddedPdp
from permit_core.decision.journal import JournalledPdp
from permit_core.directory.sql import SqlDirectory
from permit_core.errors import StoreError
from permit_core.policy.loader import load_policy
from permit_core.policy.model import PolicyModel
from permit_core.ports.pdp import Pdp, RemotePdp
from permit_core.settings import Settings
from permit_core.stores.current_facts import CurrentFacts
from permit_core.stores.facts import FactStore
from permit_core.stores.notices import NoticeStore
from permit_core.stores.requests import RequestStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Core:
    """Everything that decides, asks and remembers, connected. Made by :func:`open_core`; to be closed."""

    settings: Settings
    model: PolicyModel
    database: Database
    audit: AuditLog
    directory: SqlDirectory
    pdp: Pdp
    approvals: ApprovalService
    notices: NoticeBoard
    clock: Clock
    remote: RemotePdp | None = None
    """The server that decides, when it is not this process."""

    async def close(self) -> None:
        """Close every connection."""
        try:
            if self.remote is not None:
                await self.remote.close()
        finally:
            await self.database.close()


async def open_core(settings: Settings, *, migrate: bool = True, clock: Clock = utc_now) -> Core:
    """Open the core over the database and the policy that the settings name.

    Args:
        settings: which database, which policy.
        migrate: bring the schema up to date first, and make sure that the server that decides is there. A process
            that is started by one which did so passes False, and starts faster.
        clock: the present moment, in UTC.

    Raises:
        PolicyFileError: the policy is not valid.
        ConfigurationError: the database URL cannot be used, or a newer version of the program made the database; or
            the server that decides cannot be used.
        StoreError: the database is unreachable, or has no tables although ``migrate`` is False.
    """
    if settings.permit_api_key.get_secret_value():
        logger.warning("PERMIT_API_KEY is set, but the embedded backend decides; nothing is sent to Permit.io")
    model = load_policy(settings.policy_file)
    database = Database.open(settings.resolved_database_url)
    try:
        await _prepare(database, migrate=migrate)
    except BaseException:
        await database.close()
        raise
    core = assemble(settings, model, database, clock)
    try:
        if migrate and core.remote is not None:
            await core.remote.check_ready()
    except BaseException:
        await core.close()
        raise
    return core


def assemble(settings: Settings, model: PolicyModel, database: Database, clock: Clock = utc_now) -> Core:
    """Connect the parts of a core over a database that has its tables, or will have when it is first used.

    Raises:
        ConfigurationError: the policy is not one for the server that decides.
    """
    facts = FactStore()
    audit = AuditLog(database, clock)
    current = CurrentFacts(facts, database)
    directory = SqlDirectory(model, database, facts, audit, clock, current=current)
    remote = _opa(settings, model, current) if settings.pdp == "opa" else None
    pdp = JournalledPdp(remote or EmbeddedPdp(model, facts, database, current=current))
    notices = NoticeBoard(model, database, pdp, NoticeStore(), clock)
    approvals = ApprovalService(
        model=model,
        database=database,
        directory=directory,
        pdp=pdp,
        audit=audit,
        request_store=RequestStore(),
        notices=notices,
        clock=clock,
    )
    return Core(settings, model, database, audit, directory, pdp, approvals, notices, clock, remote)


def _opa(settings: Settings, model: PolicyModel, current: CurrentFacts) -> RemotePdp:
    # Not imported where this process decides: the HTTP client is slow to import.
    from permit_core.decision.opa import OpaPdp
    from permit_core.decision.opa_client import OpaClient

    seconds = settings.opa_timeout_seconds
    client = OpaClient(settings.opa_url, seconds, settings.opa_token.get_secret_value())
    feed = None
    if settings.opal_server_url:
        from permit_core.decision.opal import OpalFeed

        feed = OpalFeed(settings.opal_server_url, client, seconds, settings.opal_token.get_secret_value())
    return OpaPdp(model, current, client, seconds, feed=feed)


async def _prepare(database: Database, *, migrate: bool) -> None:
    if migrate:
        # Not imported by processes that find the schema ready: Alembic is slow to import.
        from permit_core.stores.migrate import migrate as bring_up_to_date

        await bring_up_to_date(database)
        return
    try:
        async with database.reading() as reading:
            await FactStore().version(reading)
    except StoreError as error:
        raise StoreError(f"the database {database.location} is not ready; start the server once: {error}") from error
