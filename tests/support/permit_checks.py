"""An environment in which checks are made, and the list of them."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support.permit_local import Environment, answer

DOC = {
    "key": "doc",
    "name": "Doc",
    "actions": {"read": {}, "write": {}},
    "roles": {"owner": {"name": "Owner", "permissions": ["write"]}},
}


class Checks:
    """An environment in which checks are made, and their list."""

    def __init__(self, api: httpx.Client, environment: Environment) -> None:
        self.api, self.environment = api, environment

    def make(self) -> None:
        """Ann may read all documents and write one; Bob may nothing."""
        for path, body in (
            ("schema/resources", DOC),
            ("schema/roles", {"key": "reader", "name": "Reader", "permissions": ["doc:read"]}),
            ("facts/tenants", {"key": "acme", "name": "Acme"}),
            ("facts/users", {"key": "ann", "email": "ann@example.com"}),
            ("facts/role_assignments", {"user": "ann", "role": "reader", "tenant": "default"}),
            (
                "facts/role_assignments",
                {"user": "ann", "role": "owner", "resource_instance": "doc:one", "tenant": "default"},
            ),
        ):
            answer(self.api.post(self.environment.path(path), json=body))

    def ask(self, user: str, action: str, key: str | None = None, tenant: str = "default", **more: Any) -> bool:
        """A check."""
        resource = {"type": "doc", "tenant": tenant, **({} if key is None else {"key": key})}
        asked = {"user": {"key": user}, "action": action, "resource": resource, **more}
        return bool(answer(self.api.post("/allowed", json=asked))["allow"])

    def found(self, status: int = 200, **query: Any) -> Any:
        """The list."""
        return answer(self.api.get(self.environment.path("pdps/audit_logs"), params=query), status)

    def users(self, **query: Any) -> list[str]:
        """Whose checks are listed."""
        return [each["user_key"] for each in self.found(**query)["data"]]
