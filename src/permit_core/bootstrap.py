"""The composition root: the only place that chooses and connects the parts of the core."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from permit_core.access import ResourceRef
from permit_core.approvals.notices import NoticeBoard
from permit_core.approvals.sealing import KEY_FILE, Seal, new_key
from permit_core.approvals.service import ApprovalService
from permit_core.audit.hooks import load_hook
from permit_core.audit.log import AuditLog
from permit_core.audit.notary import Notary
from permit_core.audit.signing import KeyFolder
from permit_core.clock import Clock, utc_now
from permit_core.database import Database, Transaction
from permit_core.decision.decision_log import LoggingPdp
from permit_core.decision.embedded import EmbeddedPdp
from permit_core.directory.sleeping import put_all_to_sleep, put_to_sleep, warn_of_strangers
from permit_core.directory.sql import SqlDirectory
from permit_core.errors import ConfigurationError, PermitError, StoreError, Unavailable
from permit_core.identity import Actor, system_actor
from permit_core.labels import Labels
from permit_core.policy.facts import Facts
from permit_core.policy.loader import ReadPolicy, read_policy
from permit_core.policy.model import PolicyModel
from permit_core.policy.references import places_of_calls
from permit_core.policy_source.following import PolicyFile
from permit_core.policy_source.recent import KEY_FILE as CHECKS_KEY_FILE
from permit_core.policy_source.recent import RecentChecks
from permit_core.ports.directory import WritableDirectory
from permit_core.ports.pdp import Pdp, RemotePdp
from permit_core.ports.policy_source import PolicySource, PolicyVersion
from permit_core.private_file import read_or_create
from permit_core.settings import Settings
from permit_core.stores.current_facts import CurrentFacts
from permit_core.stores.facts import FactStore
from permit_core.stores.notices import NoticeStore
from permit_core.stores.requests import RequestStore

if TYPE_CHECKING:
    from permit_core.permit_io.client import PermitClient
    from permit_core.policy.facts_file import FactsFile

logger = logging.getLogger(__name__)

CLOSING_SECONDS = 15.0
"""How long closing waits for the end of the audit log; longer than a busy database."""

AGAIN = "Seed again: what is written stays."
LOOK = "Put right what Permit.io says, and seed again: what is written stays."
BY_HAND = "Make the element by hand, with this key, and seed again: docs/permit-io.md, step 4."
RULES_LAST = "All the rest is written, and works without the rule: docs/permit-io.md, step 4."


@dataclass(frozen=True)
class Core:
    """Everything that decides, asks and remembers, connected. Made by :func:`open_core`; to be closed."""

    settings: Settings
    policies: PolicySource
    database: Database
    audit: AuditLog
    directory: WritableDirectory
    pdp: Pdp
    approvals: ApprovalService
    notices: NoticeBoard
    labels: Labels
    clock: Clock
    remote: RemotePdp | None = None
    """The server that decides, when it is not this process."""
    permit_io: PermitClient | None = None
    """The connection to Permit.io, when it is used."""
    facts: CurrentFacts | None = None
    """What is decided on, when it is in our database."""
    recent: RecentChecks | None = None
    """What was asked lately, when it is kept."""

    @property
    def environment(self) -> str:
        """The key of the environment that the settings name."""
        return self.settings.environment

    @property
    def model(self) -> PolicyModel:
        """The policy in force in this environment."""
        return self.policies.current(self.environment).model

    @property
    def system(self) -> Actor:
        """The program itself, in this environment."""
        return system_actor(self.environment)

    @property
    def main_type(self) -> str:
        """The resource type that is meant when none is named: RESOURCE_KEY, else the first of the policy."""
        return self.settings.resource_key or next(iter(self.model.resources))

    async def warm(self) -> None:
        """Have the facts in memory before anybody waits for them.

        Raises:
            StoreError: the database is unreachable.
        """
        if self.facts is not None:
            await self.facts.facts(self.environment)

    async def close(self) -> None:
        """Write and sign what is to be remembered still, and close every connection."""
        try:
            await self.policies.close()
            if self.recent is not None:
                await self.recent.close()
            await self._close_log()
            if self.remote is not None:
                await self.remote.close()
            if self.permit_io is not None:
                await self.permit_io.close()
        finally:
            await self.database.close()

    async def _close_log(self) -> None:
        try:
            async with asyncio.timeout(CLOSING_SECONDS):
                await self.audit.close()
        except (PermitError, TimeoutError) as error:
            logger.warning("the end of the audit log is not written or not signed: %s", error)


async def open_core(settings: Settings, *, migrate: bool = True, clock: Clock = utc_now) -> Core:
    """Open the core over the database and the policy that the settings name.

    Args:
        settings: which database, which policy.
        migrate: bring the schema up to date first, make sure that the server that decides, or Permit.io, is there and as
            the settings say, put the file's policy in force where nobody has to accept it, and look for changes of it
            from then on. A process that is started by one which did so passes False, and starts faster; it looks when
            ``policies.renew`` is called.
        clock: the present moment, in UTC.

    Raises:
        PolicyFileError: the policy is not valid.
        ConfigurationError: the database URL cannot be used, or a newer version of the program made the database; or
            the server that decides, or Permit.io, cannot be used, with the setting to look at.
        StoreError: the database is unreachable, or has no tables although ``migrate`` is False.
    """
    policy = read_policy(settings.policy_path)
    database = Database.open(settings.resolved_database_url, create=migrate)
    try:
        await _prepare(database, settings.environment, migrate=migrate)
    except BaseException:
        await database.close()
        raise
    core = assemble(settings, policy, database, clock)
    try:
        if migrate and core.remote is not None:
            await core.remote.check_ready()
        if migrate and isinstance(core.policies, PolicyFile):
            await core.policies.begin()
            core.policies.watch()
        if migrate and core.recent is not None:
            await core.recent.prune()
        if migrate:
            await core.approvals.recover(core.environment)
        if migrate and core.permit_io is not None:
            await _begin_with_permit_io(core, core.permit_io)
        elif migrate:
            await put_all_to_sleep(core.system, core.model, database, FactStore(), core.audit, clock)
            await warn_of_strangers(core.environment, core.model, database, core.facts, RequestStore())
    except BaseException:
        await core.close()
        raise
    return core


def assemble(settings: Settings, policy: ReadPolicy, database: Database, clock: Clock = utc_now) -> Core:
    """Connect the parts of a core over a database that has its tables, or will have when it is first used.

    Raises:
        ConfigurationError: the policy is not one for the server that decides; or Permit.io is to be used, and its SDK
            is not installed, or another decision point is to be used as well.
    """
    if settings.permit_api_key.get_secret_value():
        if settings.pdp != "embedded":
            raise ConfigurationError(f"PERMIT_API_KEY and PDP={settings.pdp} are both set: only one of them can decide")
        return _assemble_permit_io(settings, policy, database, clock)
    facts = FactStore()
    audit = open_log(settings, database, clock, policy=lambda environment: policies.current(environment).hash)

    async def sleep(transaction: Transaction, model: PolicyModel) -> None:
        await put_to_sleep(system_actor(settings.environment), model, transaction, facts, audit, clock)

    async def recently_loosened(before: PolicyModel, after: PolicyModel) -> list[str]:
        return await recent.loosened(before, after)

    async def name_strangers(model: PolicyModel) -> None:
        await warn_of_strangers(settings.environment, model, database, current, RequestStore())

    policies = PolicyFile(
        policy,
        settings.environment,
        database,
        audit,
        clock,
        in_force=[sleep],
        loosened=recently_loosened,
        afterwards=name_strangers,
    )
    current = CurrentFacts(facts, database, clock)
    recent = RecentChecks(settings.environment, policies, current, database, clock, _key(settings, CHECKS_KEY_FILE))
    directory = SqlDirectory(policies, database, facts, audit, clock, current=current)
    remote = _opa(settings, policies, current) if settings.pdp == "opa" else None
    pdp = LoggingPdp(remote or EmbeddedPdp(policies, facts, database, current=current), policies, recent.note)
    notices = NoticeBoard(settings.environment, policies, database, pdp, NoticeStore(), clock, facts=current)

    async def facts_about(actor: Actor, _on: Iterable[ResourceRef], transaction: Transaction) -> Facts:
        return await current.facts(actor.environment, transaction)

    approvals = ApprovalService(
        policies=policies,
        database=database,
        directory=directory,
        pdp=pdp,
        audit=audit,
        request_store=RequestStore(),
        notices=notices,
        clock=clock,
        facts_about=facts_about,
        seal=Seal(_key(settings, KEY_FILE)),
    )
    labels = Labels(database, audit, clock)
    return Core(
        settings, policies, database, audit, directory, pdp, approvals, notices, labels, clock, remote, None, current,
        recent,
    )  # fmt: skip


def _key(settings: Settings, file: str) -> Callable[[], bytes]:
    """A key of this account, made when it is first needed."""
    return lambda: read_or_create(settings.state_folder / file, new_key)


def open_log(
    settings: Settings, database: Database, clock: Clock = utc_now, *, policy: Callable[[str], str] = lambda _: ""
) -> AuditLog:
    """The audit log of a database, with the key that signs it and whoever is shown its records.

    Args:
        settings: where the key is, and what else is told.
        database: where the log is kept.
        clock: gives each record its time.
        policy: the hash of the policy that is in force in an environment, for the records.

    Raises:
        ConfigurationError: the key would lie beside the database, or AUDIT_HOOK names nothing that can be called.
    """
    notary = None
    if settings.audit_sign:
        folder = settings.state_folder
        if database.is_sqlite and folder.resolve() == Path(database.location).resolve().parent:
            raise ConfigurationError(
                "STATE_DIR: the folder of the database would hold the key that signs its log; name another one"
            )
        anchor = Path(settings.audit_anchor_file) if settings.audit_anchor_file else None
        notary = Notary(database, KeyFolder(folder), anchor, clock)
    log = AuditLog(database, clock, policy=policy, notary=notary)
    if settings.audit_hook:
        log.show_to(load_hook(settings.audit_hook))
    return log


@contextmanager
def _extra(setting: str, name: str) -> Iterator[None]:
    """Import what an extra of the distribution brings.

    Raises:
        ConfigurationError: it is not installed; names the setting that needs it and the extra.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{setting} needs {error.name}, which is not installed: install permit-mcp[{name}]"
        ) from error


def _opa(settings: Settings, policies: PolicyFile, current: CurrentFacts) -> RemotePdp:
    # Not imported where this process decides: the HTTP client is slow to import.
    with _extra("PDP=opa", "opa"):
        from permit_core.decision.opa import OpaPdp
        from permit_core.decision.opa_client import OpaClient
        from permit_core.decision.opa_documents import model_document

    model_document(policies.current(settings.environment).model)
    policies.must_fit(model_document)
    seconds = settings.opa_timeout_seconds
    client = OpaClient(settings.opa_url, seconds, settings.opa_token.get_secret_value())
    feed = None
    if settings.opal_server_url:
        from permit_core.decision.opal import OpalFeed

        feed = OpalFeed(settings.opal_server_url, client, seconds, settings.opal_token.get_secret_value())
    return OpaPdp(policies, current, client, seconds, feed=feed)


def _assemble_permit_io(settings: Settings, policy: ReadPolicy, database: Database, clock: Clock) -> Core:
    # Not imported where Permit.io is not used: its SDK is an extra, and slow to import.
    with _extra("PERMIT_API_KEY", "permit"):
        from permit_core.approvals.permit_io import PermitRequests
        from permit_core.decision.permit_io import PermitPdp
        from permit_core.directory.permit_io import PermitDirectory
        from permit_core.permit_io.client import PermitClient
        from permit_core.permit_io.reader import PermitReader
        from permit_core.permit_io.requests import RemoteRequests

    places = places_of_calls(policy.model)
    if places:
        raise ConfigurationError(
            f"POLICY_FILE: {places[0]} asks for arguments of a call, which Permit.io does not know: move it under tools, or "
            "decide here, without PERMIT_API_KEY"
        )
    model, client = policy.model, PermitClient(settings)
    reader = PermitReader(model, client)
    policies = PolicyVersion(model, policy.hash)
    audit = open_log(settings, database, clock, policy=lambda _: policy.hash)
    directory = PermitDirectory(model=model, database=database, audit=audit, clock=clock, client=client, reader=reader)
    pdp = LoggingPdp(PermitPdp(model, client, reader), policies)
    notices = NoticeBoard(settings.environment, policies, database, pdp, NoticeStore(), clock)

    async def facts_about(actor: Actor, refs: Iterable[ResourceRef], _: Transaction) -> Facts:
        return await reader.facts_about(actor.user, refs)

    approvals = ApprovalService(
        policies=policies,
        database=database,
        directory=directory,
        pdp=pdp,
        audit=audit,
        request_store=RequestStore(),
        notices=notices,
        clock=clock,
        facts_about=facts_about,
        seal=Seal(_key(settings, KEY_FILE)),
        elsewhere=PermitRequests(
            policies=policies,
            database=database,
            pdp=pdp,
            audit=audit,
            clock=clock,
            client=client,
            reader=reader,
            remote=RemoteRequests(client, settings.access_elements_config_id, settings.operation_elements_config_id),
            note_people=directory.note,
        ),
    )
    labels = Labels(database, audit, clock)
    return Core(settings, policies, database, audit, directory, pdp, approvals, notices, labels, clock, None, client)


@dataclass(frozen=True)
class Seeded:
    """What :func:`seed_permit_io` wrote, in words; empty when everything was there."""

    schema: list[str]
    facts: list[str]


async def seed_permit_io(settings: Settings) -> Seeded:
    """Make Permit.io's environment what the policy and the facts file say; nothing is taken away.

    Every step looks before it writes: done twice, or once more after it was cut short, it ends the same.

    Raises:
        PolicyFileError: one of the files is wrong.
        ConfigurationError: the account cannot be used, TENANT is not in the facts file, or Permit.io has no words for
            the policy; names the setting.
        StoreError: our database, where it is audited, is unreachable.
        Unavailable: Permit.io stopped answering, or does not take something.
    """
    from permit_core.permit_io.faults import during
    from permit_core.permit_io.schema import ElementsWriter, SchemaWriter
    from permit_core.permit_io.start import check_account
    from permit_core.policy.facts_file import load_facts

    if not settings.permit_api_key.get_secret_value():
        raise ConfigurationError("PERMIT_API_KEY is not set: there is no Permit.io to seed")
    policy = read_policy(settings.policy_path)
    model = policy.model
    facts = load_facts(settings.facts_file, model)
    if settings.tenant not in (named := [each.key for each in facts.tenants]):
        raise ConfigurationError(
            f"TENANT: {settings.tenant!r} is none of the tenants in {settings.facts_file}, which seeding makes; set it "
            f"to {' or '.join(map(repr, named))}, or name it under tenants there"
        )
    database = Database.open(settings.resolved_database_url)
    core = None
    try:
        await _prepare(database, settings.environment, migrate=True)
        core = assemble(settings, policy, database)
        client = core.permit_io
        if client is None:
            raise AssertionError("a key is set")
        elements = ElementsWriter(model, client)
        await check_account(client, settings)
        schema = SchemaWriter(model, client)
        with during("writing the schema", LOOK, AGAIN):
            await schema.write()
        with during("writing the tenants", LOOK, AGAIN):
            written = [
                f"tenant {each.key}"
                for each in facts.tenants
                if await core.directory.put_tenant(core.system, each.key, each.name)
            ]
        with during("writing the elements", BY_HAND, AGAIN):
            await elements.write(settings.access_elements_config_id, settings.operation_elements_config_id)
        with during("writing the facts", LOOK, AGAIN):
            written += await _write_facts(core, facts)
        with during("writing the set rules, the last step", RULES_LAST, AGAIN):
            await schema.write_rules()
        return Seeded([*schema.done, *elements.done], written)
    finally:
        await (core.close() if core is not None else database.close())


async def _write_facts(core: Core, facts: FactsFile) -> list[str]:
    """Write everything but the tenants; what was not there before, in words."""
    directory, actor = core.directory, core.system
    return [
        *[f"user {each.key}" for each in facts.users if await directory.put_user(actor, each)],
        *[str(each.ref) for each in facts.instances if await directory.put_instance(actor, each)],
        *[
            f"{each.subject} {each.relation} {each.object}"
            for each in facts.tuples
            if await directory.relate(actor, each)
        ],
        *[
            f"{each.role} of user {each.user} on {each.resource or each.tenant}"
            for each in facts.assignments
            if await directory.assign(actor, each)
        ],
    ]


async def _begin_with_permit_io(core: Core, client: PermitClient) -> None:
    from permit_core.directory.permit_io import PermitDirectory
    from permit_core.permit_io.start import check_account, check_environment

    await check_account(client, core.settings)
    await check_environment(client, core.settings, core.model)
    if isinstance(core.directory, PermitDirectory):
        try:
            await core.directory.note_everybody()
        except StoreError:
            raise
        except Unavailable as fault:
            raise ConfigurationError(f"PERMIT_API_URL: the people of the tenant cannot be read: {fault}") from fault
    await core.approvals.follow_up()


async def _prepare(database: Database, environment: str, *, migrate: bool) -> None:
    if migrate:
        # Not imported by processes that find the schema ready: Alembic is slow to import.
        from permit_core.stores.migrate import migrate as bring_up_to_date

        await bring_up_to_date(database)
        return
    try:
        async with database.reading() as reading:
            await FactStore().version(environment, reading)
    except StoreError as error:
        raise StoreError(f"the database {database.location} is not ready; start the server once: {error}") from error
