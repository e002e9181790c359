"""Signatures: what is signed, when, with which key, and what they find that the chain alone cannot."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, text

from permit_core.audit.chain import GENESIS
from permit_core.audit.log import AuditLog
from permit_core.audit.notary import RECORDS, Notary
from permit_core.audit.rotation import replace_key, rotate_key
from permit_core.audit.rows import checkpoint_of
from permit_core.audit.signing import (
    KEY_FILE,
    NEXT_FILE,
    PUBLIC_FILE,
    Checkpoint,
    KeyFolder,
    SigningKey,
    read_checkpoints,
    read_public_keys,
)
from permit_core.audit.verify import Damage, VerifyReport
from permit_core.bootstrap import open_log
from permit_core.database import Database
from permit_core.errors import ConfigurationError, StoreError
from permit_core.identity import Actor
from permit_core.ports.record import AuditEvent
from permit_core.stores.tables import audit_checkpoints
from tests.support.clock import SteadyClock
from tests.support.core import family_settings
from tests.support.tampering import rewrite, tamper

HENRY = Actor("default", "home", "3")


def calls(number: int) -> list[AuditEvent]:
    return [AuditEvent("tool.call", HENRY, {"number": each}) for each in range(number)]


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not happened():
            await asyncio.sleep(0.01)


class Signed:
    """A log that is signed, as one process has it open."""

    def __init__(self, database: Database, clock: SteadyClock, folder: Path) -> None:
        self.database, self.clock, self.folder = database, clock, folder
        self.keys = KeyFolder(folder / "keys")
        self.anchor = folder / "elsewhere" / "checkpoints.jsonl"
        self.log = self.another()

    def another(self) -> AuditLog:
        """The same log, opened by another process of this account."""
        notary = Notary(self.database, self.keys, self.anchor, self.clock)
        return AuditLog(self.database, self.clock, notary=notary)

    async def write(self, number: int = 1) -> None:
        """Let a process write, and end."""
        log = self.another()
        await log.note(*calls(number))
        await log.close()
        self.clock.advance(minutes=5)

    async def checkpoints(self) -> list[Checkpoint]:
        async with self.database.reading() as reading:
            query = select(audit_checkpoints).order_by(audit_checkpoints.c.seq)
            return [checkpoint_of(row) for row in await reading.execute(query)]

    def signed_up_to(self) -> int:
        """The newest checkpoint elsewhere."""
        return read_checkpoints(self.anchor)[0][-1].seq if self.anchor.exists() else 0

    async def verify(self, *keys: str, anchored: bool = False, since: str | None = None) -> VerifyReport:
        anchors = read_checkpoints(self.anchor)[0] if anchored else []
        trusted = keys or tuple(self.keys.public_keys())
        return await self.log.verify("default", public_keys=trusted, anchors=anchors, since=since)


@pytest.fixture
async def signed(database: Database, clock: SteadyClock, tmp_path: Path) -> Signed:
    return Signed(database, clock, tmp_path)


def damage(report: VerifyReport) -> list[tuple[int | None, Damage]]:
    return [(problem.seq, problem.damage) for problem in report.problems]


async def test_the_end_of_what_a_process_wrote_is_signed_and_goes_elsewhere(
    signed: Signed, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "permit_core.audit.notary")
    await signed.write(3)
    await signed.write(2)
    (first, second) = await signed.checkpoints()
    assert [(first.seq, second.seq), (first.key, second.key)] == [(3, 5), (signed.keys.key().public,) * 2]
    assert first.is_genuine()
    assert first.hash == (await signed.log.records("default"))[2].hash
    assert read_checkpoints(signed.anchor) == ([first, second], [])
    assert [first.line() in caplog.text, second.line() in caplog.text] == [True, True]
    report = await signed.verify(anchored=True)
    assert (report.ok, report.signed_up_to, report.last, report.keys) == (True, 5, 5, (first.key,))


async def test_every_so_many_records_are_signed_without_waiting_for_the_second(
    signed: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    notary = signed.log.notary
    assert notary is not None
    await signed.write(1)
    monkeypatch.setattr(notary._trailing, "_pause_seconds", 1000)
    notary._signed["default"] = 1, (await signed.log.records("default"))[0].hash
    await signed.log.note(*calls(1))
    await signed.log.note(*calls(RECORDS))
    await until(lambda: signed.signed_up_to() == 2 + RECORDS)
    await signed.log.close()


async def test_each_second_in_which_something_was_written_is_signed(signed: Signed) -> None:
    async with signed.database.transaction() as transaction:
        await signed.log.append(transaction, *calls(2))
    await until(lambda: signed.signed_up_to() == 2)
    await signed.log.close()
    assert [checkpoint.seq for checkpoint in await signed.checkpoints()] == [2]


async def test_what_only_ever_is_appended_in_the_threads_of_the_database_is_signed_too(signed: Signed) -> None:
    log = signed.log
    await signed.database.write(lambda connection: log.append_now(connection, *calls(2)), environment="default")
    await until(lambda: signed.signed_up_to() == 2)
    await log.close()


async def test_what_was_appended_and_rolled_back_is_not_signed(signed: Signed) -> None:
    async def fail() -> None:
        async with signed.database.transaction() as transaction:
            await signed.log.append(transaction, *calls(2))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await signed.log.close()
    assert await signed.checkpoints() == []


async def test_the_key_is_its_owners_alone_and_not_beside_the_database(signed: Signed) -> None:
    await signed.write()
    file = signed.keys.folder / KEY_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(signed.keys.folder.stat().st_mode) == 0o700
    assert read_public_keys(signed.keys.folder / PUBLIC_FILE) == [SigningKey.from_pem(file.read_bytes()).public]


async def test_a_key_that_would_lie_beside_the_database_is_refused(tmp_path: Path) -> None:
    settings = family_settings(tmp_path, state_dir=str(tmp_path))
    database = Database.open(settings.resolved_database_url)
    with pytest.raises(ConfigurationError, match="STATE_DIR"):
        open_log(settings, database)
    await database.close()


async def test_the_public_key_alone_says_where_the_unsigned_tail_begins(signed: Signed) -> None:
    await signed.write(4)
    unsigned = AuditLog(signed.database, signed.clock)
    await unsigned.note(*calls(3))
    report = await signed.verify()
    assert (report.ok, report.signed_up_to, report.last) == (True, 4, 7)
    nobody = await signed.log.verify("default")
    assert (nobody.ok, nobody.signed_up_to, nobody.trusted) == (True, 4, ())


async def test_a_chain_that_was_rewritten_as_a_whole_contradicts_its_signatures(signed: Signed) -> None:
    await signed.write(3)
    await signed.write(3)
    await rewrite(signed.database, "default", user="1")
    report = await signed.verify()
    assert damage(report) == [(3, Damage.REWRITTEN), (6, Damage.REWRITTEN)]
    assert report.signed_up_to == 0


async def test_a_chain_rewritten_together_with_its_signatures_contradicts_those_kept_elsewhere(signed: Signed) -> None:
    await signed.write(3)
    await rewrite(signed.database, "default", user="1")
    await tamper(signed.database, "DELETE FROM audit_checkpoints")
    assert (await signed.verify()).ok  # three records may have waited for their signature
    assert damage(await signed.verify(anchored=True)) == [(3, Damage.REWRITTEN)]


async def test_a_long_log_without_signatures_was_written_without_the_key(signed: Signed) -> None:
    await signed.write(RECORDS + 1)
    await rewrite(signed.database, "default", user="1")
    await tamper(signed.database, "DELETE FROM audit_checkpoints")
    report = await signed.verify()
    assert damage(report) == [(1, Damage.UNSIGNED)]
    assert "records 1 to 257 are under no signature" in report.problems[0].text


async def test_a_chain_signed_with_another_key_is_forged(signed: Signed, tmp_path: Path) -> None:
    await signed.write(2)
    ours = signed.keys.key().public
    signed.keys = KeyFolder(tmp_path / "other keys")
    await signed.write(2)
    assert damage(await signed.verify(ours)) == [(4, Damage.FORGED)]
    assert (await signed.verify(ours, signed.keys.key().public)).ok


async def test_a_checkpoint_that_its_key_did_not_sign_is_forged(signed: Signed) -> None:
    await signed.write(2)
    await tamper(signed.database, "UPDATE audit_checkpoints SET at = '2026-01-01'")
    assert damage(await signed.verify()) == [(2, Damage.FORGED)]
    await tamper(signed.database, "UPDATE audit_checkpoints SET signature = 'none'")
    assert damage(await signed.verify()) == [(2, Damage.FORGED)]


async def test_a_tail_cut_off_with_the_head_moved_back_contradicts_a_signature(signed: Signed) -> None:
    await signed.write(3)
    await signed.write(2)
    third = (await signed.log.records("default"))[2]
    cut = ["DELETE FROM audit_records WHERE seq > 3", f"UPDATE audit_head SET seq = 3, hash = '{third.hash}'"]
    await tamper(signed.database, *cut)
    assert damage(await signed.verify()) == [(4, Damage.CUT_OFF)]
    await tamper(signed.database, "DELETE FROM audit_checkpoints WHERE seq > 3")
    assert (await signed.verify()).ok
    assert damage(await signed.verify(anchored=True)) == [(4, Damage.CUT_OFF)]


async def test_an_older_backup_in_place_of_the_database_is_noticed(clock: SteadyClock, tmp_path: Path) -> None:
    from permit_core.stores.migrate import migrate

    file = tmp_path / "log.db"
    database = Database.open(f"sqlite+aiosqlite:///{file}")
    await migrate(database)
    signed = Signed(database, clock, tmp_path)
    await signed.write(3)
    await database.close()
    shutil.copy(file, tmp_path / "backup.db")
    database = signed.database = Database.open(f"sqlite+aiosqlite:///{file}")
    await signed.write(3)
    await database.close()
    for left in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
        left.unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", file)
    signed.database = Database.open(f"sqlite+aiosqlite:///{file}")
    signed.log = signed.another()
    assert (await signed.verify()).ok
    report = await signed.verify(anchored=True)
    assert damage(report) == [(4, Damage.CUT_OFF)]
    assert "an older copy is in its place" in report.problems[0].text
    await signed.database.close()


async def test_a_head_kept_elsewhere_has_to_be_in_the_log_and_what_follows_is_looked_at(signed: Signed) -> None:
    await signed.write(2)
    head = (await signed.verify()).head
    await signed.write(2)
    report = await signed.verify(since=head)
    assert (report.ok, report.records, report.signed_up_to) == (True, 2, 4)
    assert (await signed.verify(since=GENESIS)).records == 4
    await tamper(signed.database, "UPDATE audit_records SET user_key = '1' WHERE seq = 3")
    assert damage(await signed.verify(since=head)) == [(3, Damage.CHANGED)]
    await rewrite(signed.database, "default", user="1")
    assert damage(await signed.verify(since=head))[0] == (1, Damage.REWRITTEN)
    with pytest.raises(Exception, match="64 hexadecimal digits"):
        await signed.verify(since="head")


async def test_what_was_rewritten_under_a_running_process_gets_no_signature(
    signed: Signed, caplog: pytest.LogCaptureFixture
) -> None:
    await signed.write(3)
    await rewrite(signed.database, "default", user="1")
    await signed.write(1)
    assert [checkpoint.seq for checkpoint in await signed.checkpoints()] == [3]
    assert "record 3 of the audit log is not the one that was signed" in caplog.text
    await tamper(signed.database, "DELETE FROM audit_checkpoints")
    signed.log = signed.another()
    assert signed.log.notary is not None
    signed.log.notary._signed["default"] = 3, "0" * 64
    signed.log.notary.wrote("default", 4)
    await signed.log.close()
    assert await signed.checkpoints() == []


async def test_a_rotated_key_names_its_successor_and_running_processes_go_over(signed: Signed) -> None:
    await signed.write(2)
    first = signed.keys.key().public
    running = signed.another()
    await running.note(*calls(1))
    await running.notary.close()  # type: ignore[union-attr]
    again = signed.another()
    await again.note(*calls(1))
    assert again.notary is not None
    again.notary._key = signed.keys.key()  # it has signed before
    second = await rotate_key(signed.database, signed.log, signed.keys)
    await again.note(*calls(1))
    await again.close()
    await signed.log.close()
    assert signed.keys.key().public == second != first
    assert [(each.key, each.successor) for each in await signed.checkpoints()][-2:] == [(first, second), (second, "")]
    assert signed.keys.public_keys() == [first, second]
    report = await signed.verify(first, anchored=True)
    assert (report.ok, report.keys, report.trusted) == (True, (first, second), (first, second))
    assert (await signed.log.latest("default", limit=2))[0].event == "audit.key_rotated"


async def test_an_old_key_is_not_trusted_after_it_named_its_successor(signed: Signed) -> None:
    await signed.write(2)
    old = SigningKey.from_pem((signed.keys.folder / KEY_FILE).read_bytes())
    await rotate_key(signed.database, signed.log, signed.keys)
    await signed.write(1)
    last = (await signed.checkpoints())[-1]
    forged = old.sign(replace(last, at="2026-12-01T00:00:00.000000+00:00"))
    deed = f"UPDATE audit_checkpoints SET at = '{forged.at}', key = '{forged.key}', signature = '{forged.signature}'"
    await tamper(signed.database, f"{deed} WHERE seq = {last.seq}")
    report = await signed.verify()
    assert damage(report) == [(last.seq, Damage.FORGED)]
    assert "a key that had been replaced before" in report.problems[0].text


async def test_a_rotation_that_was_cut_short_is_finished(signed: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    await signed.write(2)
    with monkeypatch.context() as killed:
        killed.setattr(KeyFolder, "go_over", lambda *_: (_ for _ in ()).throw(ZeroDivisionError))
        with pytest.raises(ZeroDivisionError):
            await rotate_key(signed.database, signed.log, signed.keys)
    assert (signed.keys.folder / NEXT_FILE).exists()
    await signed.write(1)  # whoever signs next finishes it
    assert not (signed.keys.folder / NEXT_FILE).exists()
    assert (await signed.verify()).ok
    with monkeypatch.context() as killed:
        killed.setattr(KeyFolder, "go_over", lambda *_: (_ for _ in ()).throw(ZeroDivisionError))
        with pytest.raises(ZeroDivisionError):
            await rotate_key(signed.database, signed.log, signed.keys)
    await rotate_key(signed.database, signed.log, signed.keys)
    await signed.write(1)
    assert len([each for each in await signed.checkpoints() if each.successor]) == 2
    assert (await signed.verify()).ok


async def test_a_key_that_ended_and_whose_successor_is_not_here_signs_nothing(
    signed: Signed, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    await signed.write(1)
    shutil.copytree(signed.keys.folder, tmp_path / "copy")
    await rotate_key(signed.database, signed.log, signed.keys)
    signed.keys = KeyFolder(tmp_path / "copy")
    await signed.write(1)
    assert "which is not in" in caplog.text
    assert [checkpoint.seq for checkpoint in await signed.checkpoints()] == [1, 2]


async def test_a_lost_key_stops_signing_not_remembering_until_it_is_replaced(
    signed: Signed, caplog: pytest.LogCaptureFixture
) -> None:
    await signed.write(2)
    old = signed.keys.key().public
    (signed.keys.folder / KEY_FILE).unlink()
    await signed.write(1)
    assert "is lost: put it back, or replace it" in caplog.text
    report = await signed.verify()
    assert (report.ok, report.records, report.signed_up_to) == (True, 3, 2)

    new = await replace_key(signed.log, signed.keys)
    await signed.log.close()
    assert signed.keys.public_keys() == [old, new]
    assert (await signed.log.latest("default", limit=1))[0].body == {"key": new, "before": [old]}
    assert damage(await signed.verify(old)) == [(4, Damage.FORGED)]
    assert (await signed.verify(old, new)).signed_up_to == 4
    with pytest.raises(ConfigurationError, match="rotate it instead"):
        await replace_key(signed.log, signed.keys)


async def test_a_file_elsewhere_that_cannot_be_written_gets_its_lines_later(
    signed: Signed, caplog: pytest.LogCaptureFixture
) -> None:
    signed.anchor.parent.mkdir()
    signed.anchor.mkdir()
    notary = signed.log.notary
    assert notary is not None
    await signed.log.note(*calls(1))
    await notary._sign_all()
    assert "AUDIT_ANCHOR_FILE" in caplog.text
    signed.anchor.rmdir()
    await signed.log.note(*calls(1))
    await signed.log.close()
    assert [checkpoint.seq for checkpoint in read_checkpoints(signed.anchor)[0]] == [1, 2]


async def test_a_folder_that_cannot_hold_a_key_is_said_and_stops_nothing(
    signed: Signed, caplog: pytest.LogCaptureFixture
) -> None:
    signed.keys.folder.write_text("a file")
    await signed.write(1)
    await signed.write(1)
    assert "the audit log is written, and not signed" in caplog.text
    assert (await signed.verify("0" * 64)).records == 2


@pytest.mark.parametrize(
    "content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", b"x" * 70_000]
)
def test_a_file_that_is_no_key_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    (tmp_path / NEXT_FILE).write_bytes(content)
    with pytest.raises(ConfigurationError, match=KEY_FILE):
        KeyFolder(tmp_path).key()
    with pytest.raises(ConfigurationError, match=NEXT_FILE):
        KeyFolder(tmp_path).upcoming()


def test_a_key_of_another_kind_is_no_key() -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import x25519

    private = x25519.X25519PrivateKey.generate()
    with pytest.raises(ValueError, match="not an Ed25519 key"):
        SigningKey.from_pem(
            private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    with pytest.raises(ValueError, match="without a password"):
        SigningKey.from_pem(
            private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"x"),
            )
        )


def test_a_public_key_is_read_as_digits_and_as_pem(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key, file = SigningKey.generate(), tmp_path / "key.pem"
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.public))
    file.write_bytes(public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    assert read_public_keys(file) == [key.public]
    file.write_text("something else")
    with pytest.raises(ConfigurationError, match="holds no public key"):
        read_public_keys(file)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_public_keys(tmp_path / "none")


def test_lines_that_are_no_checkpoints_are_counted(tmp_path: Path) -> None:
    checkpoint = SigningKey.generate().sign(Checkpoint("default", 1, GENESIS, "2026", ""))
    file = tmp_path / "checkpoints.jsonl"
    told = json.loads(checkpoint.line())
    lines = [checkpoint.line(), "{", "[]", json.dumps({**told, "seq": True}), json.dumps({**told, "key": 3})]
    file.write_text("\n".join(lines) + "\n")
    assert read_checkpoints(file) == ([checkpoint], [2, 3, 4, 5])
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_checkpoints(tmp_path / "none")


async def test_the_process_that_loses_the_race_for_a_new_key_takes_the_winners(tmp_path: Path) -> None:
    keys = await asyncio.gather(*(asyncio.to_thread(KeyFolder(tmp_path / "keys").key) for _ in range(8)))
    assert len({key.public for key in keys}) == 1
    assert set(KeyFolder(tmp_path / "keys").public_keys()) == {keys[0].public}


def test_a_key_that_another_process_makes_at_this_moment_is_not_called_lost(tmp_path: Path) -> None:
    class Overtaken(KeyFolder):
        def public_keys(self) -> list[str]:
            made.append(KeyFolder(tmp_path).key().public)
            return super().public_keys()

    made: list[str] = []
    assert Overtaken(tmp_path).key().public == made[0]


def test_a_file_of_public_keys_that_is_only_begun_holds_none(tmp_path: Path) -> None:
    (tmp_path / "audit-signing-key.pub").touch()
    key = KeyFolder(tmp_path).key()
    assert KeyFolder(tmp_path).public_keys() == [key.public]


async def test_rotating_before_anything_was_written_changes_the_key(signed: Signed) -> None:
    before = signed.keys.key().public
    assert await rotate_key(signed.database, signed.log, signed.keys) == signed.keys.key().public != before


async def test_damage_beyond_repair_does_not_keep_a_process_from_ending(
    signed: Signed, caplog: pytest.LogCaptureFixture
) -> None:
    await signed.log.note(*calls(1))
    await tamper(signed.database, "DELETE FROM audit_head")
    with pytest.raises(StoreError, match="audit verify"):
        await signed.log.note(*calls(1))
    await signed.log.close()
    async with signed.database.reading() as reading:
        assert (await reading.execute(text("SELECT count(*) FROM audit_checkpoints"))).scalar_one() == 0
    assert "signing the audit log failed" not in caplog.text
