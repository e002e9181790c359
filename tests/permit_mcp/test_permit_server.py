"""What PermitServer puts on a server."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from permit_core.bootstrap import Core
from permit_core.errors import ConfigurationError, PolicyFileError
from permit_core.identity import Actor
from permit_mcp import PermitServer
from permit_mcp.acting import LATER
from tests.support.core import family_settings
from tests.support.tool_servers import answer, audited, call, connect, make_mcp, refusal, refusal_of, serving, tools_of

NINE = {
    "list_resource_instances",
    "create_access_request",
    "list_access_requests",
    "approve_access_request",
    "deny_access_request",
    "create_operation_approval",
    "list_operation_approvals",
    "approve_operation_approval",
    "deny_operation_approval",
}
ABOUT_ONES_OWN = {"get_request", "wait_for_request", "withdraw_request"}
TWELVE = NINE | ABOUT_ONES_OWN


class Mine(BaseModel):
    """What a tool of the host's own answers."""

    first: int
    user: str


async def test_the_twelve_tools_are_there_on_both_kinds_of_server_in_both_eras(core: Core, kind: str, era: str) -> None:
    assert set(await tools_of(serving(core, None, kind), era)) == TWELVE


async def test_a_parent_sees_all_of_them_and_a_child_only_those_the_policy_names(
    core: Core, kind: str, era: str
) -> None:
    assert set(await tools_of(serving(core, "1", kind), era)) == TWELVE
    assert set(await tools_of(serving(core, "3", kind), era)) == ABOUT_ONES_OWN | NINE & core.model.tools_for(["child"])


async def test_a_user_the_directory_does_not_know_sees_nothing(core: Core, kind: str) -> None:
    assert await tools_of(serving(core, "99", kind)) == {}


async def test_excluded_tools_are_not_there_but_can_still_be_had(core: Core, kind: str) -> None:
    mcp = make_mcp(kind)
    permit = PermitServer(mcp, ["create_access_request", "create_operation_approval"], core=core)
    assert set(await tools_of(mcp)) == TWELVE - {"create_access_request", "create_operation_approval"}
    assert set(permit.tools) == TWELVE


async def test_a_tool_of_ones_own_takes_the_place_of_an_excluded_one(core: Core, kind: str, era: str) -> None:
    mcp = make_mcp(kind)
    permit = PermitServer(mcp, ["list_access_requests"], core=core, acting_user="1")
    built_in = permit.tools["list_access_requests"]

    async def list_access_requests(viewer: Actor, first: int = 2) -> Mine:
        """What I asked for."""
        return Mine(first=first, user=viewer.user)

    permit.add_tool(replace(built_in, function=list_access_requests))
    tool = (await tools_of(mcp, era))["list_access_requests"]
    assert (tool.title, tool.description) == (built_in.title, "What I asked for.")
    assert tool.input_schema["properties"].keys() == {"first"}
    assert await answer(mcp, "list_access_requests", {"first": 5}, era) == {"first": 5, "user": "1"}
    assert (await refusal(mcp, "list_access_requests", {"viewer": "2"}, era))["code"] == "forbidden_argument"
    assert [(record["tool"], record["outcome"]) for record in await audited(core, "tool.call")] == [
        ("list_access_requests", "ok")
    ]


async def test_excluding_a_tool_that_there_is_not_is_an_error(core: Core) -> None:
    with pytest.raises(ValueError, match="no tool create_acess_request"):
        PermitServer(make_mcp("mcp"), ["create_acess_request"], core=core)


async def test_something_that_is_no_server_is_refused(core: Core) -> None:
    with pytest.raises(TypeError, match="not dict"):
        PermitServer({}, core=core)  # type: ignore[arg-type]


async def test_an_acting_user_that_cannot_be_a_key_is_refused(core: Core) -> None:
    with pytest.raises(ConfigurationError):
        PermitServer(make_mcp("mcp"), acting_user="../../x", core=core)


async def test_a_server_made_for_somebody_to_be_named_later_serves_nobody_until_then(core: Core, kind: str) -> None:
    mcp = make_mcp(kind)
    permit = PermitServer(mcp, acting_user=LATER, core=core)
    assert await tools_of(mcp) == {}
    permit.bind("3")
    assert (await tools_of(mcp)).keys() == (await tools_of(serving(core, "3", kind))).keys()
    schemas = [tool.input_schema["properties"] for tool in (await tools_of(mcp)).values()]
    assert not any("user_id" in properties for properties in schemas)
    with pytest.raises(ConfigurationError):
        permit.bind("1")


@pytest.mark.parametrize("acting_user", [None, "3"])
async def test_for_whom_any_other_server_acts_cannot_be_changed(core: Core, acting_user: str | None) -> None:
    permit = PermitServer(make_mcp("mcp"), acting_user=acting_user, core=core)
    with pytest.raises(ConfigurationError):
        permit.bind("1")


@pytest.mark.parametrize("key", ["", "../../x"])
async def test_what_cannot_be_a_key_is_not_bound(core: Core, key: str) -> None:
    permit = PermitServer(make_mcp("mcp"), acting_user=LATER, core=core)
    with pytest.raises(ConfigurationError):
        permit.bind(key)


def test_both_ways_to_import_it_give_the_same_class() -> None:
    from src.permit_mcp.server import PermitServer as FromTheGuide

    assert FromTheGuide is PermitServer


async def test_user_id_is_in_every_schema_when_nobody_is_bound_and_in_none_when_somebody_is(
    core: Core, kind: str, era: str
) -> None:
    for tool in (await tools_of(serving(core, None, kind), era)).values():
        assert next(iter(tool.input_schema["properties"])) == "user_id"
        assert ("user_id" in tool.input_schema.get("required", [])) == (tool.name != "list_resource_instances")
    for tool in (await tools_of(serving(core, "1", kind), era)).values():
        assert "user_id" not in str(tool.input_schema)


async def test_every_tool_says_precisely_what_it_is(core: Core, kind: str) -> None:
    for tool in (await tools_of(serving(core, None, kind))).values():
        assert len(tool.description or "") > 100
        assert tool.title
        assert tool.output_schema is not None
        Draft202012Validator.check_schema(tool.input_schema)
        Draft202012Validator.check_schema(tool.output_schema)
        for parameter in tool.input_schema["properties"].values():
            assert parameter["description"]
            bounds: Any = parameter.get("anyOf", [parameter])
            for each in bounds:
                match each["type"]:
                    case "string":
                        assert "maxLength" in each or "enum" in each
                    case "integer" | "number":
                        assert {"minimum", "maximum"} <= each.keys()


async def test_the_annotations_are_true_and_deciding_tools_say_what_they_decide(core: Core, kind: str) -> None:
    for name, tool in (await tools_of(serving(core, "1", kind))).items():
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint == name.startswith(("list_", "get_", "wait_"))
        assert tool.annotations.open_world_hint is False
        decides = (tool.meta or {}).get("permit/decides")
        if not name.startswith(("approve_", "deny_")):
            assert decides is None
            continue
        verb, _, what = name.partition("_")
        assert tool.annotations.destructive_hint is True
        assert tool.annotations.idempotent_hint is True
        assert decides == {
            "kinds": ["access_request"] if what == "access_request" else ["call", "operation_approval"],
            "verb": verb,
            "id_argument": f"{what}_id",
            "comment_argument": "reviewer_comment",
        }
        assert {f"{what}_id", "reviewer_comment"} == tool.input_schema["properties"].keys()


async def test_without_a_core_one_is_opened_and_filled_on_first_use_and_closed_with_the_server(
    tmp_path: Any, kind: str
) -> None:
    mcp = make_mcp(kind)
    permit = PermitServer(mcp, settings=family_settings(tmp_path))
    assert not (tmp_path / "family.db").exists()
    assert (await answer(mcp, "list_resource_instances"))["total"] == 4
    await permit.close()
    assert (await answer(mcp, "list_resource_instances"))["total"] == 4
    await permit.close()


async def test_a_server_that_ends_has_signed_its_log_to_the_end_and_one_that_goes_on_is_left_alone(
    tmp_path: Any, kind: str
) -> None:
    mcp = make_mcp(kind)
    PermitServer(mcp, settings=family_settings(tmp_path))

    def unsigned() -> str:
        with sqlite3.connect(tmp_path / "family.db") as database:
            (last,) = database.execute("SELECT max(seq) FROM audit_records").fetchone()
            (signed,) = database.execute("SELECT max(seq) FROM audit_checkpoints").fetchone()
        return "" if last == signed else f"{last} of which {signed} are signed"

    async with connect(mcp) as first:
        async with connect(mcp) as second:
            await second.call_tool("list_resource_instances", {})
        await first.call_tool("list_resource_instances", {})
    assert unsigned() == ""


async def test_a_core_that_was_asked_for_is_left_to_whoever_asked(tmp_path: Any, kind: str) -> None:
    mcp = make_mcp(kind)
    permit = PermitServer(mcp, settings=family_settings(tmp_path))
    core = await permit.core()
    assert (await answer(mcp, "list_resource_instances"))["total"] == 4
    assert await permit.core() is core
    assert await core.audit.records("default")
    await permit.close()


async def test_a_policy_that_cannot_be_read_is_said_at_construction(tmp_path: Any, kind: str) -> None:
    with pytest.raises(PolicyFileError, match=r"none\.yaml"):
        PermitServer(make_mcp(kind), settings=family_settings(tmp_path, policy_file=str(tmp_path / "none.yaml")))


async def test_a_tool_that_breaks_tells_the_caller_nothing_of_it(
    core: Core, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(core.approvals, "list", broken)
    result = await call(serving(core, "1", kind), "list_access_requests")
    assert result.is_error
    assert "swordfish" not in str(result)
    assert refusal_of(result)["code"] == "internal_error"
