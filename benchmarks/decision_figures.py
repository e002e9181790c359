"""The figures of the decisions benchmark: how long one thing takes in a small and in a large company."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from benchmarks.figures import percentile

SMALL, LARGE = 100, 10_000
"""Users of the two companies that are compared."""

AT_MOST_RATIO = 1.5
"""By how much a large company may be slower than a small one and still count as unchanged.

A decision does the same work in both, but the facts of the small one fit into the processor's caches.
"""


@dataclass(frozen=True)
class Timing:
    """How long something took, each time.

    Attributes:
        of: the part of the benchmark it belongs to.
        what: in words.
        people: users of the company.
        nanoseconds: each time it was done.
        at_most: the target for the median, in microseconds; None when there is none.
    """

    of: str
    what: str
    people: int
    nanoseconds: Sequence[int]
    at_most: float | None = None

    @property
    def p50(self) -> float:
        """The median, in microseconds."""
        return percentile(self.nanoseconds, 0.5) / 1000

    @property
    def p99(self) -> float:
        """What one in a hundred exceeds, in microseconds."""
        return percentile(self.nanoseconds, 0.99) / 1000

    @property
    def missed(self) -> bool:
        """Whether a target was set, and not reached."""
        return self.at_most is not None and self.p50 > self.at_most


def quietest(timings: Iterable[Timing]) -> list[Timing]:
    """One timing for each thing that was measured: of the round in which the machine had least else to do."""
    found: dict[tuple[str, str, int], Timing] = {}
    for each in timings:
        key = (each.of, each.what, each.people)
        if key not in found or each.p50 < found[key].p50:
            found[key] = each
    return list(found.values())


def grown(small: Timing, large: Timing) -> bool:
    """Whether a large company is noticeably slower than a small one, where there is a target."""
    return small.at_most is not None and large.p50 > small.p50 * AT_MOST_RATIO


def misses(timings: Iterable[Timing]) -> list[str]:
    """Every target that was missed, in words."""
    found = []
    for (of, what), by_people in _rows(timings).items():
        found += [f"{of}: {what}, {each.people:,} users" for each in by_people.values() if each.missed]
        if _both(by_people) and grown(by_people[SMALL], by_people[LARGE]):
            found.append(f"{of}: {what}, grows with the number of users")
    return found


def show(timings: Iterable[Timing], console: Console) -> None:
    """One row for each thing that was measured, a small company beside a large one."""
    table = Table("part", "what", title="Decisions, microseconds", title_justify="left")
    for people in (SMALL, LARGE):
        table.add_column(f"{people:,} users\np50", justify="right")
        table.add_column("\np99", justify="right")
    table.add_column("target\np50", justify="right")
    table.add_column("ratio", justify="right")
    table.add_column("")
    before = ""
    for (of, what), by_people in _rows(timings).items():
        if before and of != before:
            table.add_section()
        cells = [cell for people in (SMALL, LARGE) for cell in _cells(by_people.get(people))]
        table.add_row(of if of != before else "", what, *cells, *_verdict(by_people))
        before = of
    console.print(table)


def _rows(timings: Iterable[Timing]) -> dict[tuple[str, str], dict[int, Timing]]:
    found: dict[tuple[str, str], dict[int, Timing]] = {}
    for each in timings:
        found.setdefault((each.of, each.what), {})[each.people] = each
    order = list(dict.fromkeys(of for of, _ in found))
    return dict(sorted(found.items(), key=lambda row: order.index(row[0][0])))


def _both(by_people: dict[int, Timing]) -> bool:
    return {SMALL, LARGE} <= by_people.keys()


def _cells(found: Timing | None) -> tuple[str, str]:
    return ("-", "-") if found is None else (f"{found.p50:.1f}", f"{found.p99:.1f}")


def _verdict(by_people: dict[int, Timing]) -> tuple[str, str, str]:
    target = next((each.at_most for each in by_people.values() if each.at_most is not None), None)
    ratio = f"{by_people[LARGE].p50 / by_people[SMALL].p50:.2f}" if _both(by_people) else ""
    if target is None:
        return "", ratio, ""
    missed = any(each.missed for each in by_people.values())
    missed = missed or (_both(by_people) and grown(by_people[SMALL], by_people[LARGE]))
    return f"<= {target:.0f}", ratio, "missed" if missed else "met"
