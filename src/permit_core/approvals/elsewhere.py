"""Another place that has requests as well: it observes the register, and what happened there comes in by the register.

The services know nothing of such a place. The register tells it of each step within the step's transaction: what it refuses
does not happen here either. What can wait it writes down in that transaction, and does later.
"""

from __future__ import annotations

from typing import Any, Protocol

from permit_core.approvals.lifecycle import Event
from permit_core.database import Transaction
from permit_core.errors import Conflict
from permit_core.identity import Actor
from permit_core.ports.request import Kinds, Request
from permit_core.stores.requests import Subject


class DecidedElsewhere(Conflict):
    """The other place says that the request is decided, which was not known here."""

    default_code = "already_decided"


class Follower(Protocol):
    """What an observer brings in by: the register, which does not tell it of these steps again."""

    async def adopt(self, transaction: Transaction, request: Request) -> None:
        """Enter a request that was made elsewhere."""
        ...

    async def follow(
        self, transaction: Transaction, request: Request, event: Event, actor: Actor, **changes: Any
    ) -> Request:
        """Let here what has happened elsewhere already."""
        ...

    async def expire(self, transaction: Transaction, request: Request) -> Request:
        """Move a request that is over elsewhere to where it belongs, as if its time were over."""
        ...


class Elsewhere(Protocol):
    """A place that has requests as well."""

    async def entered(self, transaction: Transaction, request: Request) -> None:
        """A request was entered here.

        Raises:
            UserFacing: it is not taken there, so it is not entered here.
        """
        ...

    async def moved(
        self, transaction: Transaction, before: Request, after: Request, event: Event, actor: Actor
    ) -> None:
        """Something happened to a request here.

        Raises:
            DecidedElsewhere: it is decided there, and not like this.
            UserFacing: it is not taken there, so it does not happen here.
        """
        ...

    async def before_one(self, register: Follower, request_id: str) -> None:
        """Bring in what happened to one request; asked before it is looked at or decided."""
        ...

    async def before_asking(self, register: Follower, asker: Actor, subject: Subject) -> None:
        """Bring in what happened to what somebody asked about a subject before; asked before they ask again."""
        ...

    async def before_list(self, register: Follower, viewer: Actor, kind: Kinds) -> None:
        """Bring in what happened to what a list could show."""
        ...

    async def before_use(
        self, register: Follower, user: Actor, subject: Subject, transaction: Transaction | None
    ) -> bool:
        """Bring in what was decided of what a user asked about a subject.

        Args:
            register: by which it comes in.
            user: whose approval is about to be used.
            subject: what for.
            transaction: the one in which it will be used; None where it is only looked at, in a transaction of its own.

        Returns:
            Whether anything came in.
        """
        ...

    async def still_stands(self, request: Request) -> bool:
        """Whether an approval counts there still."""
        ...

    async def follow_up(self) -> None:
        """Do there what is still to be done; what cannot be done now stays to be done."""
        ...


class Nowhere:
    """Requests are kept here alone."""

    async def entered(self, transaction: Transaction, request: Request) -> None:
        """Nobody else is told."""

    async def moved(
        self, transaction: Transaction, before: Request, after: Request, event: Event, actor: Actor
    ) -> None:
        """Nobody else is told."""

    async def before_one(self, register: Follower, request_id: str) -> None:
        """Nothing can have happened elsewhere."""

    async def before_asking(self, register: Follower, asker: Actor, subject: Subject) -> None:
        """Nothing can have happened elsewhere."""

    async def before_list(self, register: Follower, viewer: Actor, kind: Kinds) -> None:
        """Nothing can have happened elsewhere."""

    async def before_use(
        self, register: Follower, user: Actor, subject: Subject, transaction: Transaction | None
    ) -> bool:
        """Nothing can have happened elsewhere."""
        return False

    async def still_stands(self, request: Request) -> bool:
        """What counts here counts."""
        return True

    async def follow_up(self) -> None:
        """Nothing is to be done elsewhere."""
