"""Finding what was done to an audit log. Pure: it is shown the records one by one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from permit_core.audit.chain import GENESIS, Link

MAX_PROBLEMS = 20


class Damage(StrEnum):
    """What can have happened to a record."""

    CHANGED = "changed"
    MISSING = "missing"
    REORDERED = "reordered"
    CUT_OFF = "cut_off"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: which record, and what happened to it, in words."""

    seq: int
    damage: Damage
    text: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What an examination found.

    Attributes:
        records: how many records there are.
        head: hash of the last record there is; kept elsewhere, it dates the log.
        problems: what is wrong, in order, at most ``MAX_PROBLEMS``; empty when the log is as it was written.
    """

    records: int
    head: str
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """True when nothing was found."""
        return not self.problems


class Examination:
    """Goes along the chain.

    Args:
        head: number and hash of the last record, as the log itself remembers them; None when it has lost them.
    """

    def __init__(self, head: tuple[int, str] | None) -> None:
        self._head = head
        self._last: Link | None = None
        self._sound = True  # whether the last one is not reported already
        self._records = 0
        self._problems: list[Problem] = []

    def look_at(self, link: Link) -> None:
        """Take the next record, in the order of their numbers."""
        before = self._last
        expected_seq = 1 if before is None else before.seq + 1
        follows = link.seq == expected_seq
        if link.seq > expected_seq:
            until = f" to {link.seq - 1}" if link.seq - 1 > expected_seq else ""
            self._found(expected_seq, Damage.MISSING, f"record {expected_seq}{until} is missing")
        elif not follows:
            self._found(link.seq, Damage.ADDED, f"record {link.seq} has a number that no record is given")
        intact = link.digest() == link.hash
        if not intact:
            self._changed_or_moved(link)
        elif follows and self._sound and link.previous_hash != (before.hash if before else GENESIS):
            # This record is what it was, so the one before it is not what it was when this one was written.
            seq = max(link.seq - 1, 1)
            self._found(seq, Damage.CHANGED, f"record {seq} is not the one that record {link.seq} was written after")
        self._last, self._sound = link, intact
        self._records += 1

    def _changed_or_moved(self, link: Link) -> None:
        if len(self._problems) == MAX_PROBLEMS:
            return  # the search below goes through every number there is
        last = max(self._head[0] if self._head else 0, link.seq) + 1
        genuine = next((seq for seq in range(1, last) if link.digest(seq) == link.hash), None)
        if genuine is None:
            self._found(link.seq, Damage.CHANGED, f"record {link.seq} was changed after it was written")
        else:
            self._found(link.seq, Damage.REORDERED, f"record {link.seq} was written as record {genuine}")

    def report(self) -> VerifyReport:
        """What was found, after the last record."""
        last_seq, last_hash = (self._last.seq, self._last.hash) if self._last else (0, GENESIS)
        if self._head is None:
            self._found(last_seq + 1, Damage.CUT_OFF, f"the log does not know its end; record {last_seq} is the last")
        elif last_seq < self._head[0]:
            self._found(
                last_seq + 1,
                Damage.CUT_OFF,
                f"record {last_seq + 1} was cut off: the log ended with record {self._head[0]}",
            )
        elif last_seq > self._head[0]:
            self._found(
                self._head[0] + 1,
                Damage.ADDED,
                f"record {self._head[0] + 1} was added by other means: the log ended with record {self._head[0]}",
            )
        elif self._sound and last_hash != self._head[1]:
            self._found(last_seq, Damage.CHANGED, f"record {last_seq} is not the one that the log ended with")
        return VerifyReport(self._records, last_hash, tuple(self._problems))

    def _found(self, seq: int, damage: Damage, text: str) -> None:
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(Problem(seq, damage, text))
