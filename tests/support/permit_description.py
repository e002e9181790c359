"""Permit.io's own description of its API, where a copy is beside the checkout: are our answers what it says?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

PROJECT = Path(__file__).resolve().parents[2]
NAME = "urn:permit-io-openapi"
# Ours only: nothing describes it, or not what is sent there.
NOT_DESCRIBED = re.compile(
    r"/(allowed|user-permissions|user-tenants|authorized_users|local|facts|health|ready|v2/auth)\b|/v2/.*/parents/"
)

_ROLES = ("roles", "resources/{}/roles")
OURS_ALONE = {  # the description leaves them out, SDKs call them
    "POST /v2/auth/elements_login_as",
    *(f"{method} /v2/schema/{{}}/{{}}/{roles}/{{}}/parents/{{}}" for method in ("PUT", "DELETE") for roles in _ROLES),
}


def operations(document: dict[str, Any]) -> set[str]:
    """The calls of an OpenAPI document, the names of the parts of an address left out."""
    return {
        f"{method.upper()} {re.sub(r'{[^}]*}', '{}', path)}"
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }


def description_file() -> Path | None:
    """``shared/data`` beside the checkout, or beside a folder that it is in; None where there is none."""
    files = (folder / "shared" / "data" / "permit-io-openapi.json" for folder in PROJECT.parents)
    return next((file for file in files if file.exists()), None)


class Description:
    """The description, and which of its operations were answered as it says."""

    def __init__(self, file: Path) -> None:
        self._document = json.loads(file.read_text(encoding="utf-8"))
        # It says that a tenant's attributes are an object; they are null where none were given, and clients expect that.
        for name in ("TenantRead", "TenantBlockRead", "RoleAssignmentTenant", "TenantObj"):
            self._document["components"]["schemas"][name]["properties"]["attributes"]["type"] = ["object", "null"]
        resource: Resource[Any] = Resource.from_contents(self._document, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(NAME, resource)
        self._paths = [(re.compile(_pattern(path)), path) for path in sorted(self._document["paths"], key=_generality)]
        self.seen: set[str] = set()

    def look(self, response: httpx.Response) -> None:
        """What an ``httpx`` client calls for each answer."""
        response.read()
        self.check(response)

    def check(self, response: httpx.Response) -> None:
        """Raise AssertionError when an answer is not as described."""
        request = response.request
        path = request.url.raw_path.decode().partition("?")[0]
        if NOT_DESCRIBED.match(path):
            return
        template = next((found for pattern, found in self._paths if pattern.match(path)), None)
        assert template is not None, f"no such path: {path}"
        operation = self._document["paths"][template].get(request.method.lower())
        assert operation is not None, f"{template} has no {request.method}"
        said = f"{request.method} {template} {response.status_code}"
        if response.status_code >= 400:
            self._validate({"$ref": f"{NAME}#/components/schemas/{_error_of(response)}"}, response, said)
            return
        described = operation["responses"].get(str(response.status_code))
        assert described is not None, f"not a status of it: {said}"
        content = described.get("content", {}).get("application/json")
        if content is None:
            assert not response.content, said
        else:
            self._validate(_absolute(content["schema"]), response, said)
        self.seen.add(f"{request.method} {template}")

    def _validate(self, schema: Any, response: httpx.Response, said: str) -> None:
        validator = Draft202012Validator(schema, registry=self._registry, format_checker=FormatChecker())
        wrong = [f"{'.'.join(map(str, error.path))}: {error.message}" for error in _leaves(validator, response.json())]
        assert not wrong, f"{said}: {wrong[:5]} in {response.text[:2000]}"


def _leaves(validator: Any, instance: Any) -> Iterator[Any]:
    for error in validator.iter_errors(instance):
        yield error
        yield from error.context or ()


def _error_of(response: httpx.Response) -> str:
    return "HTTPValidationError" if response.status_code == 422 else "ErrorDetails"


def _pattern(path: str) -> str:
    return re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(path)) + r"/?\Z"


def _generality(path: str) -> int:
    """``/resource_instances/detailed`` comes before ``/resource_instances/{instance_id}``."""
    return path.count("{")


def _absolute(schema: Any) -> Any:
    """The schema with references that lead into the whole description."""
    if isinstance(schema, dict):
        return {
            key: NAME + value if key == "$ref" and isinstance(value, str) else _absolute(value)
            for key, value in schema.items()
        }
    return [_absolute(each) for each in schema] if isinstance(schema, list) else schema
