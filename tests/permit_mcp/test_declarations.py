"""What is declared, where, and what is said when it does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest

from permit_core.errors import ConfigurationError, StoreError
from permit_mcp import PermitServer
from tests.permit_mcp.test_guard import FACTS, POLICY, asking
from tests.support.tool_servers import call, make_mcp, refusal, text_of, tools_of

TOOLS = """\
tools:
  delete_file: {action: delete, resource: "files:{name}"}
  list_files: open
"""


def server(folder: Path, kind: str, more: str = "", user: str | None = "bob") -> tuple[Any, PermitServer]:
    (folder / "policy.yaml").write_text(f"{POLICY}{more}...\n")
    (folder / "facts.yaml").write_text(FACTS)
    mcp = make_mcp(kind)
    return mcp, PermitServer(mcp, acting_user=user, policy=folder / "policy.yaml", facts=folder / "facts.yaml")


async def delete_file(name: str) -> str:
    return f"deleted {name}"


async def list_files() -> str:
    return "none"


async def count(amount: int = 5, *, name: str = "x") -> str:
    return f"{amount} {name}"


async def test_the_policy_declares_as_well_as_code_does(files: Path, kind: str, era: str) -> None:
    mcp, permit = server(files, kind, TOOLS)
    mcp.tool()(delete_file)
    mcp.tool()(list_files)
    async with asking(permit):
        assert {"delete_file", "list_files"} <= (await tools_of(mcp, era)).keys()
        assert text_of(await call(mcp, "delete_file", {"name": "../x"}, era)) == "deleted ../x"
        assert text_of(await call(mcp, "list_files", {}, era)) == "none"


async def test_what_nobody_declared_does_not_run_and_the_line_to_add_is_said_at_the_start(
    files: Path, kind: str, era: str, caplog: pytest.LogCaptureFixture
) -> None:
    mcp, permit = server(files, kind)
    mcp.tool()(delete_file)
    async with asking(permit):
        await permit.start()
        assert "delete_file is not declared" in caplog.text
        assert "tools: {delete_file: open}" in caplog.text
        assert "delete_file" not in await tools_of(mcp, era)
        refused = await refusal(mcp, "delete_file", {"name": "a"}, era)
        assert refused["code"] == "not_declared"
        assert "tools: {delete_file: open}" in refused["hint"]


async def test_the_guides_snippet_starts_and_an_unbound_server_lists_what_is_not_declared_as_such(
    files: Path, kind: str, era: str
) -> None:
    mcp, permit = server(files, kind, user=None)

    @mcp.tool()  # type: ignore[untyped-decorator]
    async def list_dishes(user_id: str, restaurant_id: str) -> list[str]:
        """List the menu."""
        return []

    async with asking(permit):
        listed = (await tools_of(mcp, era))["list_dishes"]
        assert "not declared" in str(listed.description)
        assert str(listed.description).endswith("List the menu.")
        wish = {"user_id": "bob", "restaurant_id": "1"}
        assert (await refusal(mcp, "list_dishes", wish, era))["code"] == "not_declared"


async def test_unbound_a_guarded_tool_acts_for_whom_the_call_names_and_for_nobody_else(
    files: Path, kind: str, era: str
) -> None:
    mcp, permit = server(files, kind, user=None)

    @mcp.tool()  # type: ignore[untyped-decorator]
    @permit.guard("delete", "files:{name}")
    async def erase(user_id: str, name: str) -> str:
        return f"{user_id} deleted {name}"

    @mcp.tool()  # type: ignore[untyped-decorator]
    @permit.guard("delete", "files:{name}")
    async def wipe(name: str) -> str:
        return name

    async with asking(permit):
        assert text_of(await call(mcp, "erase", {"user_id": "bob", "name": "a"}, era)) == "bob deleted a"
        assert (await refusal(mcp, "erase", {"user_id": "ann", "name": "a"}, era))["code"] == "access_denied"
        assert (await refusal(mcp, "erase", {"user_id": "ghost", "name": "a"}, era))["code"] == "no_such_user"
        assert (await refusal(mcp, "wipe", {"name": "a"}, era))["code"] == "no_such_user"


@pytest.mark.parametrize("above", [True, False])
async def test_declared_twice_and_alike_is_fine_and_differently_does_not_start(
    files: Path, kind: str, above: bool
) -> None:
    mcp, permit = server(files, kind, TOOLS)
    alike = permit.guard("delete", "files:{name}")
    _ = alike(mcp.tool()(delete_file)) if above else mcp.tool()(alike(delete_file))
    mcp.tool()(list_files)
    async with asking(permit):
        await permit.start()
    mcp, permit = server(files, kind, TOOLS)
    mcp.tool()(permit.guard("read", "files:{name}")(delete_file))
    async with asking(permit):
        with pytest.raises(
            ConfigurationError, match=r"tools\.delete_file: action is 'delete' in the policy and 'read'"
        ):
            await permit.start()
        with pytest.raises(BaseException):  # noqa: B017, PT011 - whatever a client makes of a server that does not start
            await tools_of(mcp)


@pytest.mark.parametrize(
    ("action", "resource", "rule", "said"),
    [
        ("erase", "files:{name}", {}, "erase"),
        ("delete", "planes:{name}", {}, "planes"),
        ("delete", "files:{path}", {}, r"path"),
        ("delete", "files:{name}", {"arguments": {"name": "number"}}, "the tool takes string"),
        ("delete", "files:{name}", {"arguments": {"name": "string", "title": "string"}}, "no argument 'title'"),
        ("delete", "files:{name}", {"never": {"call.amount": {"greater-than": 1}}}, "amount"),
    ],
)
async def test_what_fits_neither_policy_nor_tool_does_not_start(
    files: Path, kind: str, action: str, resource: str, rule: dict[str, Any], said: str
) -> None:
    mcp, permit = server(files, kind)
    mcp.tool()(permit.guard(action, resource, **rule)(delete_file))
    async with asking(permit):
        with pytest.raises(ConfigurationError, match=said):
            await permit.start()


async def test_what_is_no_declaration_is_said_where_it_is_written(files: Path) -> None:
    _, permit = server(files, "mcp")
    with pytest.raises(ConfigurationError, match="confirm"):
        permit.guard("delete", "files:{name}", confirm={"when": "sometimes"})
    with pytest.raises(ConfigurationError, match="wrong"):
        permit.open(nonsense=True)


async def test_a_guard_on_what_is_no_tool_and_two_guards_on_one_do_not_start(files: Path, kind: str) -> None:
    mcp, permit = server(files, kind)
    permit.guard("delete", "files:{name}")(delete_file)
    async with asking(permit):
        with pytest.raises(ConfigurationError, match="no tool, resource or prompt is made of it"):
            await permit.start()
    mcp, permit = server(files, kind)
    mcp.tool()(permit.open(permit.guard("delete", "files:{name}")(delete_file)))
    async with asking(permit):
        with pytest.raises(ConfigurationError, match="declared twice in code"):
            await permit.start()


async def test_conditions_see_the_arguments_that_the_tool_really_gets(files: Path, kind: str, era: str) -> None:
    mcp, permit = server(files, kind)
    never = {"call.amount": {"greater-than": 4}}
    mcp.tool()(permit.guard("delete", "files:{name}", never=never)(count))
    async with asking(permit):
        assert (await refusal(mcp, "count", {}, era))["code"] == "never"
        assert text_of(await call(mcp, "count", {"amount": 4}, era)) == "4 x"
        assert (await refusal(mcp, "count", {"amount": "5"}, era))["code"] == "never"
        assert (await refusal(mcp, "count", {"amount": "many"}, era))["code"] == "invalid_arguments"


async def test_a_function_can_find_what_a_call_acts_on(files: Path, kind: str, era: str) -> None:
    seen: list[Any] = []

    def find(arguments: Any) -> str:
        seen.append(dict(arguments))
        return f"files:{arguments['name']}"

    mcp, permit = server(files, kind)
    mcp.tool()(permit.guard("delete", find)(count))
    async with asking(permit):
        assert text_of(await call(mcp, "count", {"name": "a:b/c"}, era)) == "5 a:b/c"
    assert seen[0] == {"amount": 5, "name": "a:b/c"}


async def test_a_quota_is_counted_and_says_when_again(files: Path, kind: str, era: str) -> None:
    mcp, permit = server(files, kind)
    mcp.tool()(permit.guard("delete", "files:{name}", quota={"most": 10, "per": "1 day", "sum": "call.amount"})(count))
    async with asking(permit):
        assert text_of(await call(mcp, "count", {"amount": 7}, era)) == "7 x"
        refused = await refusal(mcp, "count", {"amount": 4}, era)
        assert refused["code"] == "quota_exceeded"
        assert "retry_at" in refused
        assert text_of(await call(mcp, "count", {"amount": 3}, era)) == "3 x"
        assert (await refusal(mcp, "count", {"amount": 1}, era))["code"] == "quota_exceeded"


async def test_a_quota_is_given_back_by_a_call_that_is_certain_not_to_have_run(
    files: Path, monkeypatch: pytest.MonkeyPatch, kind: str, era: str
) -> None:
    mcp, permit = server(files, kind)
    once = {"most": 5, "per": "1 day", "sum": "call.amount"}
    mcp.tool()(permit.guard("delete", "files:{name}", quota=once, reads=["untrusted"])(count))
    async with asking(permit) as core:
        with monkeypatch.context() as broken:
            broken.setattr(core.labels, "taint", AsyncMock(side_effect=StoreError("the disk is full")))
            assert (await refusal(mcp, "count", {"amount": 5}, era))["code"] == "store_unavailable"
        assert text_of(await call(mcp, "count", {"amount": 5}, era)) == "5 x"
        assert (await refusal(mcp, "count", {"amount": 1}, era))["code"] == "quota_exceeded"


async def test_a_session_that_read_untrusted_text_asks_before_it_writes(files: Path, kind: str, era: str) -> None:
    mcp, permit = server(files, kind)
    mcp.tool()(permit.open(reads=["untrusted"], read_only=True)(list_files))
    mcp.tool()(permit.guard("delete", "files:{name}", confirm={"when": "tainted", "by": "self"})(delete_file))
    async with asking(permit):
        assert text_of(await call(mcp, "delete_file", {"name": "a"}, era)) == "deleted a"
        await call(mcp, "list_files", {}, era)
        assert (await refusal(mcp, "delete_file", {"name": "a"}, era))["code"] == "approval_pending"


async def test_check_within_a_tool_answers_for_whoever_acts_and_is_on_record(files: Path, kind: str, era: str) -> None:
    mcp, permit = server(files, kind, user="ann")

    @mcp.tool()  # type: ignore[untyped-decorator]
    @permit.open
    async def look() -> list[str]:
        """What may be done."""
        return [(await permit.check(action, "files:x", size=3)).effect.value for action in ("read", "delete")]

    async with asking(permit) as core:
        assert text_of(await call(mcp, "look", {}, era)) in {"allowdeny", '["allow","deny"]'}
        record = next(record for record in await core.audit.records(core.environment) if record.event == "tool.call")
        assert [(each["action"], each["effect"]) for each in record.body["decisions"]][-1] == ("delete", "deny")


async def test_the_host_can_write_the_text_of_answers_and_refusals(files: Path, kind: str, era: str) -> None:
    (files / "policy.yaml").write_text(f"{POLICY}...\n")
    (files / "facts.yaml").write_text(FACTS)
    mcp = make_mcp(kind)
    permit = PermitServer(
        mcp,
        acting_user="bob",
        policy=files / "policy.yaml",
        facts=files / "facts.yaml",
        present=lambda tool, body: f"<{tool} {body.get('code') or sorted(body)}>",
    )
    mcp.tool()(permit.open(list_files))
    mcp.tool()(delete_file)
    async with asking(permit):
        answered = await call(mcp, "list_files", {}, era)
        assert text_of(answered) == "<list_files ['result']>"
        assert answered.structured_content == {"result": "none"}
        refused = await call(mcp, "delete_file", {"name": "a"}, era)
        assert text_of(refused) == "<delete_file not_declared>"
        assert (refused.meta or {})["permit/refusal"]["code"] == "not_declared"


async def test_the_record_masks_a_secret_but_never_what_was_acted_on(files: Path) -> None:
    mcp, permit = server(files, "mcp")

    async def rotate(token: str, password: str) -> str:
        return token

    mcp.tool()(permit.guard("delete", "files:{token}")(rotate))
    async with asking(permit) as core:
        await call(mcp, "rotate", {"token": "deploy", "password": "swordfish"})
        records = await core.audit.records(core.environment)
        [body] = [record.body for record in records if record.event == "tool.call"]
        assert body["arguments"] == {"token": "deploy", "password": "[redacted]"}
