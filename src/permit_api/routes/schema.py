"""What there can be: resources and what belongs to them, roles, condition sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from sqlalchemy import Table

from permit_api.nouns import condition_sets, parts, resources, roles
from permit_api.nouns.parts import USER_TYPE
from permit_api.routes.crud import Calls, Search, Work, verbs_of
from permit_api.routes.gate import NO_CONTENT, ByAttributes, InPages, listed
from permit_api.shapes import schema as shapes
from permit_api.shapes.parts import Body
from permit_api.store.session import Paging, Session
from permit_api.store.tables import action_groups, actions, attributes, relations

WITHIN = "/resources/{resource_id}"
Adapted = Callable[[Work], Work]


def _of_one(first: Any) -> Adapted:
    """Functions about what belongs to a resource, for addresses that do not name it."""
    return lambda work: lambda session, *rest: work(session, first, *rest)


def _as_named(work: Work) -> Work:
    return work


def _parts(
    prefix: str,
    tag: str,
    table: Table,
    name: str,
    words: str,
    *,
    listing: str,
    create: type[Body],
    change: type[Body] | None,
    of: Adapted = _as_named,
) -> Calls:
    """The calls about one kind of what a resource has.

    Args:
        prefix: where they are.
        tag: under which they are described.
        table: where it is stored.
        name: of one, in the names of the calls.
        words: for one, with the article.
        listing: what a list has.
        create: the shape of a new one.
        change: the shape of what changes; None where nothing can.
        of: says whose they are, where the address does not.
    """
    calls = Calls(prefix, tag)

    def list_parts(session: Session, resource: str, pages: Paging) -> Any:
        return listed(parts.list_parts(session, table, resource, pages), envelope=table is relations)

    def create_part(session: Session, resource: str, body: Body) -> dict[str, Any]:
        return parts.create_part(session, table, resource, body.given())

    def change_part(session: Session, resource: str, ident: str, body: Body) -> dict[str, Any]:
        return parts.change_part(session, table, resource, ident, body.given())

    calls.call("GET", "", f"list_{name}s", listing, of(list_parts), pages=InPages)
    parts_of: dict[str, Work] = {
        "create": create_part,
        "get": lambda session, *names: parts.get_part(session, table, *names),
        "delete": lambda session, *names: parts.delete_part(session, table, *names),
        **({} if change is None else {"change": change_part}),
    }
    verbs = {f"{verb}_{name}": of(work) for verb, work in parts_of.items()}
    calls.crud(verbs, words, f"{name.removeprefix('user_')}_id", create, change)
    return calls


def _roles(prefix: str, tag: str, of: Adapted = _as_named) -> Calls:
    """The calls about roles, in whole tenants or on instances of a resource."""
    calls = Calls(prefix, tag)

    def create_role(session: Session, resource: str | None, body: shapes.RoleCreate) -> dict[str, Any]:
        return roles.create_role(session, resource, body.key, body)

    def permissions(work: Work) -> Work:
        return of(lambda session, resource, role, body: work(session, resource, role, body.permissions))

    def relatives(*, above: bool) -> Work:
        return of(lambda session, *names: roles.relatives(session, *names, above=above))

    verbs = verbs_of(roles, "role", "get", "change", "delete") | {"create_role": create_role}
    verbs = {name: of(work) for name, work in verbs.items()}
    calls.crud(verbs, "a role", "role_id", shapes.RoleCreate, shapes.RoleUpdate, ", and with it its assignments")
    more, fewer = permissions(roles.add_permissions), permissions(roles.remove_permissions)
    at, parent, taken = "/{role_id}/permissions", "/{role_id}/parents/{parent_id}", shapes.Permissions
    calls.call("POST", at, "add_permissions", "Add permissions; the role.", more, body=taken)
    calls.call("DELETE", at, "remove_permissions", "Take permissions away; the role.", fewer, body=taken)
    extend = "Let the role extend another one"
    calls.call("PUT", parent, "add_parent", f"{extend} as well; the role.", of(roles.add_parent))
    calls.call("DELETE", parent, "remove_parent", f"{extend} no more; the role.", of(roles.remove_parent))
    calls.call("GET", "/{role_id}/ancestors", "ancestors", "All that the role extends.", relatives(above=True))
    calls.call("GET", "/{role_id}/descendants", "descendants", "All that extend the role.", relatives(above=False))
    return calls


tenant_roles = _roles("/roles", "Roles", _of_one(None))
resource_roles = _roles(f"{WITHIN}/roles", "Resource roles")
many_roles = Calls("/bulk/roles", "Roles")
grants = Calls(f"{WITHIN}/roles/{{role_id}}/implicit_grants", "Implicit grants")
things = Calls("/resources", "Resources")
sets = Calls("/condition_sets", "Condition sets")


@tenant_roles.reads()
def list_roles(
    session: Session, /, pages: ByAttributes, include_total_count: bool = False, search: Search = None
) -> Any:
    """The roles."""
    return listed(roles.list_roles(session, None, pages, search), include_total_count)


resource_roles.call("GET", "", "list_roles", "The roles.", roles.list_roles, pages=ByAttributes)


@many_roles.writes("PUT")
def put_roles(session: Session, /, body: shapes.RolesBulk) -> dict[str, list[str]]:
    """Make or change many roles, those of tenants and those of resources; their keys."""
    return roles.put_roles(session, body.operations)


grants.call("POST", "", "create_rule", "Derive the role by one more rule.", roles.add_rule, body=shapes.DerivationRule)
grants.call(
    "DELETE", "", "delete_rule", "Take a rule away.", roles.remove_rule, status=NO_CONTENT, body=shapes.DerivationRule
)


@grants.writes("PUT", "/conditions")
def set_conditions(
    session: Session, /, resource_id: str, role_id: str, body: shapes.DerivationSettings
) -> dict[str, bool]:
    """Say whether the derived role is withheld from whoever has a direct role on the object."""
    return roles.withhold(session, resource_id, role_id, body.no_direct_roles_on_object)


@things.reads()
def list_resources(
    session: Session,
    /,
    pages: InPages,
    include_built_in: bool = False,
    include_total_count: bool = False,
    search: Search = None,
) -> Any:
    """The resources of the environment."""
    return listed(resources.list_resources(session, pages, search, include_built_in), include_total_count)


things.call(
    "PUT", "/{resource_id}", "replace_resource", "Make a resource what the body says.", resources.replace_resource,
    body=shapes.ResourceReplace,
)  # fmt: skip
things.crud(verbs_of(resources, "resource"), "a resource", "resource_id", shapes.ResourceCreate, shapes.ResourceUpdate)


@sets.reads()
def list_sets(
    session: Session,
    /,
    pages: InPages,
    search: Search = None,
    type: Literal["userset", "resourceset"] | None = None,  # noqa: A002
    include_total_count: bool = False,
) -> Any:
    """The condition sets."""
    return listed(condition_sets.list_sets(session, pages, search, type), include_total_count)


sets.crud(
    verbs_of(condition_sets, "set"),
    "a condition set",
    "condition_set_id",
    shapes.ConditionSetCreate,
    shapes.ConditionSetUpdate,
)


@sets.reads("/{condition_set_id}/ancestors")
def ancestors(session: Session, /, condition_set_id: str) -> list[dict[str, Any]]:
    """The sets that this one is within."""
    return condition_sets.relatives(session, condition_set_id, above=True)


@sets.reads("/{condition_set_id}/descendants")
def descendants(session: Session, /, condition_set_id: str) -> list[dict[str, Any]]:
    """The sets that are within this one."""
    return condition_sets.relatives(session, condition_set_id, above=False)


ROUTERS = (
    _parts(
        "/users/attributes", "User attributes", attributes, "user_attribute", "an attribute",
        listing="The attributes of users.", create=shapes.AttributeCreate, change=shapes.AttributeUpdate, of=_of_one(USER_TYPE),
    ),
    things,
    _parts(
        f"{WITHIN}/actions", "Actions", actions, "action", "an action",
        listing="The actions of a resource.", create=shapes.ActionCreate, change=shapes.ActionUpdate,
    ),
    _parts(
        f"{WITHIN}/action_groups", "Groups of actions", action_groups, "action_group", "a group of actions",
        listing="The groups of actions of a resource.", create=shapes.ActionGroupCreate, change=shapes.ActionGroupUpdate,
    ),
    _parts(
        f"{WITHIN}/attributes", "Attributes", attributes, "attribute", "an attribute",
        listing="The attributes of a resource.", create=shapes.AttributeCreate, change=shapes.AttributeUpdate,
    ),
    _parts(
        f"{WITHIN}/relations", "Relations", relations, "relation", "a relation",
        listing="The relations of a resource.", create=shapes.RelationCreate, change=None,
    ),
    resource_roles,
    grants,
    tenant_roles,
    many_roles,
    sets,
)  # fmt: skip
