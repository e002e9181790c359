"""Alembic runs this file; how migrations are run is in ``permit_core.stores.migrate``."""

from permit_core.stores.migrate import run_migrations

run_migrations()
