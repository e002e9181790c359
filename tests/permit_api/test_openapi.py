"""Our own OpenAPI description: it is true, whatever is sent, and it is Permit.io's."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.permit_description import OURS_ALONE, description_file, operations
from tests.support.permit_local import Environment, answer
from tests.support.uv_tool import Unavailable, bare_of_python, in_its_own_environment

pytestmark = pytest.mark.slow  # thousands of requests

SCHEMATHESIS = "schemathesis==4.32.5"


@pytest.fixture
def described(environment: Environment) -> dict[str, Any]:
    with httpx.Client(base_url=environment.url) as client:
        found: dict[str, Any] = answer(client.get("/openapi.json"))
    return found


def test_every_call_of_the_control_plane_is_one_of_permits(described: dict[str, Any]) -> None:
    file = description_file()
    if file is None:
        pytest.skip("there is no shared/data/permit-io-openapi.json beside the checkout")
    theirs = operations(json.loads(file.read_text(encoding="utf-8")))
    ours = {each for each in operations(described) if " /v2/" in each}
    assert ours - theirs == OURS_ALONE


def test_every_call_says_what_is_answered_while_the_database_is_away(described: dict[str, Any]) -> None:
    silent = [
        f"{method} {path}"
        for path, item in described["paths"].items()
        for method, operation in item.items()
        if "503" not in operation["responses"]
    ]
    assert silent == []


@pytest.mark.timeout(400)
def test_whatever_is_sent_is_answered_as_described(
    described: dict[str, Any], environment: Environment, tmp_path: Path
) -> None:
    ids = {"proj_id": environment.project_id, "env_id": environment.environment_id}
    parameters = [
        parameter
        for item in described["paths"].values()
        for operation in item.values()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path" and parameter["name"] in ids
    ]
    for parameter in parameters:  # otherwise nearly every call ends at an environment that is not there
        parameter["schema"] = {"type": "string", "enum": [ids[parameter["name"]]]}
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(described), encoding="utf-8")
    try:
        command = [
            *(*in_its_own_environment(SCHEMATHESIS), "schemathesis", "run", str(file), "--url", environment.url),
            # A key of one environment takes away neither that nor its project: nothing is lost to the other calls.
            *("--header", f"Authorization: Bearer {environment.key}", "--no-color"),
            *("--phases", "examples,fuzzing", "--max-examples", "5", "--suppress-health-check", "all"),
            *("--checks", "not_a_server_error,status_code_conformance,content_type_conformance"),
        ]
    except Unavailable as reason:
        pytest.skip(str(reason))
    done = subprocess.run(
        command, cwd=tmp_path, env=bare_of_python(), capture_output=True, text=True, timeout=360, check=False
    )
    if "No solution found" in done.stderr or "Failed to fetch" in done.stderr:
        pytest.skip(f"{SCHEMATHESIS} cannot be fetched here")
    found = done.stdout.partition("= FAILURES =")[2] or done.stdout
    assert done.returncode == 0, found[:5000] + done.stderr[-2000:]
