"""The food ordering, assembled: the core, the menu and the order desk over one database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from family_food.ordering.menu import Menu
from family_food.ordering.orders import OrderDesk
from family_food.tables import metadata
from permit_core.bootstrap import Core, open_core
from permit_core.clock import Clock, utc_now
from permit_core.settings import Settings

MIGRATIONS = Path(__file__).parents[1] / "migrations"
VERSION_TABLE = "family_food_version"


@dataclass(frozen=True)
class Food:
    """Everything needed to take orders. Made by :func:`open_food`; to be closed."""

    core: Core
    menu: Menu
    orders: OrderDesk

    @classmethod
    def over(cls, core: Core) -> Food:
        """The food ordering over a core."""
        menu = Menu(core)
        return cls(core, menu, OrderDesk(core, menu))

    async def close(self) -> None:
        """Close every connection."""
        await self.core.close()


async def open_food(settings: Settings, *, migrate: bool = True, clock: Clock = utc_now) -> Food:
    """Open the food ordering over the database and the policy that the settings name.

    Args:
        settings: which database, which policy.
        migrate: bring both schemas up to date first, the core's and this package's.
        clock: the present moment, in UTC.

    Raises:
        PolicyFileError: the policy is not valid.
        ConfigurationError: the database URL cannot be used, or a newer version of the program made the database.
        StoreError: the database is unreachable, or not ready although ``migrate`` is False.
    """
    core = await open_core(settings, migrate=migrate, clock=clock)
    try:
        if migrate:
            from permit_core.stores.migrate import migrate as bring_up_to_date  # brings Alembic, slow to import

            await bring_up_to_date(core.database, MIGRATIONS, VERSION_TABLE, metadata)
    except BaseException:
        await core.close()
        raise
    return Food.over(core)
