"""Migrations: every start ends with one and the same schema."""

import asyncio
import hashlib
import json
import logging
import re
import shutil
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from permit_core.audit.log import AuditLog
from permit_core.database import Database
from permit_core.errors import ConfigurationError, ConstraintViolated, StoreError
from permit_core.identity import Actor
from permit_core.ports.record import AuditEvent
from permit_core.stores.migrate import CORE_MIGRATIONS, CORE_VERSION_TABLE, migrate
from permit_core.stores.tables import metadata
from tests.support.core import make_core
from tests.support.databases import PostgresServer
from tests.support.processes import output_of, start_python
from tests.support.tampering import rewrite, tamper


def tables_of(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A chain of revisions like those of any package: ``notes`` and then its ``author``."""
    folder = tmp_path / "a chain of 100%"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text("from permit_core.stores.migrate import run_migrations\nrun_migrations()\n")
    add_revision(folder, "0001", None, "op.create_table('notes', sa.Column('body', sa.Text))")
    return folder


def add_revision(folder: Path, revision: str, after: str | None, *upgrade: str) -> None:
    body = "".join(f"    {line}\n" for line in upgrade)
    head = f"""\
        import sqlalchemy as sa
        from alembic import op
        revision, down_revision, branch_labels, depends_on = {revision!r}, {after!r}, None, None
        def upgrade():
        """
    (folder / "versions" / f"{revision}.py").write_text(textwrap.dedent(head) + body)


def shape_of(connection: Connection) -> dict[str, object]:
    """Everything that the database knows of each of the core's tables."""
    found = inspect(connection)

    def constraints(table: str) -> list[str]:
        parts = [*found.get_indexes(table), *found.get_unique_constraints(table), *found.get_foreign_keys(table)]
        return sorted(re.sub("<.*?TextClause.*?>", "...", repr(part)) + condition(part) for part in parts)

    def condition(part: Any) -> str:
        return str(part.get("dialect_options", {}).get("sqlite_where"))

    return {
        table: (
            [{**column, "type": repr(column["type"])} for column in found.get_columns(table)],
            found.get_pk_constraint(table)["constrained_columns"],
            constraints(table),
        )
        for table in metadata.tables
    }


async def test_the_migrations_make_exactly_the_tables_that_the_code_knows(
    database: Database, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if database.is_sqlite:
        straight = Database.open(f"sqlite+aiosqlite:///{tmp_path / 'straight.db'}")
    else:
        straight = Database.open(request.getfixturevalue("postgres_server").new_database())
    async with straight.transaction() as transaction:
        await transaction.run_sync(metadata.create_all)
    async with straight.reading() as wanted, database.reading() as made:
        assert await made.run_sync(shape_of) == await wanted.run_sync(shape_of)
    await straight.close()


async def test_alembic_finds_nothing_left_to_migrate(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        options = {"version_table": CORE_VERSION_TABLE, "compare_type": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))

    async with database.reading() as reading:
        assert await reading.run_sync(differences) == []


async def test_a_database_that_is_up_to_date_is_not_written_to(database: Database) -> None:
    other = Database(database.engine)
    with anyio.fail_after(5):
        async with other.transaction():
            await migrate(database)  # would wait for the writer otherwise


async def test_several_processes_may_start_on_one_empty_database(database_url: str) -> None:
    body = """
        from permit_core.database import Database
        from permit_core.stores.migrate import migrate
        database = Database.open(sys.argv[1])
        sys.stdin.readline()
        await migrate(database)
        await database.close()
    """
    processes = [start_python(body, database_url) for _ in range(4)]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    assert output_of(*processes) == [""] * 4
    database = Database.open(database_url)
    async with database.reading() as reading:
        assert set(metadata.tables) <= await reading.run_sync(tables_of)
    await database.close()


async def test_several_tasks_may_start_on_one_empty_database(database_url: str) -> None:
    databases = [Database.open(database_url) for _ in range(3)]
    await asyncio.gather(*(migrate(database) for database in databases))
    for database in databases:
        await database.close()


async def test_a_second_chain_keeps_its_own_place_and_its_rows(database: Database, chain: Path) -> None:
    await migrate(database, chain, "notes_version")
    async with database.transaction() as transaction:
        await transaction.execute(text("INSERT INTO notes (body) VALUES ('from before')"))
    add_revision(chain, "0002", "0001", "op.add_column('notes', sa.Column('author', sa.Text, server_default='rose'))")
    await migrate(database, chain, "notes_version")
    async with database.reading() as reading:
        rows = (await reading.execute(text("SELECT body, author FROM notes"))).all()
        assert [tuple(row) for row in rows] == [("from before", "rose")]
        assert {"notes_version", CORE_VERSION_TABLE, "users"} <= await reading.run_sync(tables_of)


async def test_of_migrations_of_which_one_fails_none_has_happened(database: Database, chain: Path) -> None:
    add_revision(chain, "0002", "0001", "op.execute('SELECT * FROM nowhere')")
    with pytest.raises(StoreError, match="nowhere"):
        await migrate(database, chain, "notes_version")
    async with database.reading() as reading:
        assert not {"notes", "notes_version"} & await reading.run_sync(tables_of)


async def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    async with database.transaction() as transaction:
        await transaction.execute(text(f"UPDATE {CORE_VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="revision 9999"):
        await migrate(database)


async def test_migrating_leaves_standard_output_and_logging_alone(
    database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("alembic").level)
    database = Database.open(database_url)
    await migrate(database)
    await database.close()
    assert (root.level, list(root.handlers), logging.getLogger("alembic").level) == before
    assert not logging.getLogger("permit_core").disabled
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_records SET user_key = 'nobody'",
        "DELETE FROM audit_records",
        "DELETE FROM audit_head",
        "UPDATE audit_head SET seq = 0",
        "UPDATE audit_head SET environment = 'other', seq = 2",
        "UPDATE audit_checkpoints SET hash = ''",
        "DELETE FROM audit_checkpoints",
    ],
)
async def test_the_database_itself_refuses_to_forget(database: Database, statement: str) -> None:
    async with database.transaction() as transaction:
        await transaction.execute(
            text(
                "INSERT INTO audit_records (environment, seq, format, at, event, user_key, tenant, agent, session, "
                "request, policy, body, previous_hash, hash) "
                "VALUES ('e', 1, 2, '2026-11-22', 'x', 'y', 'z', '', '', '', '', '{}', '', '')"
            )
        )
        await transaction.execute(text("INSERT INTO audit_head (environment, seq, hash) VALUES ('e', 1, '')"))
        await transaction.execute(text("INSERT INTO audit_checkpoints VALUES ('e', 1, '', '', '', '', '')"))
    with pytest.raises((StoreError, ConstraintViolated), match="only grows"):
        async with database.transaction() as transaction:
            await transaction.execute(text(statement))


async def test_postgresql_cannot_empty_the_audit_log_at_a_stroke(postgres_server: PostgresServer) -> None:
    database = Database.open(postgres_server.new_database())
    await migrate(database)
    for table in ("audit_records", "audit_head", "audit_checkpoints"):
        with pytest.raises(StoreError, match="only grows"):
            async with database.transaction() as transaction:
                await transaction.execute(text(f"TRUNCATE {table}"))
    await database.close()


async def changed(database: Database, *statements: str) -> Database:
    async with database.transaction() as transaction:
        for statement in statements:
            await transaction.execute(text(statement))
    return database


async def test_a_database_at_two_revisions_is_refused_with_both(database: Database) -> None:
    await changed(database, f"INSERT INTO {CORE_VERSION_TABLE} VALUES ('0000')")
    with pytest.raises(
        ConfigurationError, match=f"2 revisions at once .*0000, .*{CORE_VERSION_TABLE}.*backup"
    ) as caught:
        await migrate(database)
    assert database.location in str(caught.value)


async def test_another_programs_database_is_refused_and_left_as_it_was(database_url: str) -> None:
    database = await changed(
        Database.open(database_url), "CREATE TABLE users (name VARCHAR(20))", "CREATE TABLE cats (name VARCHAR(20))"
    )
    with pytest.raises(ConfigurationError, match=f"has users but no {CORE_VERSION_TABLE}: .*name another database"):
        await migrate(database)
    async with database.reading() as reading:
        assert await reading.run_sync(tables_of) == {"users", "cats"}
    await database.close()


async def test_a_database_that_lost_a_table_is_refused_by_its_name(database: Database) -> None:
    await changed(database, "DROP TABLE audit_head")
    with pytest.raises(ConfigurationError, match=r"lacks audit_head: it is damaged\. Put a backup"):
        await migrate(database)


OLD_GENESIS = "0" * 64


async def old_database(url: str, tmp_path: Path, *, changed: bool) -> Database:
    """A database of the first format: three records of one chain, as the version before wrote them."""
    shutil.copytree(
        CORE_MIGRATIONS, tmp_path / "old", ignore=shutil.ignore_patterns("000[4-9]*", "001*", "__pycache__")
    )
    database = Database.open(url)
    await migrate(database, tmp_path / "old", CORE_VERSION_TABLE)
    previous = OLD_GENESIS
    async with database.transaction() as transaction:
        for seq in (1, 2, 3):
            at = datetime(2026, 11, 22, 12, 0, seq, tzinfo=UTC)
            body = f'{{"request":"req_{seq}"}}'
            covered = [seq, at.isoformat(timespec="microseconds"), "tool.call", "3", "home", body, previous]
            own = hashlib.sha256(json.dumps(covered, separators=(",", ":")).encode()).hexdigest()
            await transaction.execute(
                text(
                    "INSERT INTO audit_records VALUES (:seq, :at, 'tool.call', :actor, 'home', :body, :previous, :own)"
                ),
                {
                    "seq": seq,
                    "at": at if not database.is_sqlite else f"{at:%Y-%m-%d %H:%M:%S}.000000",
                    "actor": "1" if changed and seq == 2 else "3",
                    "body": body,
                    "previous": previous,
                    "own": own,
                },
            )
            await transaction.execute(text("UPDATE audit_head SET seq = :seq, hash = :own"), {"seq": seq, "own": own})
            previous = own
    return database


async def test_an_old_log_is_examined_moved_and_sealed(database_url: str, tmp_path: Path) -> None:
    database = await old_database(database_url, tmp_path, changed=False)
    await migrate(database)
    log = AuditLog(database)
    await log.note(AuditEvent("tool.call", Actor("default", "home", "4")))
    records = await log.records("default")
    assert [record.event for record in records] == ["tool.call", "tool.call", "tool.call", "audit.sealed", "tool.call"]
    assert [(record.user, record.tenant, record.request) for record in records[:2]] == [
        ("3", "home", "req_1"),
        ("3", "home", "req_2"),
    ]
    assert records[0].at == datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC)
    assert records[3].body == {
        "format": 1, "records": 3, "head": records[2].hash, "intact": True, "problems": [],
    }  # fmt: skip
    assert (await log.verify("default")).ok
    with pytest.raises((StoreError, ConstraintViolated), match="only grows"):
        async with database.transaction() as transaction:
            await transaction.execute(text("DELETE FROM audit_records"))
    await database.close()


async def test_an_old_log_that_was_damaged_is_moved_as_it_is_and_the_seal_says_so(
    database_url: str, tmp_path: Path
) -> None:
    database = await old_database(database_url, tmp_path, changed=True)
    await migrate(database)
    log = AuditLog(database)
    seal = (await log.records("default"))[-1]
    assert (seal.body["intact"], seal.body["problems"]) == (False, ["record 2 was changed after it was written"])
    assert [problem.seq for problem in (await log.verify("default")).problems] == [2]
    await database.close()


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE audit_records SET format = 1 WHERE seq = 5",
        "UPDATE audit_records SET event = 'tool.call' WHERE seq = 4",
    ],
)
async def test_an_old_format_does_not_come_back_and_only_a_seal_ends_it(tmp_path: Path, deed: str) -> None:
    database = await old_database(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", tmp_path, changed=False)
    await migrate(database)
    log = AuditLog(database)
    await log.note(AuditEvent("tool.call", Actor("default", "home", "4")))
    await tamper(database, deed)
    await rewrite(database, "default", user="3")
    assert not (await log.verify("default")).ok
    await database.close()


async def test_times_that_cannot_be_read_are_moved_as_they_are(tmp_path: Path) -> None:
    database = await old_database(f"sqlite+aiosqlite:///{tmp_path / 'log.db'}", tmp_path, changed=False)
    await tamper(
        database, "UPDATE audit_records SET at = 'yesterday', body = '[]' WHERE seq = 2", "DELETE FROM audit_head"
    )
    await migrate(database)
    log = AuditLog(database)
    report = await log.verify("default")
    assert [problem.seq for problem in report.problems] == [2]
    assert (await log.records("default"))[-1].body["problems"][-1] == (
        "the log does not know its end; record 3 is the last"
    )
    await database.close()


async def test_a_new_database_is_made_without_a_word_about_the_steps(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        await (await make_core(tmp_path)).close()
    assert [record.name for record in caplog.records if record.name.startswith("alembic")] == []
