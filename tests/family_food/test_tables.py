"""The tables in the code are the tables that the migrations make."""

from __future__ import annotations

from sqlalchemy import Connection, UniqueConstraint, inspect

from family_food.tables import metadata
from tests.support.ordering import Table


async def test_the_migrations_make_the_tables_that_the_code_uses(table_on_each: Table) -> None:
    def shapes(connection: Connection) -> dict[str, set[str]]:
        found = inspect(connection)
        return {
            table.name: {
                *(f"{column['name']} {column['nullable']}" for column in found.get_columns(table.name)),
                *(f"unique {each['column_names']}" for each in found.get_unique_constraints(table.name)),
                *(f"to {each['referred_table']}" for each in found.get_foreign_keys(table.name)),
                *(
                    f"index {each['name']}"
                    for each in found.get_indexes(table.name)
                    if not each.get("duplicates_constraint")
                ),
            }
            for table in metadata.sorted_tables
        }

    expected = {
        table.name: {
            *(f"{column.name} {column.nullable}" for column in table.columns),
            *(
                f"unique {[column.name for column in each.columns]}"
                for each in table.constraints
                if isinstance(each, UniqueConstraint)
            ),
            *(f"to {key.column.table.name}" for key in table.foreign_keys),
            *(f"index {index.name}" for index in table.indexes),
        }
        for table in metadata.sorted_tables
    }
    async with table_on_each.food.core.database.reading() as reading:
        assert await reading.run_sync(shapes) == expected


async def test_each_revision_is_named_as_its_file_is() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    from family_food.ordering.food import MIGRATIONS

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    for revision in ScriptDirectory.from_config(config).walk_revisions():
        assert revision.path.rpartition("/")[2].startswith(f"{revision.revision}_")
