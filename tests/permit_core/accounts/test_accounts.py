"""Local accounts: who may log in, and tokens that end with the account."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import delete, text

from permit_core.accounts import accounts as module
from permit_core.accounts.accounts import Account, Accounts, NewAccount
from permit_core.audit.log import AuditLog
from permit_core.database import Database
from permit_core.errors import Conflict, Forbidden, InvalidInput, NotFound, UserFacing
from permit_core.identity import Actor
from permit_core.ports.record import RecordFilter
from permit_core.stores.migrate import CORE_MIGRATIONS, migrate
from permit_core.stores.tables import users
from tests.support.processes import output_of, start_python

BOSS = Actor("default", "default", "1", "Rose")
PASSWORD = "henry_password"


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that are no good and cost nothing; bcrypt is tried in test_passwords.py."""

    async def quick(password: str) -> str:
        return hashlib.sha256(password.encode()).hexdigest()

    async def verify(password: str, hashed: str | None) -> bool:
        await asyncio.sleep(0)
        return hashed == await quick(password)

    monkeypatch.setattr(module, "hash_password", quick)
    monkeypatch.setattr(module, "verify_password", verify)


async def with_users(database: Database) -> Database:
    async with database.transaction() as transaction:
        for key in ("1", "2", "3"):
            await transaction.execute(
                users.insert().values(
                    environment="default", key=key, first_name=key, last_name="", email="", attributes={}
                )
            )
    return database


@pytest.fixture
async def accounts(database: Database) -> Accounts:
    await with_users(database)
    return Accounts(database, AuditLog(database))


@pytest.fixture
async def henry(accounts: Accounts) -> Account:
    return await accounts.add(BOSS, "henry", "3", PASSWORD)


@pytest.fixture
async def elsewhere(database_url: str, henry: Account) -> AsyncIterator[Accounts]:
    """The same accounts as another process sees them."""
    other = Database.open(database_url)
    yield Accounts(other, AuditLog(other))
    await other.close()


async def audited(accounts: Accounts, event: str) -> list[dict[str, object]]:
    records = await AuditLog(accounts._database).records("default", RecordFilter(event=event))
    return [{"actor": record.user, "body": record.body} for record in records]


async def test_a_password_opens_its_account_and_no_other_does(accounts: Accounts, henry: Account) -> None:
    assert (henry.environment, henry.login, henry.user, henry.state) == ("default", "henry", "3", "open")
    assert await accounts.log_in("default", "henry", PASSWORD) == henry
    for environment, login, password in (
        ("default", "henry", "another_password"),
        ("default", "Henry", PASSWORD),
        ("default", "nobody", PASSWORD),
        ("another", "henry", PASSWORD),
        ("default", "hen\0ry", PASSWORD),
        ("default", "\ud800", PASSWORD),
        ("default", "h" * 5000, PASSWORD),
    ):
        with pytest.raises(Forbidden) as caught:
            await accounts.log_in(environment, login, password)
        assert caught.value.code == "wrong_login"
    assert "henry_password" not in repr(henry)
    assert henry.hashed_password not in repr(henry)


async def test_a_new_account_is_on_record_and_its_password_is_not(accounts: Accounts, henry: Account) -> None:
    (record,) = await audited(accounts, "account.added")
    assert record["actor"] == "1"
    assert "henry" in str(record["body"])
    assert PASSWORD not in str(record)
    assert henry.hashed_password not in str(record)


@pytest.mark.parametrize(
    ("login", "user", "password", "error", "code"),
    [
        ("", "2", PASSWORD, InvalidInput, "invalid_login"),
        (" joe", "2", PASSWORD, InvalidInput, "invalid_login"),
        ("j\u202eoe", "2", PASSWORD, InvalidInput, "invalid_login"),
        ("j" * 101, "2", PASSWORD, InvalidInput, "invalid_login"),
        ("joe", "2", "short", InvalidInput, "invalid_password"),
        ("joe", "9", PASSWORD, NotFound, "no_such_user"),
        ("henry", "2", PASSWORD, Conflict, "account_exists"),
        ("henry2", "3", PASSWORD, Conflict, "account_exists"),
        ("henry", "3", PASSWORD, Conflict, "account_exists"),
    ],
)
async def test_what_cannot_be_an_account_is_said(
    accounts: Accounts, henry: Account, login: str, user: str, password: str, error: type[UserFacing], code: str
) -> None:
    with pytest.raises(error) as caught:
        await accounts.add(BOSS, login, user, password)
    assert caught.value.code == code
    assert caught.value.hint
    assert await accounts.list_all("default") == [henry]


async def test_the_tokens_of_a_closed_account_end_in_every_process(
    accounts: Accounts, elsewhere: Accounts, henry: Account
) -> None:
    assert await elsewhere.holding("default", "henry", henry.epoch) == henry
    await accounts.close(BOSS, "henry")
    for each in (accounts, elsewhere):
        assert await each.holding("default", "henry", henry.epoch) is None
        with pytest.raises(Forbidden):
            await each.log_in("default", "henry", PASSWORD)
    assert len(await audited(accounts, "account.closed")) == 1


async def test_another_password_ends_the_other_tokens(accounts: Accounts, elsewhere: Accounts, henry: Account) -> None:
    await accounts.change_password(BOSS, "henry", "another_password")
    assert await elsewhere.holding("default", "henry", henry.epoch) is None
    with pytest.raises(Forbidden):
        await elsewhere.log_in("default", "henry", PASSWORD)
    now = await elsewhere.log_in("default", "henry", "another_password")
    assert await accounts.holding("default", "henry", now.epoch) == now
    assert now.password_changed_at >= henry.password_changed_at


async def test_an_account_that_is_opened_again_has_none_of_its_old_tokens(accounts: Accounts, henry: Account) -> None:
    await accounts.close(BOSS, "henry")
    with pytest.raises(Conflict):
        await accounts.add(BOSS, "henry", "2", PASSWORD)
    again = await accounts.add(BOSS, "henry", "3", PASSWORD)
    assert again.state == "open"
    assert again.epoch != henry.epoch
    assert await accounts.holding("default", "henry", henry.epoch) is None
    assert len(await audited(accounts, "account.reopened")) == 1


async def test_a_user_who_was_removed_and_made_again_has_no_account(accounts: Accounts, henry: Account) -> None:
    database = accounts._database
    async with database.transaction() as transaction:
        await transaction.execute(delete(users).where(users.c.key == "3"))
    assert await accounts.holding("default", "henry", henry.epoch) is None
    async with database.transaction() as transaction:
        await transaction.execute(
            users.insert().values(environment="default", key="3", first_name="", last_name="", email="", attributes={})
        )
    assert await accounts.list_all("default") == []


@pytest.mark.parametrize("closed", [False, True])
async def test_what_is_not_there_or_closed_cannot_be_changed(accounts: Accounts, henry: Account, closed: bool) -> None:
    login = "henry" if closed else "nobody"
    if closed:
        await accounts.close(BOSS, "henry")
    for change in (accounts.close(BOSS, login), accounts.change_password(BOSS, login, PASSWORD)):
        with pytest.raises(UserFacing) as caught:
            await change
        assert caught.value.code == ("account_closed" if closed else "no_such_account")


async def test_of_two_who_close_an_account_one_does(accounts: Accounts, elsewhere: Accounts, henry: Account) -> None:
    closing = [each.close(BOSS, "henry") for each in (accounts, elsewhere) * 3]
    outcomes = await asyncio.gather(*closing, return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["Conflict"] * 5 + ["NoneType"]
    assert len(await audited(accounts, "account.closed")) == 1


async def test_of_two_who_make_the_same_account_one_does(accounts: Accounts, elsewhere: Accounts) -> None:
    making = [each.add(BOSS, "joe", "2", PASSWORD) for each in (accounts, elsewhere) * 3]
    outcomes = await asyncio.gather(*making, return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["Account"] + ["Conflict"] * 5
    assert len(await audited(accounts, "account.added")) == 2  # henry's is the other


async def test_whoever_logs_in_while_the_account_is_closed_has_no_good_token(
    accounts: Accounts, elsewhere: Accounts, henry: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def close_meanwhile(password: str, hashed: str | None) -> bool:
        await elsewhere.close(BOSS, "henry")
        return True

    monkeypatch.setattr(module, "verify_password", close_meanwhile)
    with pytest.raises(Forbidden):
        await accounts.log_in("default", "henry", PASSWORD)


async def test_racing_log_ins_and_closes_leave_no_good_token(
    accounts: Accounts, elsewhere: Accounts, henry: Account
) -> None:
    logging_in = [each.log_in("default", "henry", PASSWORD) for each in (accounts, elsewhere) * 10]
    outcomes = await asyncio.gather(*logging_in, accounts.close(BOSS, "henry"), return_exceptions=True)
    let_in = [each for each in outcomes if isinstance(each, Account)]
    for account in let_in:
        assert await elsewhere.holding("default", "henry", account.epoch) is None


async def test_accounts_of_one_environment_are_none_of_another(accounts: Accounts, henry: Account) -> None:
    assert await accounts.list_all("another") == []
    assert await accounts.holding("another", "henry", henry.epoch) is None
    with pytest.raises(NotFound):
        await accounts.close(Actor("another", "default", "1"), "henry")


async def test_seeding_leaves_those_who_have_an_account_alone(accounts: Accounts, henry: Account) -> None:
    new = [NewAccount("henry-too", "3", "$2b$x"), NewAccount("joe", "2", "$2b$y")]
    for added in (["joe"], []):
        async with accounts._database.transaction("default") as transaction:
            assert await accounts.seed(transaction, BOSS, new) == added
    assert [each.login for each in await accounts.list_all("default")] == ["henry", "joe"]


async def test_the_accounts_that_the_chat_had_are_brought_forward(database_url: str, tmp_path: Path) -> None:
    before = tmp_path / "before"
    (before / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako"):
        (before / name).write_text((CORE_MIGRATIONS / name).read_text())
    newest = next((CORE_MIGRATIONS / "versions").glob("*_local_accounts.py"))
    for revision in (CORE_MIGRATIONS / "versions").glob("0*.py"):
        if revision.name < newest.name:
            (before / "versions" / revision.name).write_text(revision.read_text())
    database = Database.open(database_url)
    await migrate(database, before)
    async with database.transaction() as transaction:
        for key in ("2", "3"):
            row = text(
                "INSERT INTO users (key, first_name, last_name, email, attributes) VALUES (:key, '', '', '', '{}')"
            )
            await transaction.execute(row, {"key": key})
        await transaction.execute(
            text("CREATE TABLE accounts (user_key VARCHAR(100), username VARCHAR(100), hashed_password VARCHAR(200))")
        )
        await transaction.execute(
            text("INSERT INTO accounts VALUES ('3', 'henry', '$2b$henry'), ('2', 'joe', '$2b$joe')")
        )
    await migrate(database)
    found = await Accounts(database, AuditLog(database)).list_all("default")
    assert [(each.login, each.user, each.hashed_password, each.state) for each in found] == [
        ("henry", "3", "$2b$henry", "open"),
        ("joe", "2", "$2b$joe", "open"),
    ]
    assert all(re.fullmatch("[0-9a-f]{32}", each.epoch) for each in found)
    assert found[0].epoch != found[1].epoch
    await database.close()


async def test_a_process_that_closes_an_account_ends_the_tokens_of_another(
    accounts: Accounts, henry: Account, database_url: str
) -> None:
    body = """
        from permit_core.accounts.accounts import Accounts
        from permit_core.audit.log import AuditLog
        from permit_core.database import Database
        from permit_core.identity import Actor
        database = Database.open(sys.argv[1])
        await Accounts(database, AuditLog(database)).close(Actor("default", "default", "1"), "henry")
        await database.close()
    """
    assert await accounts.holding("default", "henry", henry.epoch)
    assert output_of(start_python(body, database_url)) == [""]
    assert await accounts.holding("default", "henry", henry.epoch) is None
