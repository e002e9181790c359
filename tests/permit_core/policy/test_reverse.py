"""What a role can let its holder do, read off the policy."""

from __future__ import annotations

import pytest

from permit_core.policy.model import PolicyModel
from permit_core.policy.reverse import permissions_of

POLICY = PolicyModel.model_validate(
    {
        "version": 1,
        "name": "Archive",
        "resources": {
            "folder": {
                "actions": ["read", "review"],
                "roles": {"keeper": {"permissions": ["read"]}, "head": {"extends": ["keeper"]}, "guest": {}},
            },
            "document": {
                "actions": ["read", "review", "burn"],
                "relations": {"parent": "folder"},
                "roles": {
                    "reviewer": {
                        "permissions": ["document:review"],
                        "granted_to": {
                            "users_with_role": [
                                {"role": "keeper", "on_resource": "folder", "linked_by_relation": "parent"}
                            ]
                        },
                    },
                    "burner": {},
                },
            },
        },
        "roles": {
            "clerk": {"permissions": ["folder:read"]},
            "chief": {"extends": ["clerk"]},
            "auditor": {},
        },
        "set_rules": [
            {
                "user_set": "auditor",
                "is_role": True,
                "permission": "folder:review",
                "resource_set": "folder",
                "is_resource": True,
            },
            {
                "user_set": "document#burner",
                "is_role": True,
                "permission": "document:burn",
                "resource_set": "document",
                "is_resource": True,
            },
        ],
    }
)


@pytest.mark.parametrize(
    ("kind", "role", "permissions"),
    [
        (None, "clerk", {("folder", "read")}),
        (None, "chief", {("folder", "read")}),
        (None, "auditor", {("folder", "review")}),
        (None, "keeper", set()),
        ("folder", "guest", set()),
        ("folder", "keeper", {("folder", "read"), ("document", "review")}),
        ("folder", "head", {("folder", "read"), ("document", "review")}),
        ("document", "burner", {("document", "burn")}),
        ("nowhere", "keeper", set()),
    ],
)
def test_a_role_lets_do_what_it_says_what_it_extends_and_what_follows_along_relations(
    kind: str | None, role: str, permissions: set[tuple[str, str]]
) -> None:
    assert permissions_of(POLICY, kind, role) == permissions
