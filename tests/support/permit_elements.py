"""A family in the Permit-compatible server: children who ask for a role or for a single deed, a parent who decides."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support.permit_local import Environment, answer

ACCESS = "restaurant-requests"
DISHES = "dish-requests"
WANTED = {
    "tenant": "default",
    "resource": "restaurants",
    "resource_instance": "restaurants:1",
    "role": "child-can-view",
}


class Family:
    """A parent, another child and a child who asks; the calls they make."""

    def __init__(self, api: httpx.Client, environment: Environment) -> None:
        self.api, self.environment = api, environment
        self._logins: dict[str, httpx.Client] = {}

    def make(self) -> None:
        """What Permit.io's guide sets up by hand."""
        roles = {
            "parent": {"name": "Parent", "permissions": ["read", "update"]},
            "child-can-view": {"name": "Child", "permissions": ["read"]},
        }
        resource = {"key": "restaurants", "name": "Restaurants", "actions": {"read": {}, "update": {}}, "roles": roles}
        self.post("schema/resources", resource)
        self.post("schema/roles", {"key": "member", "name": "Member"})
        for key in ("1", "2"):
            self.post("facts/resource_instances", {"key": key, "resource": "restaurants", "tenant": "default"})
        for key in ("joe", "henry", "rose"):
            self.post("facts/users", {"key": key, "first_name": key.title(), "email": f"{key}@example.com"})
            self.assign(key, "member")
        self.post(
            "elements/config",
            {
                "key": ACCESS,
                "name": "Restaurant requests",
                "elements_type": "user_management",
                "settings": {"resource": "restaurants"},
                "roles_to_levels": {"LEVEL_1": ["parent"], "LEVEL_4": ["child-can-view"]},
            },
        )
        for key, kind in (("dish-approval", "operation_approval"), (DISHES, "approval_management")):
            settings = {"resource": "restaurants"}
            body = {"key": key, "name": key, "elements_type": kind, "settings": settings, "roles_to_levels": {}}
            self.post("elements/config", body)
        for role in ("parent", "_Reviewer_"):
            self.assign("joe", role, "restaurants:1")

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return answer(self.api.post(self.environment.path(path), json=body))

    def assign(self, user: str, role: str, instance: str | None = None) -> None:
        body = {"user": user, "role": role, "tenant": "default"}
        self.post("facts/role_assignments", body if instance is None else {**body, "resource_instance": instance})

    def access(self, user: str, request: str = "") -> str:
        return self.environment.path(f"facts/access_requests/{ACCESS}/user/{user}/tenant/default{request}")

    def ask(self, user: str = "henry", **other: str) -> Any:
        body = {"access_request_details": {**WANTED, **other}, "reason": "it is my birthday"}
        return answer(self.api.post(self.access(user), json=body))

    def logged_in(self, user: str) -> httpx.Client:
        """A client with the token of an element log-in."""
        if user not in self._logins:
            body = {"user_id": user, "tenant_id": "default"}
            found = answer(self.api.post("/v2/auth/elements_login_as", json=body))
            headers = {"Authorization": f"Bearer {found['element_bearer_token']}"}
            self._logins[user] = httpx.Client(base_url=self.environment.url, headers=headers, timeout=60)
            # What looks at the answers of the one client looks at those of the other as well.
            self._logins[user].event_hooks = self.api.event_hooks
        return self._logins[user]

    def access_of_element(self, request: str = "") -> str:
        return self.environment.path(f"elements/config/{ACCESS}/access_requests{request}")

    def approval(self, request: str = "") -> str:
        return self.environment.path(f"elements/config/{DISHES}/operation_approval{request}")

    def ask_operation(self, instance: str = "restaurants:1") -> Any:
        details = {"tenant": "default", "resource": "restaurants", "resource_instance": instance}
        return answer(self.logged_in("henry").post(self.approval(), json={"access_request_details": details}))

    def may(self, user: str, action: str, key: str = "1") -> bool:
        resource = {"type": "restaurants", "key": key, "tenant": "default"}
        body = {"user": {"key": user}, "action": action, "resource": resource}
        return bool(answer(self.api.post("/allowed", json=body))["allow"])

    def close(self) -> None:
        for client in self._logins.values():
            client.close()
