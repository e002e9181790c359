"""What was used up of each quota in each of its periods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from sqlalchemy import delete, insert, select, update

from permit_core.database import Transaction
from permit_core.policy.judgement import QuotaWindow, Spending
from permit_core.stores.tables import quota_spendings

_T = quota_spendings.c


class QuotaStore:
    """Sums as rows, exact: ten times 0.1 is 1. Writers of an environment take turns, so reading and adding is one step."""

    async def spent(
        self, environment: str, transaction: Transaction, windows: Sequence[QuotaWindow]
    ) -> Mapping[QuotaWindow, Fraction]:
        """What was used up in each of the windows; only those in which something was."""
        found = {}
        for window in windows:
            query = select(_T.amount).where(
                _T.environment == environment, _T.quota == window.key, _T.starts_at == window.starts
            )
            amount = (await transaction.execute(query)).scalar_one_or_none()
            if amount is not None:
                found[window] = Fraction(amount)
        return found

    async def give_back(self, environment: str, transaction: Transaction, spendings: Iterable[Spending]) -> None:
        """Take off what was used up by a call that is certain not to have run; of a period that is forgotten, nothing."""
        for spending in spendings:
            window = spending.window
            before = (await self.spent(environment, transaction, [window])).get(window, Fraction(0))
            which = (_T.environment == environment, _T.quota == window.key, _T.starts_at == window.starts)
            left = str(max(before - Fraction(str(spending.amount)), Fraction(0)))
            await transaction.execute(update(quota_spendings).where(*which).values(amount=left))

    async def spend(self, environment: str, transaction: Transaction, spendings: Iterable[Spending]) -> None:
        """Add what is used up. Older periods of the same quota are forgotten."""
        for spending in spendings:
            window = spending.window
            which = (_T.environment == environment, _T.quota == window.key)
            before = await self.spent(environment, transaction, [window])
            total = str(before.get(window, Fraction(0)) + Fraction(str(spending.amount)))
            if window in before:
                await transaction.execute(
                    update(quota_spendings).where(*which, _T.starts_at == window.starts).values(amount=total)
                )
                continue
            await transaction.execute(delete(quota_spendings).where(*which, _T.starts_at < window.starts))
            row = {"environment": environment, "quota": window.key, "starts_at": window.starts, "amount": total}
            await transaction.execute(insert(quota_spendings).values(**row))
