"""Comparing the log with what it is evidence of: requests, roles that were given, and policies that came into force.

A product that stores more brings a comparison of its own: an entry point of the group ``permit_mcp.audit_comparisons``
names a function that takes nothing and answers a :class:`permit_core.ports.audit.Comparison`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from sqlalchemy import Table, inspect, select, tuple_

from permit_core.access import ResourceRef
from permit_core.database import Transaction
from permit_core.errors import ConfigurationError
from permit_core.ports.audit import Comparison, Discrepancy
from permit_core.ports.record import AuditRecord
from permit_core.ports.request import RequestStatus
from permit_core.stores.tables import accepted_policies, requests, role_assignments

ENTRY_POINTS = "permit_mcp.audit_comparisons"
BATCH = 500

ALL_ROLES = "all"
"""What a record has under ``roles_taken`` when nothing is left of an environment's roles; else it lists them."""

_SAME = ("kind", "role", "operation", "tool", "digest", "definition", "agent", "decided_by")
"""Fields of a request that records and rows have under one name."""

_STATUSES = {status.value for status in RequestStatus}


def comparisons(*, grants_are_ours: bool) -> list[Comparison]:
    """One of each kind, those of installed packages included.

    Args:
        grants_are_ours: False where another service keeps the roles, so that there is nothing here to compare with.

    Raises:
        ConfigurationError: an installed package's comparison cannot be loaded. Left out it would look like agreement.
    """
    found: list[Comparison] = [RequestComparison(), PolicyComparison()]
    if grants_are_ours:
        found.append(GrantComparison())
    for point in entry_points(group=ENTRY_POINTS):
        try:
            found.append(point.load()())
        except Exception as error:
            raise ConfigurationError(f"the comparison {point.value} cannot be loaded: {error}") from error
    return found


@dataclass(slots=True)
class Told:
    """What the log tells of a thing: its fields, and the last record that says so."""

    fields: dict[str, str]
    seq: int


def told_differently(subject: str, told: Told | None, stored: Mapping[str, Any] | None) -> Iterator[Discrepancy]:
    """How a thing in the log and the same thing in the database differ; None where it is not there.

    Only fields that both have are compared.
    """
    if told is None:
        yield Discrepancy(subject, "is in the database, and no record tells of it")
    elif stored is None:
        yield Discrepancy(subject, f"is not in the database, and record {told.seq} tells of it", told.seq)
    else:
        for name, value in told.fields.items():
            if name in stored and (found := "" if stored[name] is None else str(stored[name])) != value:
                yield Discrepancy(
                    subject, f"{name} is {found!r} in the database, and {value!r} in record {told.seq}", told.seq
                )


class RequestComparison:
    """Requests: who asked for what, where each stands, and who decided it."""

    def __init__(self) -> None:
        self._told: dict[str, Told] = {}

    def see(self, record: AuditRecord) -> None:
        """Take the next record."""
        family, _, event = record.event.partition(".")
        identity = record.body.get("request")
        if family != "request" or not isinstance(identity, str):
            return
        told = self._told.setdefault(identity, Told({}, record.seq))
        told.seq = record.seq
        told.fields["tenant"] = record.tenant
        for name in ("user", "resource", *_SAME):
            if record.body.get(name) is not None:
                told.fields[name] = str(record.body[name])
        status = record.body.get("status", "pending" if event == "created" else event)
        if status in _STATUSES:
            told.fields["status"] = str(status)

    async def differences(self, reading: Transaction, environment: str) -> list[Discrepancy]:
        """After the last record: what stands in the database otherwise, or in one of the two only."""
        found: list[Discrepancy] = []
        unseen = dict(self._told)
        async for row in rows_of(reading, requests, environment):
            stored = {
                **{name: row[name] for name in ("kind", "tenant", "role", "operation", "status", "decided_by")},
                "user": row["user_key"],
                "resource": str(ResourceRef(row["resource_type"], row["resource_key"] or None)),
            }
            found += told_differently(f"request {row['id']}", unseen.pop(row["id"], None), stored)
        for identity, told in unseen.items():
            found += told_differently(f"request {identity}", told, None)
        return found


class GrantComparison:
    """Roles that users hold."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str, str, str], int] = {}

    def see(self, record: AuditRecord) -> None:
        """Take the next record: one that gives or takes a role, or one that does so for those it lists."""
        body = record.body
        match record.event:
            case "role.assigned":
                self._give(record, body)
            case "role.unassigned":
                self._take(record, body)
            case "tenant.removed":
                self._told = {grant: seq for grant, seq in self._told.items() if grant[2] != record.tenant}
            case event:
                change = self._take if event.endswith(".removed") else self._give
                for listed in body.get("roles", ()):
                    if isinstance(listed, Mapping):
                        change(record, listed)
                taken = body.get("roles_taken", ())
                if taken == ALL_ROLES:
                    self._told.clear()
                elif isinstance(taken, list):
                    for listed in taken:
                        self._take(record, listed)

    def _give(self, record: AuditRecord, role: Mapping[str, Any]) -> None:
        self._told[_grant(record, role)] = record.seq

    def _take(self, record: AuditRecord, role: Mapping[str, Any]) -> None:
        self._told.pop(_grant(record, role), None)

    async def differences(self, reading: Transaction, environment: str) -> list[Discrepancy]:
        """After the last record: what stands in the database otherwise, or in one of the two only."""
        found: list[Discrepancy] = []
        unseen = dict(self._told)
        async for row in rows_of(reading, role_assignments, environment):
            instance = f"{row['resource_type']}:{row['resource_key']}" if row["resource_type"] else ""
            grant = (row["user_key"], row["role"], row["tenant"], instance)
            seq = unseen.pop(grant, None)
            found += told_differently(_named(grant), None if seq is None else Told({}, seq), {})
        for grant, seq in unseen.items():
            found += told_differently(_named(grant), Told({}, seq), None)
        return found


class PolicyComparison:
    """Policies that came into force in the place of others."""

    def __init__(self) -> None:
        self._told: dict[int, Told] = {}

    def see(self, record: AuditRecord) -> None:
        """Take the next record."""
        number = record.body.get("number")
        if record.event == "policy.changed" and isinstance(number, int):
            self._told[number] = Told({"hash": str(record.body.get("after")), "accepted_by": record.user}, record.seq)

    async def differences(self, reading: Transaction, environment: str) -> list[Discrepancy]:
        """After the last record: what stands in the database otherwise, or in one of the two only."""
        found: list[Discrepancy] = []
        unseen = dict(self._told)
        async for row in rows_of(reading, accepted_policies, environment):
            if row["number"] > 1:  # the first took nobody's place
                found += told_differently(f"policy {row['number']}", unseen.pop(row["number"], None), row)
        for number, told in unseen.items():
            found += told_differently(f"policy {number}", told, None)
        return found


def _grant(record: AuditRecord, role: Mapping[str, Any]) -> tuple[str, str, str, str]:
    tenant = str(role.get("tenant", record.tenant))
    return str(role.get("user")), str(role.get("role")), tenant, str(role.get("instance", ""))


def _named(grant: tuple[str, str, str, str]) -> str:
    user, role, tenant, instance = grant
    return f"role {role} of user {user} on {instance or f'tenant {tenant}'}"


async def rows_of(reading: Transaction, table: Table, environment: str) -> AsyncIterator[Mapping[str, Any]]:
    """The rows of an environment, a batch in memory at a time; none where the product has never been started."""
    if not await reading.run_sync(lambda connection: inspect(connection).has_table(table.name)):
        return
    key = [column for column in table.primary_key.columns if column.name != "environment"]
    last = None
    while True:
        query = select(table).order_by(*key).limit(BATCH)
        if "environment" in table.c:
            query = query.where(table.c.environment == environment)
        found = (
            (await reading.execute(query if last is None else query.where(tuple_(*key) > tuple_(*last))))
            .mappings()
            .all()
        )
        for row in found:
            yield dict(row)
        if len(found) < BATCH:
            return
        last = [found[-1][column.name] for column in key]
