"""A database from before there were environments, with rows in it, becomes environment ``default``; nothing is lost."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text

from permit_core.access import ResourceRef
from permit_core.database import Database
from permit_core.entries import RoleAssignment, User
from permit_core.ports.request import RequestKind
from permit_core.stores.facts import FactStore
from permit_core.stores.migrate import CORE_MIGRATIONS, CORE_VERSION_TABLE, migrate
from permit_core.stores.notices import NoticeStore
from permit_core.stores.requests import RequestStore
from tests.support.databases import PostgresServer

BEFORE = "0007"
AT = "'2026-11-22 12:00:00+00:00'"
ROWS = [
    "INSERT INTO tenants (key, name) VALUES ('home', 'Home')",
    "INSERT INTO users (key, first_name, attributes) VALUES ('3', 'Henry', '{\"age\": 9}')",
    "INSERT INTO resource_instances (type, key, tenant, attributes) VALUES ('houses', '1', 'home', '{}')",
    "INSERT INTO resource_instances (type, key, tenant, attributes) VALUES ('rooms', '1', 'home', '{}')",
    "INSERT INTO role_assignments (user_key, role, tenant) VALUES ('3', 'child', 'home')",
    "INSERT INTO relationship_tuples VALUES ('houses', '1', 'house', 'rooms', '1', 'home')",
    "UPDATE facts_version SET version = 7, stamp = 'abc' WHERE id = 1",
    f"INSERT INTO seeds (name, digest, loaded_at) VALUES ('facts', 'd', {AT})",
    "INSERT INTO requests (id, kind, tenant, user_key, user_name, resource_type, resource_key, resource_name, role, pinned, "
    f"reason, status, created_at) VALUES ('req_1', 'access_request', 'home', '3', 'Henry', 'houses', '1', 'House', "
    f"'guest', '{{}}', 'please', 'pending', {AT})",
    f"INSERT INTO notices (recipient, tenant, event, request_id, created_at) VALUES ('3', 'home', 'request_created', "
    f"'req_1', {AT})",
    f"INSERT INTO announcements (request_id, created_at) VALUES ('req_1', {AT})",
    "INSERT INTO remote_requests (request_id, remote_id) VALUES ('req_1', 'remote')",
    "INSERT INTO local_accounts (environment, login, user_key, hashed_password, state, epoch, created_at, "
    f"password_changed_at) VALUES ('default', 'henry', '3', 'hash', 'open', 'e', {AT}, {AT})",
    # What another package keeps: it points at people, and at rows of its own.
    "CREATE TABLE chats (id VARCHAR(40) NOT NULL, user_key VARCHAR(100) NOT NULL, PRIMARY KEY (id), "
    "FOREIGN KEY(user_key) REFERENCES users (key) ON DELETE CASCADE)",
    "CREATE INDEX ix_chats ON chats (user_key)",
    "CREATE TABLE lines (chat VARCHAR(40) NOT NULL, PRIMARY KEY (chat), "
    "FOREIGN KEY(chat) REFERENCES chats (id) ON DELETE CASCADE)",
    "INSERT INTO chats VALUES ('c', '3')",
    "INSERT INTO lines VALUES ('c')",
]


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return Database.open(f"sqlite+aiosqlite:///{tmp_path / 'old.db'}")
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return Database.open(server.new_database())


@pytest.fixture
def chain_before(tmp_path: Path) -> Path:
    """The chain as it was."""
    folder = tmp_path / "before"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text((CORE_MIGRATIONS / "env.py").read_text())
    for file in (CORE_MIGRATIONS / "versions").glob("[0-9]*.py"):
        if file.name[:4] <= BEFORE:
            (folder / "versions" / file.name).write_text(file.read_text())
    return folder


async def test_rows_from_before_there_were_environments_are_in_the_default_one(
    old: Database, chain_before: Path
) -> None:
    await migrate(old, chain_before, CORE_VERSION_TABLE)
    async with old.transaction() as writing:
        for row in ROWS:
            await writing.execute(text(row))
    await migrate(old)

    facts, requests, room = FactStore(), RequestStore(), ResourceRef("rooms", "1")
    async with old.reading() as reading:
        assert await facts.user("default", reading, "3") == User("3", "Henry", attributes={"age": 9})
        assert await facts.tenant_name("default", reading, "home") == "Home"
        given = RoleAssignment("3", "child", "home")
        assert await facts.assignment("default", reading, given) == given
        snapshot = await facts.snapshot("default", reading)
        assert snapshot.subjects_of(room, "house") == (ResourceRef("houses", "1"),)
        version = await facts.version("default", reading)
        assert (version.number, version.stamp) == (7, "abc")
        assert await facts.seed_digest("default", reading, "facts") == "d"
        found = await requests.get("default", reading, RequestKind.ACCESS_REQUEST, "req_1")
        assert found is not None
        assert (found.environment, found.user, found.reason) == ("default", "3", "please")
        (notice,) = await NoticeStore().after("default", reading, 0, 9)
        assert notice.request == found
        assert await NoticeStore().announced("default", reading, 9) == [found]
        for table in ("chats", "lines", "remote_requests", "local_accounts"):
            assert (await reading.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() == 1
        assert await reading.run_sync(foreign_keys) == {"chats": [], "lines": ["chats"], "local_accounts": ["users"]}
        assert await reading.run_sync(
            lambda connection: [i["name"] for i in inspect(connection).get_indexes("chats")]
        ) == ["ix_chats"]
    async with old.transaction("default") as writing:
        assert await facts.remove("default", writing, User("3", "Henry"))
    async with old.reading() as reading:
        assert (await reading.execute(text("SELECT count(*) FROM chats"))).scalar_one() == 1
        assert (await reading.execute(text("SELECT count(*) FROM local_accounts"))).scalar_one() == 0
        assert await requests.find("default", reading, "req_1") == found
    await old.close()


def foreign_keys(connection: Connection) -> dict[str, list[str]]:
    tables = ("chats", "lines", "local_accounts")
    return {name: [key["referred_table"] for key in inspect(connection).get_foreign_keys(name)] for name in tables}


async def test_a_migration_that_would_break_a_reference_changes_nothing(tmp_path: Path) -> None:
    from permit_core.errors import StoreError

    database = Database.open(f"sqlite+aiosqlite:///{tmp_path / 'some.db'}")
    async with database.transaction() as writing:
        await writing.execute(text("CREATE TABLE parent (id INTEGER PRIMARY KEY)"))
        await writing.execute(text("CREATE TABLE child (id INTEGER PRIMARY KEY REFERENCES parent (id))"))
    with pytest.raises(StoreError, match="would not fit"):
        await database.restructure(lambda connection: connection.execute(text("INSERT INTO child VALUES (1)")))
    async with database.reading() as reading:
        assert (await reading.execute(text("SELECT count(*) FROM child"))).scalar_one() == 0
    with pytest.raises(Exception, match="constraint"):
        async with database.transaction() as writing:
            await writing.execute(text("INSERT INTO child VALUES (1)"))
    await database.close()
