"""Opening a core."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from permit_core.access import Check, ResourceRef
from permit_core.bootstrap import Core, open_core
from permit_core.errors import ConfigurationError, PolicyFileError, StoreError
from permit_core.identity import Actor
from permit_core.ports.record import RecordFilter
from tests.support.clock import SteadyClock
from tests.support.core import TENANT, family_settings
from tests.support.processes import output_of, start_python


async def test_a_core_opened_again_remembers(core_on_each: Core, tmp_path: Path, clock: SteadyClock) -> None:
    settings = family_settings(tmp_path, core_on_each.settings.resolved_database_url)
    again = await open_core(settings, clock=clock)
    check = Check(Actor("default", TENANT, "3"), "read", ResourceRef("restaurants", "1"))
    assert await again.pdp.decide(check) == await core_on_each.pdp.decide(check)
    assert await again.audit.records("default") == await core_on_each.audit.records("default")
    assert again.clock() == clock.now
    await again.close()


async def test_a_policy_that_is_not_valid_is_refused_before_the_database_is_touched(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("version: 1\n")
    with pytest.raises(PolicyFileError):
        await open_core(family_settings(tmp_path, policy_file=str(tmp_path / "policy.yaml")))
    assert not (tmp_path / "family.db").exists()


@pytest.mark.parametrize("migrate", [True, False])
async def test_an_unreachable_database_is_a_store_error(tmp_path: Path, migrate: bool) -> None:
    with pytest.raises(StoreError):
        await open_core(family_settings(tmp_path, "postgresql+asyncpg://joe@127.0.0.1:1/x"), migrate=migrate)


async def test_a_database_of_another_kind_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        await open_core(family_settings(tmp_path).model_copy(update={"database_url": SecretStr("mysql://127.0.0.1/x")}))


async def test_a_database_without_tables_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="start the server once"):
        await open_core(family_settings(tmp_path), migrate=False)


async def test_a_process_that_need_not_migrate_does_not_load_what_migrates(core: Core) -> None:
    body = """
        import json
        from pathlib import Path
        from permit_core.access import Check, ResourceRef
        from permit_core.bootstrap import open_core
        from permit_core.identity import Actor
        from tests.support.core import family_settings
        core = await open_core(family_settings(Path("."), sys.argv[1]), migrate=False)
        decision = await core.pdp.decide(Check(Actor("default", "default", "3"), "read", ResourceRef("restaurants", "1")))
        await core.close()
        print(json.dumps([decision.effect, sorted({"alembic", "asyncpg", "mako"} & set(sys.modules))]))
    """
    output = output_of(start_python(body, core.settings.resolved_database_url))
    assert json.loads(output[0]) == ["allow", []]


async def test_several_processes_that_start_on_nothing_end_with_the_same_facts_once(
    database_url: str, tmp_path: Path
) -> None:
    body = """
        from pathlib import Path
        from tests.support.core import make_core
        sys.stdin.readline()
        core = await make_core(Path("."), database_url=sys.argv[1])
        await core.close()
    """
    processes = [start_python(body, database_url) for _ in range(3)]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    assert output_of(*processes) == [""] * 3
    core = await open_core(family_settings(tmp_path, database_url), migrate=False)
    assert len(await core.audit.records("default", RecordFilter(event="directory.seeded"))) == 1
    assert (await core.audit.verify("default")).ok
    await core.close()


async def test_permit_io_is_not_used_for_a_policy_that_asks_for_arguments_of_a_call(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "version: 2\nname: Calls\nresources: {files: {actions: [read]}}\n"
        "tools: {read_file: {action: read, resource: files, arguments: {pages: number}}}\n"
        "resource_sets: {few: {resource: files, conditions: {call.pages: {less-than: 5}}}}\n...\n"
    )
    settings = family_settings(tmp_path, permit_api_key="permit_key_x", policy_file=str(policy))

    with pytest.raises(
        ConfigurationError, match=r"POLICY_FILE: few asks for arguments of a call, which Permit.io does not know"
    ):
        await open_core(settings)
