"""Finding what was done to an audit log. Pure: it is shown the records, and what is signed of them, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from permit_core.audit.chain import GENESIS, SEALED, Link
from permit_core.audit.signing import Checkpoint

MAX_PROBLEMS = 20

LONGEST_UNSIGNED = 256
"""A longer tail without a signature is no accident, once it has had the time to be signed."""

BEYOND = 1000
"""How far above the number of records there are a number is looked for that a moved record may have had."""


class Damage(StrEnum):
    """What can have happened to a record."""

    CHANGED = "changed"
    MISSING = "missing"
    REORDERED = "reordered"
    CUT_OFF = "cut_off"
    ADDED = "added"
    REWRITTEN = "rewritten"
    FORGED = "forged"
    UNSIGNED = "unsigned"
    DISAGREES = "disagrees"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: which record, and what happened to it, in words. ``seq`` is None when no record tells of it."""

    seq: int | None
    damage: Damage
    text: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What an examination found.

    Attributes:
        records: how many records were looked at.
        head: hash of the last record there is; kept elsewhere, it dates the log.
        problems: what is wrong, in order, at most ``MAX_PROBLEMS``; empty when the log is as it was written.
        last: number of the last record.
        signed_up_to: number of the last record under a genuine signature by a trusted key; 0 when there is none.
        keys: the public keys that signed, in the order of their first signature.
        trusted: the public keys that signatures were held against, with those that they introduced; empty when none
            was given, and every signature counts that its own key has made.
    """

    records: int
    head: str
    problems: tuple[Problem, ...] = ()
    last: int = 0
    signed_up_to: int = 0
    keys: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True when nothing was found."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """JSON-serialisable."""
        return {"ok": self.ok, **asdict(self)}


class Examination:
    """Goes along the chain of one environment.

    Args:
        head: number and hash of the last record, as the log itself remembers them; None when it has lost them.
        total: how many records there are; what bounds a search. Counted, not taken from what a record says of itself.
        start: number and hash of the record after which the look begins, which was found to be what it was.
    """

    def __init__(self, head: tuple[int, str] | None, total: int, start: tuple[int, str] = (0, GENESIS)) -> None:
        self._head = head
        self._total = total
        self._expected, self._before = start[0] + 1, start[1]
        self._last_seq, self._last_hash = start
        self._sound = True  # whether the last one is not reported already
        self._formats = 0  # the newest format so far
        self._records = 0
        self._problems: list[Problem] = []

    def look_at(self, link: Link) -> None:
        """Take the next record, in the order of their numbers."""
        follows = link.seq == self._expected
        if link.seq > self._expected:
            until = f" to {link.seq - 1}" if link.seq - 1 > self._expected else ""
            self.found(self._expected, Damage.MISSING, f"record {self._expected}{until} is missing")
        elif not follows:
            self.found(link.seq, Damage.ADDED, f"record {link.seq} has a number that no record is given")
        intact = link.digest() == link.hash
        if not intact:
            self._changed_or_moved(link)
        elif follows and self._sound and link.previous_hash != self._before:
            # This record is what it was, so the one before it is not what it was when this one was written.
            seq = max(link.seq - 1, 1)
            self.found(seq, Damage.CHANGED, f"record {seq} is not the one that record {link.seq} was written after")
        self._check_format(link)
        self._last_seq, self._last_hash, self._sound = link.seq, link.hash, intact
        self._expected, self._before = link.seq + 1, link.hash
        self._records += 1

    def _check_format(self, link: Link) -> None:
        """An old format covers less of a record, so it may not come back, and only a seal ends it."""
        if link.format < self._formats:
            self.found(link.seq, Damage.CHANGED, f"record {link.seq} is in a format that was no longer written")
        elif self._formats == 1 < link.format and link.event != SEALED:
            self.found(link.seq, Damage.ADDED, f"record {link.seq} goes on with a log that was not sealed")
        self._formats = max(self._formats, link.format)

    def _changed_or_moved(self, link: Link) -> None:
        if len(self._problems) == MAX_PROBLEMS:
            return  # the search below goes through every number there can be
        genuine = next((seq for seq in range(1, self._total + BEYOND) if link.digest(seq) == link.hash), None)
        if genuine is None:
            self.found(link.seq, Damage.CHANGED, f"record {link.seq} was changed after it was written")
        else:
            self.found(link.seq, Damage.REORDERED, f"record {link.seq} was written as record {genuine}")

    def found(self, seq: int | None, damage: Damage, text: str) -> None:
        """Take up a problem."""
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(Problem(seq, damage, text))

    def report(self, signatures: Signatures | None = None) -> VerifyReport:
        """What was found, after the last record."""
        last_seq, last_hash = self._last_seq, self._last_hash
        if self._head is None:
            if last_seq:
                self.found(
                    last_seq + 1, Damage.CUT_OFF, f"the log does not know its end; record {last_seq} is the last"
                )
        elif last_seq < self._head[0]:
            self.found(
                last_seq + 1,
                Damage.CUT_OFF,
                f"record {last_seq + 1} was cut off: the log ended with record {self._head[0]}",
            )
        elif last_seq > self._head[0]:
            self.found(
                self._head[0] + 1,
                Damage.ADDED,
                f"record {self._head[0] + 1} was added by other means: the log ended with record {self._head[0]}",
            )
        elif self._sound and last_hash != self._head[1]:
            self.found(last_seq, Damage.CHANGED, f"record {last_seq} is not the one that the log ended with")
        if signatures is None:
            return VerifyReport(self._records, last_hash, tuple(self._problems), last_seq)
        return VerifyReport(
            self._records,
            last_hash,
            tuple(self._problems),
            last_seq,
            signatures.signed_up_to,
            tuple(signatures.keys),
            tuple(signatures.trusted),
        )


@dataclass
class Signatures:
    """Holds checkpoints against the records that they are about.

    Attributes:
        examination: takes up what is wrong.
        trusted: the public keys that are known to be ours; more come in where one of them names its successor.
        anchors: checkpoints that were kept elsewhere, by the number of their record.
    """

    examination: Examination
    trusted: list[str]
    anchors: Mapping[int, list[Checkpoint]] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    signed_up_to: int = 0

    def __post_init__(self) -> None:
        self._any_key = not self.trusted
        self._ended: dict[str, int] = {}  # keys that named their successor, and at which record

    def look_at(self, link: Link, checkpoints: Iterable[Checkpoint]) -> None:
        """Take a record, and what the database has signed of it."""
        for checkpoint in checkpoints:
            self._hold_against(link, checkpoint, "the database")
        for anchor in self.anchors.get(link.seq, ()):
            self._hold_against(link, anchor, "the file elsewhere")

    def _hold_against(self, link: Link, checkpoint: Checkpoint, where: str) -> None:
        if not self._counts(checkpoint, where):
            return
        if checkpoint.hash != link.hash:
            self.examination.found(
                link.seq,
                Damage.REWRITTEN,
                f"record {link.seq} is not the one that was signed: the checkpoint in {where} has another hash",
            )
            return
        self.signed_up_to = max(self.signed_up_to, link.seq)

    def _counts(self, checkpoint: Checkpoint, where: str) -> bool:
        """Whether a trusted key has signed it; takes up its successor."""
        seq, key = checkpoint.seq, checkpoint.key
        named = f"the checkpoint of record {seq} in {where}"
        if not checkpoint.is_genuine():
            self.examination.found(seq, Damage.FORGED, f"{named} is not signed by the key that it names")
            return False
        if key not in self.keys:
            self.keys.append(key)
        if not self._any_key and key not in self.trusted:
            self.examination.found(
                seq,
                Damage.FORGED,
                f"{named} is signed by {key[:16]}…, which is neither a key that is trusted nor one that such a key named",
            )
            return False
        if self._ended.get(key, seq) < seq:
            self.examination.found(
                seq, Damage.FORGED, f"{named} is signed by {key[:16]}…, a key that had been replaced before"
            )
            return False
        if checkpoint.successor:
            self._ended.setdefault(key, seq)
            if not self._any_key and checkpoint.successor not in self.trusted:
                self.trusted.append(checkpoint.successor)
        return True

    def beyond(self, last: int, checkpoints: Iterable[Checkpoint]) -> None:
        """Take what is signed of records after the last one there is."""
        elsewhere = [anchor for seq, found in self.anchors.items() if seq > last for anchor in found]
        for where, found in (("the database", list(checkpoints)), ("the file elsewhere", elsewhere)):
            genuine = [checkpoint.seq for checkpoint in found if self._counts(checkpoint, where)]
            if genuine:
                self.examination.found(
                    last + 1,
                    Damage.CUT_OFF,
                    f"record {last + 1} was cut off, or an older copy is in its place: "
                    f"{where} has a signed checkpoint of record {max(genuine)}",
                )

    def tail(self, last: int, *, settled: int) -> None:
        """Take the end: records without a signature though there was time for one.

        Args:
            last: the last record.
            settled: the last record that is old enough to have been signed.
        """
        if settled - self.signed_up_to >= LONGEST_UNSIGNED:
            self.examination.found(
                self.signed_up_to + 1,
                Damage.UNSIGNED,
                f"records {self.signed_up_to + 1} to {last} are under no signature: they were written without the key",
            )
