"""The core's register of requests, for functions that have a connection and wait for nothing."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sqlalchemy import Connection, CursorResult, Dialect, Executable

from permit_core.approvals.lifecycle import Event
from permit_core.approvals.register import Register
from permit_core.audit.log import AuditLog
from permit_core.database import Database, Transaction
from permit_core.identity import Actor
from permit_core.ports.request import Request
from permit_core.stores.requests import RequestStore

T = TypeVar("T")


class Requests:
    """Enters and moves requests: the row and its record, in the transaction that a connection is in.

    Args:
        database: where they are.
        audit: where each step is recorded.
    """

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self._store = RequestStore()
        self._register = Register(database, self._store, audit, _Nobody())

    def enter(self, connection: Connection, request: Request, asker: Actor) -> None:
        """Enter a new request.

        Raises:
            Conflict: ``already_pending``.
        """
        _at_once(self._register.enter(_Open(connection), request, asker))

    def move(
        self, connection: Connection, environment: str, request_id: str, event: Event, actor: Actor, **changes: Any
    ) -> None:
        """Let something happen to a request.

        Raises:
            Conflict: ``already_decided`` or ``expired``: it may not happen, or somebody was faster.
        """
        within = _Open(connection)
        _at_once(self._register.move(within, self._get(within, environment, request_id), event, actor, **changes))

    def amend(self, connection: Connection, environment: str, request_id: str, actor: Actor, **changes: Any) -> None:
        """Change fields of an undecided request.

        Raises:
            Conflict: as of :meth:`move`.
            ConstraintViolated: the same is waited for already.
        """
        within = _Open(connection)
        _at_once(self._register.amend(within, self._get(within, environment, request_id), actor, **changes))

    def _get(self, within: Transaction, environment: str, request_id: str) -> Request:
        found = _at_once(self._store.find(environment, within, request_id))
        if found is None:
            raise AssertionError("the request was just read")
        return found


class _Nobody:
    """Nobody is told: users of an element look at their lists."""

    async def request_created(self, transaction: Transaction, request: Request) -> None:
        """Tell nobody."""

    async def request_decided(self, transaction: Transaction, request: Request) -> None:
        """Tell nobody."""


class _Open:
    """The transaction that a connection is in. What is asked of it is there when it returns."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def dialect(self) -> Dialect:
        return self._connection.dialect

    async def execute(self, statement: Executable, parameters: Any = None, /) -> CursorResult[Any]:
        return self._connection.execute(statement, parameters)

    async def exec_driver_sql(self, statement: str, parameters: Any = None, /) -> CursorResult[Any]:
        return self._connection.exec_driver_sql(statement, parameters)

    async def run_sync(self, function: Callable[..., T], /, *arguments: Any) -> T:
        return function(self._connection, *arguments)


def _at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of what waits for nothing but :class:`_Open`, and so runs to its end by itself."""
    try:
        work.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    work.close()
    raise AssertionError("it waits for something else than the transaction")
