"""Whoever has no key is told that, whatever else is wrong with the call."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from tests.support.permit_local import Environment

PUBLIC = {"/health", "/healthy", "/ready", "/openapi.json"}


def operations(client: httpx.Client) -> list[tuple[str, str]]:
    """Method and address of everything that is described."""
    paths: dict[str, dict[str, Any]] = client.get("/openapi.json").raise_for_status().json()["paths"]
    return [(method.upper(), path) for path, item in paths.items() for method in item if path not in PUBLIC]


@pytest.mark.parametrize(
    ("headers", "wanted"), [({}, {401}), ({"Authorization": "Bearer permit_key_of_nobody"}, {401, 403})]
)
def test_a_stranger_is_told_so_before_what_is_wrong_in_the_call(
    environment: Environment, headers: dict[str, str], wanted: set[int]
) -> None:
    named = {"proj_id": environment.project_id, "env_id": environment.environment_id}
    with httpx.Client(base_url=environment.url, headers=headers, trust_env=False) as client:
        found = {}
        asked = operations(client)
        for method, path in asked:
            address = re.sub(r"\{(\w+)\}", lambda name: named.get(name[1], "nothing"), path)
            for query, body in (("", {"unexpected": 1}), ("?page=first&per_page=-1", None)):
                response = client.request(method, address + query, json=body)
                if response.status_code not in wanted:
                    found[method, path] = (response.status_code, response.text[:100])
    assert len(asked) > 100
    assert found == {}


def test_whoever_may_come_in_is_told_what_is_wrong(environment: Environment) -> None:
    with environment.client as client:
        assert client.post("/allowed", json={"unexpected": 1}).status_code == 422
        assert client.post(environment.path("facts/users"), json={"unexpected": 1}).status_code == 422
        assert client.get(environment.path("facts/users"), params={"page": "first"}).status_code == 422
