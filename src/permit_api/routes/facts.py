"""What there is: users, tenants, instances, role assignments, relationships, set rules, invites."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Body, Depends, Header, Query
from sqlalchemy.sql.selectable import NamedFromClause
from starlette.responses import JSONResponse, Response

from permit_api.faults import invalid
from permit_api.nouns import assignments, instances, invites, many, set_rules, tenants, tuples, users
from permit_api.routes.crud import Calls, Filter, Filters, Search, Work, verbs_of
from permit_api.routes.gate import NO_CONTENT, ByAttributes, InPages, listed
from permit_api.shapes import facts as shapes
from permit_api.shapes.schema import SetRule
from permit_api.store import tables
from permit_api.store.session import Listed, Paging, Row, Session

people = Calls("/users", "Users")
places = Calls("/tenants", "Tenants")
things = Calls("/resource_instances", "Resource instances")
roles = Calls("/role_assignments", "Role assignments")
relationships = Calls("/relationship_tuples", "Relationship tuples")
bulk = Calls("/bulk", "Bulk operations")
rules = Calls("/set_rules", "Set rules")
guests = Calls("/user_invites", "User invites", idents=UUID)
ROUTERS = (people, places, things, roles, relationships, bulk, rules, guests)


def read_waiting(
    x_wait_timeout: Annotated[str | None, Header()] = None, x_timeout_policy: Annotated[str | None, Header()] = None
) -> None:
    """Refuse headers that cannot be read, of the decision point's own address of the facts.

    A decision point may be behind, and they say how long to wait until it has the fact. This one never is.

    Raises:
        ApiFault: 400.
    """
    if x_wait_timeout:
        try:
            seconds = float(x_wait_timeout)
        except ValueError:
            seconds = math.nan
        if math.isnan(seconds):
            raise invalid("X-Wait-Timeout is a number of seconds")
    if x_timeout_policy not in {None, "", "ignore", "fail"}:
        raise invalid("X-Timeout-Policy is ignore or fail")


@people.reads()
def list_users(
    session: Session,
    /,
    pages: ByAttributes,
    search: Search = None,
    search_operator: Literal["contains", "startswith", "endswith"] = "contains",
    role: Filter = None,
    include_resource_instance_roles: bool = False,
) -> dict[str, Any]:
    """The users."""
    return users.list_users(
        session,
        pages,
        search=search,
        search_operator=search_operator,
        role=role,
        on_instances=include_resource_instance_roles,
    ).envelope()


@people.writes("PUT", "/{user_id}", responses={201: {"description": "The user is a new one."}})
def replace_user(session: Session, /, user_id: str, body: shapes.UserCreate) -> Response:
    """Make a user what the body says; 201 when it is a new one."""
    user, is_new = users.replace_user(session, user_id, body)
    return JSONResponse(user, 201 if is_new else 200)


verbs = verbs_of(users, "user", "create", "change", "delete")
verbs["get_user"] = lambda session, ident: users.read_user(session, users.user_of(session, ident))
people.crud(verbs, "a user", "user_id", shapes.UserCreate, shapes.UserUpdate)


@people.writes("POST", "/{user_id}/roles")
def assign_role(session: Session, /, user_id: str, body: shapes.UserRole) -> dict[str, Any]:
    """Give the user a role."""
    return assign(session, shapes.AssignmentCreate(user=user_id, **body.given()))


@people.writes("DELETE", "/{user_id}/roles", responses={204: {"description": "The role is taken away."}})
def unassign_role(session: Session, /, user_id: str, body: shapes.UserRoleRemove, return_deleted: bool = False) -> Any:
    """Take a role from the user; what was taken when it is asked for."""
    return unassign(session, shapes.AssignmentRemove(user=user_id, **body.given()), return_deleted)


@places.reads()
def list_tenants(
    session: Session, /, pages: ByAttributes, search: Search = None, include_total_count: bool = False
) -> Any:
    """The tenants."""
    return listed(tenants.list_tenants(session, pages, search), include_total_count)


verbs = verbs_of(tenants, "tenant", "create", "change", "delete")
verbs["get_tenant"] = lambda session, ident: tenants.read_tenant(session, tenants.tenant_of(session, ident))
gone = ", with its instances and everybody's roles in it"
places.crud(verbs, "a tenant", "tenant_id", shapes.TenantCreate, shapes.TenantUpdate, gone)


@places.reads("/{tenant_id}/users")
def list_members(
    session: Session,
    /,
    tenant_id: str,
    pages: ByAttributes,
    search: Search = None,
    role: Filter = None,
    include_resource_instance_roles: bool = False,
) -> dict[str, Any]:
    """Who belongs to the tenant."""
    return users.list_users(
        session, pages, search=search, role=role, tenant_ident=tenant_id, on_instances=include_resource_instance_roles
    ).envelope()


@places.writes("POST", "/{tenant_id}/users")
def add_member(session: Session, /, tenant_id: str, body: shapes.UserCreate) -> dict[str, Any]:
    """Let a user belong to the tenant; one that is not there is made."""
    return users.add_member(session, tenant_id, body)


@places.writes("DELETE", "/{tenant_id}/users/{user_id}", NO_CONTENT)
def remove_member(session: Session, /, tenant_id: str, user_id: str) -> None:
    """Let a user belong to the tenant no more."""
    tenants.remove_member(session, tenants.tenant_of(session, tenant_id), users.user_of(session, user_id))


@dataclass(frozen=True, slots=True)
class Found:
    """Which instances."""

    search: Filters
    tenant: Filter = None
    resource: Filter = None


def _instances(session: Session, pages: Paging, found: Found, *, detailed: bool = True) -> Listed:
    return instances.list_instances(session, pages, found.tenant, found.resource, found.search, detailed=detailed)


@things.reads()
def list_instances(
    session: Session,
    /,
    pages: ByAttributes,
    found: Annotated[Found, Depends()],
    detailed: bool = False,
    include_total_count: bool = False,
) -> Any:
    """The instances."""
    return listed(_instances(session, pages, found, detailed=detailed), include_total_count)


things.call(
    "GET",
    "/detailed",
    "list_detailed",
    "The instances, with the relationships they stand in.",
    lambda session, *which: _instances(session, *which).envelope(),
    pages=ByAttributes,
    found=Annotated[Found, Depends()],
)


@things.reads("/{instance_id}")
def get_instance(session: Session, /, instance_id: str, detailed: bool = False) -> dict[str, Any]:
    """One instance."""
    return instances.get_instance(session, instance_id, detailed=detailed)


verbs = verbs_of(instances, "instance", "create", "change", "delete")
gone = ", with the roles on it and its relationships"
things.crud(verbs, "an instance", "instance_id", shapes.InstanceCreate, shapes.InstanceUpdate, gone)


@dataclass(frozen=True, slots=True)
class Held:
    """Which assignments; ``user``, ``role`` and ``tenant`` can be repeated."""

    user: Filters
    role: Filters
    tenant: Filters
    resource: Filter = None
    resource_instance: Filter = None


@roles.reads()
def list_assignments(
    session: Session,
    /,
    held: Annotated[Held, Depends()],
    detailed: bool = False,
    include_total_count: bool = False,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    per_page: Annotated[int, Query(ge=1, le=1000)] = 30,
) -> Any:
    """The assignments; ``user``, ``role`` and ``tenant`` can be repeated."""
    found = assignments.list_assignments(session, Paging(page, per_page), **asdict(held), detailed=detailed)
    return listed(found, include_total_count)


roles.call(
    "GET",
    "/detailed",
    "list_detailed",
    "The assignments, with user, role, tenant and instance in full.",
    lambda session, pages, held: assignments.list_assignments(session, pages, **asdict(held), detailed=True).envelope(),
    pages=InPages,
    held=Annotated[Held, Depends()],
)


@roles.writes("POST")
def assign(session: Session, /, body: shapes.AssignmentCreate) -> dict[str, Any]:
    """Give a role."""
    return assignments.read_assignments(session, [assignments.assign(session, body)])[0]


@roles.writes("DELETE", responses={204: {"description": "The role is taken away."}})
def unassign(session: Session, /, body: shapes.AssignmentRemove, return_deleted: bool = False) -> Any:
    """Take a role away; what was taken when it is asked for."""
    gone = assignments.unassign(session, body)
    return gone if return_deleted else Response(status_code=NO_CONTENT)


@roles.writes("POST", "/bulk")
def assign_many(
    session: Session,
    /,
    body: Annotated[list[shapes.AssignmentCreate], Body(max_length=shapes.MANY)],
    missing_user_policy: Literal["fail", "ignore", "create"] = "fail",
) -> dict[str, int]:
    """Give many roles."""
    return many.assign_many(session, body, missing_user_policy)


@roles.writes("DELETE", "/bulk")
def unassign_many(
    session: Session, /, body: Annotated[list[shapes.AssignmentRemove], Body(max_length=shapes.MANY)]
) -> dict[str, int]:
    """Take many roles away."""
    return assignments.unassign_many(session, body)


@dataclass(frozen=True, slots=True)
class Related:
    """Which relationships."""

    tenant: Filter = None
    subject: Filter = None
    relation: Filter = None
    object_: Annotated[str | None, Query(alias="object", max_length=210)] = None
    object_type: Filter = None
    subject_type: Filter = None


@relationships.reads()
def list_tuples(
    session: Session,
    /,
    pages: InPages,
    related: Annotated[Related, Depends()],
    detailed: bool = False,
    include_total_count: bool = False,
) -> Any:
    """The relationships."""
    return listed(tuples.list_tuples(session, pages, **asdict(related), detailed=detailed), include_total_count)


relationships.call(
    "GET",
    "/detailed",
    "list_detailed",
    "The relationships, with their ends in full.",
    lambda session, pages, related: tuples.list_tuples(session, pages, **asdict(related), detailed=True).envelope(),
    pages=InPages,
    related=Annotated[Related, Depends()],
)


@relationships.writes("POST")
def create_tuple(session: Session, /, body: shapes.TupleCreate) -> dict[str, Any]:
    """A new relationship."""
    return tuples.read_tuples(session, [tuples.create_tuple(session, body)])[0]


relationships.call(
    "DELETE",
    "",
    "delete_tuple",
    "Take a relationship away.",
    tuples.delete_tuple,
    status=NO_CONTENT,
    body=shapes.TupleDelete,
)


def _each(work: Callable[[Session, Any], Any], among: str = "operations") -> Work:
    """Do it with each of many: with all of them or none."""

    def done(session: Session, body: Any) -> dict[str, str]:
        for each in getattr(body, among):
            work(session, each)
        return {}

    return done


def _replace(session: Session, body: shapes.UserCreate) -> None:
    users.replace_user(session, body.key, body)


def _together(work: Callable[[Session, Any], Any]) -> Work:
    """Do it with many in one go."""
    return lambda session, body: work(session, body.operations)


tie, untie = _each(tuples.create_tuple), _each(tuples.delete_tuple, "idents")
relationships.call("POST", "/bulk", "create_many", "Many relationships, all or none.", tie, body=shapes.TuplesBulk)
relationships.call(
    "DELETE", "/bulk", "delete_many", "Take many relationships away, all or none.", untie, body=shapes.TupleIdents
)


def _away(table: NamedFromClause, one_of: Callable[[Session, str], Row]) -> Work:
    """Take many away in one go."""
    return lambda session, body: many.remove(session, table, [one_of(session, ident) for ident in body.idents])


for path, name, away in (
    ("users", "users", _away(tables.users, users.user_of)),
    ("tenants", "tenants", _away(tables.tenants, tenants.tenant_of)),
    ("resource_instances", "instances", _away(tables.instances, instances.instance_of)),
):
    bulk.call("DELETE", f"/{path}", f"delete_{name}", f"Take {name} away.", away, body=shapes.Idents)
_NEW = "one that is there already fails the call."
bulk.call("POST", "/users", "create_users", f"Make users; {_NEW}", _together(many.create_users), body=shapes.UsersBulk)
bulk.call(
    "POST", "/tenants", "create_tenants", f"Make tenants; {_NEW}", _each(tenants.create_tenant), body=shapes.TenantsBulk
)
said = "Make users, or make those that are there what the body says."
bulk.call("PUT", "/users", "replace_users", said, _each(_replace), body=shapes.UsersBulk)
said = "Make instances, or give those that are there other attributes."
whole = _together(many.replace_instances)
bulk.call("PUT", "/resource_instances", "replace_instances", said, whole, body=shapes.InstancesBulk)


@rules.reads()
def list_rules(
    session: Session,
    /,
    pages: InPages,
    user_set: Filter = None,
    permission: Filter = None,
    resource_set: Filter = None,
) -> Any:
    """The rules."""
    return set_rules.list_rules(session, pages, user_set, permission, resource_set)


rules.call("POST", "", "create_rule", "A new rule, as a list of one.", set_rules.create_rule, body=SetRule)
rules.call("DELETE", "", "delete_rule", "Take a rule away.", set_rules.delete_rule, status=NO_CONTENT, body=SetRule)


@guests.reads()
def list_invites(
    session: Session, /, pages: InPages, role: Filter = None, tenant: Filter = None, search: Search = None
) -> dict[str, Any]:
    """The invites."""
    return invites.list_invites(session, pages, role, tenant, search).envelope()


guests.crud(verbs_of(invites, "invite", "create", "get", "delete"), "an invite", "user_invite_id", shapes.InviteCreate)
guests.call(
    "PATCH", "/{user_invite_id}", "change_invite", "Make an invite what the body says.", invites.change_invite,
    body=shapes.InviteCreate,
)  # fmt: skip
guests.call(
    "POST", "/{user_invite_id}/approve", "approve_invite", "Let the invited become a user who holds the role.",
    invites.approve_invite, body=shapes.InviteApprove,
)  # fmt: skip
