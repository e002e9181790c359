"""Which policy is in force in an environment, as rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select

from permit_core.database import Transaction
from permit_core.stores.tables import accepted_policies, refused_policies

_A, _R = accepted_policies.c, refused_policies.c


@dataclass(frozen=True, slots=True)
class AcceptedPolicy:
    """A policy that is, or was, in force.

    Attributes:
        number: which one of its environment, from 1.
        hash: SHA-256 of its text, in hex.
        asks: whether another one waits for an operator.
    """

    number: int
    hash: str
    asks: bool


class PolicyStore:
    """The policies that were in force, the last one still, and what was not taken since."""

    async def in_force(self, environment: str, transaction: Transaction) -> AcceptedPolicy | None:
        """The last one; None in an environment that had none yet."""
        query = select(_A.number, _A.hash, _A.asks).where(_A.environment == environment)
        row = (await transaction.execute(query.order_by(_A.number.desc()).limit(1))).one_or_none()
        return None if row is None else AcceptedPolicy(row.number, row.hash, row.asks)

    async def text(self, environment: str, transaction: Transaction, number: int) -> str:
        """The text of a policy that was in force."""
        query = select(_A.text).where(_A.environment == environment, _A.number == number)
        return str((await transaction.execute(query)).scalar_one())

    async def accept(
        self, environment: str, transaction: Transaction, policy: AcceptedPolicy, *, text: str, by: str, now: datetime
    ) -> None:
        """Put a policy in force. What was not taken before can be said again.

        Raises:
            ConstraintViolated: another process has put one of this number in force.
        """
        row = {"number": policy.number, "hash": policy.hash, "asks": policy.asks, "text": text}
        await transaction.execute(
            insert(accepted_policies).values(environment=environment, **row, accepted_by=by[:120], accepted_at=now)
        )
        await transaction.execute(delete(refused_policies).where(_R.environment == environment))

    async def refuse(
        self, environment: str, transaction: Transaction, policy_hash: str, code: str, now: datetime
    ) -> bool:
        """Note that a policy is not taken, and why; whether that is news. Writers of an environment take turns."""
        known = select(_R.code).where(_R.environment == environment, _R.hash == policy_hash, _R.code == code)
        if (await transaction.execute(known)).first() is not None:
            return False
        row = {"environment": environment, "hash": policy_hash, "code": code, "refused_at": now}
        await transaction.execute(insert(refused_policies).values(**row))
        return True
