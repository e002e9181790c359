"""Access requests and operation approvals: asked by a user, decided by another, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, func, literal, or_, select, update

from permit_api.faults import Unprocessable, conflict, forbidden, invalid, not_found
from permit_api.nouns.assignments import assign
from permit_api.nouns.elements import APPROVED, ASSIGNABLE, OPERATE, REVIEWER, REVIEWING, element_of, roles_at
from permit_api.nouns.holding import holds_any
from permit_api.nouns.instances import ensure_instance, find_instance, instance_of
from permit_api.nouns.parts import resource_of
from permit_api.nouns.tenants import tenant_of
from permit_api.nouns.users import belongs_to
from permit_api.shapes.elements import AccessDetails, AccessRequestCreate, OperationApprovalCreate
from permit_api.shapes.facts import AssignmentCreate
from permit_api.store.session import Listed, Paging, Row, Session, as_uuid, new_id, some
from permit_api.store.tables import NO_RESOURCE, asked, elements, instances, requests, resources, roles, tenants, users
from permit_core.access import ResourceRef
from permit_core.approvals.asking import MOST_PENDING
from permit_core.approvals.lifecycle import Event
from permit_core.errors import Conflict, ConstraintViolated
from permit_core.identity import Actor
from permit_core.ports.request import Request, RequestKind, RequestStatus

ACCESS, OPERATION = "access_request", "operation_approval"
Verdict = Literal["approved", "denied", "canceled"]
MOST_A_DAY = 100
"""A user of an element makes no more requests within a day, decided, canceled or not: each may make an instance."""
_EVENTS = {"approved": Event.APPROVE, "denied": Event.DENY, "canceled": Event.CANCEL}


@dataclass(frozen=True, slots=True)
class Acting:
    """Who asks or decides, where, through which element.

    Attributes:
        actor: the same for the log; with a session where it is that of an element log-in, whose token the user holds.
            Otherwise a program with an environment's key acts for the user, and is trusted to know when to stop.
    """

    user: Row
    tenant: Row
    element: Row
    actor: Actor


def acting(
    session: Session, element_ident: str, user_ident: str, tenant_ident: str, login_id: str | None = None
) -> Acting:
    """The user, the tenant and the element that are named.

    Raises:
        ApiFault: 404, one of the three is not there; 403, the user does not belong to the tenant.
    """
    tenant = tenant_of(session, tenant_ident)
    user = session.get(users, user_ident, "User")
    if not belongs_to(session, user, tenant):
        raise forbidden("the user does not belong to this tenant")
    agent, named = session.opened.program, _name_of(user)
    actor = Actor(session.environment_id, tenant["key"], user["key"], named, agent=agent, session=login_id)
    return Acting(user, tenant, element_of(session, element_ident), actor)


def ask_access(session: Session, who: Acting, body: AccessRequestCreate) -> dict[str, Any]:
    """Ask for a role.

    Raises:
        ApiFault: 404, what it names is not there; 403, the element does not let this role be asked for.
    """
    details = body.access_request_details
    _same_tenant(session, who, details.tenant)
    resource, instance = _where(session, who, details)
    role = _assignable(session, who.element, details.role, resource)
    if role["resource_id"] is not None and instance is None:
        raise Unprocessable(("access_request_details", "resource_instance"), "a role of a resource needs an instance")
    if role["resource_id"] is None and instance is not None:
        raise Unprocessable(("access_request_details", "role"), "a role of tenants is not held on an instance")
    _may_ask_more(session, who)
    row = _insert(session, ACCESS, who, reason=body.reason, resource=resource, instance=instance, role=role)
    return read_request(session, row)


def ask_operation(session: Session, who: Acting, body: OperationApprovalCreate) -> dict[str, Any]:
    """Ask to do something once with an instance, which is made when it is not there.

    Raises:
        ApiFault: 404, what it names is not there; 400, nothing can be approved on this resource.
    """
    details = body.access_request_details
    _same_tenant(session, who, details.tenant)
    resource = resource_of(session, details.resource)
    if details.resource_instance is None:
        raise Unprocessable(("access_request_details", "resource_instance"), "expected the instance to operate on")
    if session.find(roles, APPROVED, roles.c.owner_id == resource["id"]) is None:
        raise invalid(f"{resource['key']} has no role {APPROVED}: make an operation approval element for it")
    named = _full_name(resource, details.resource_instance)
    _may_ask_more(session, who)
    instance = ensure_instance(session, named, who.tenant)
    _belongs(instance, resource, who.tenant)
    row = _insert(session, OPERATION, who, reason=body.reason, resource=resource, instance=instance)
    return read_request(session, row)


def list_requests(
    session: Session,
    who: Acting,
    kind: str,
    paging: Paging,
    *,
    status: str | None = None,
    role: str | None = None,
    resource: str | None = None,
    instance: str | None = None,
    tenant: str | None = None,
) -> Listed:
    """The requests that this user may see: the own ones, and those the user may decide."""
    where = [requests.c.kind == kind, requests.c.tenant_id == who.tenant["id"]]
    if kind == ACCESS:
        where.append(requests.c.element_id == who.element["id"])
    if tenant is not None:
        where.append(requests.c.tenant_id == tenant_of(session, tenant)["id"])
    if status is not None:
        where.append(requests.c.status == status)
    for column, table, ident in ((requests.c.role_id, roles, role), (requests.c.resource_id, resources, resource)):
        if ident is not None:
            named = session.all_of(table, (table.c.key == ident) | (table.c.id == ident))
            where.append(column.in_([each["id"] for each in named]))
    if instance is not None:
        where.append(requests.c.instance_id.in_(_instances(session, instance)))
    rows, total = session.page(session.query(requests, *where, _seen_by(session, who, kind, where)), paging)
    return Listed([read_request(session, row, listed=True) for row in rows], total, paging.per_page)


def get_request(session: Session, who: Acting, kind: str, request_id: str) -> dict[str, Any]:
    """One request that this user may see."""
    return read_request(session, _visible(session, who, kind, request_id))


def edit_review(session: Session, who: Acting, kind: str, request_id: str, given: dict[str, Any]) -> dict[str, Any]:
    """Comment on a request that is still open, or change the role that is asked for."""
    row = _reviewable(session, who, kind, request_id)
    changed: dict[str, Any] = {}
    if "reviewer_comment" in given:
        changed["comment"] = given["reviewer_comment"] or ""
    if given.get("role") is not None:
        changed["role"] = _other_role(session, who, row, given["role"])["key"]
    try:
        session.opened.register.amend(session.connection, session.environment_id, row["id"], who.actor, **changed)
    except (Conflict, ConstraintViolated) as error:
        raise conflict("this request is decided already, or the same one waits") from error
    return _touched(session, row)


def decide_request(
    session: Session, who: Acting, kind: str, request_id: str, *, verdict: Verdict, given: dict[str, Any]
) -> dict[str, Any]:
    """Approve or deny; an approval gives the role at once, in the same transaction.

    Raises:
        ApiFault: 404, the request is not there for this user; 403, it is the user's own, or not the user's to decide;
            409, it is decided already.
    """
    row = _reviewable(session, who, kind, request_id)
    comment = given.get("reviewer_comment") or ""
    review: dict[str, Any] = {"decided_by": who.actor.user, "decided_by_name": who.actor.name, "comment": comment}
    if verdict == "approved":
        role = _other_role(session, who, row, given["role"]) if given.get("role") else _granted(session, row)
        _give(session, row, role)
        if kind == ACCESS:
            review["role"] = role["key"]
    return _close(session, row, verdict, who.actor, decided_at=session.now, **review)


def cancel_request(session: Session, who: Acting, kind: str, request_id: str) -> dict[str, Any]:
    """Take back one's own request.

    Raises:
        ApiFault: 404, it is not there for this user; 403, it is another's; 409, it is decided already.
    """
    row = _visible(session, who, kind, request_id)
    if row["user_id"] != who.user["id"]:
        raise forbidden("only who asked can cancel a request")
    return _close(session, row, "canceled", who.actor)


def read_request(session: Session, row: Row, *, listed: bool = False) -> dict[str, Any]:
    """A request as it is answered; in lists of operation approvals with who asks."""
    resource = session.by_id(resources, row["resource_id"]) if row["resource_id"] else None
    instance = session.by_id(instances, row["instance_id"]) if row["instance_id"] else None
    details = {
        "tenant": session.by_id(tenants, row["tenant_id"])["key"],
        "resource": NO_RESOURCE if resource is None else resource["key"],
        **(
            {}
            if instance is None or resource is None
            else {"resource_instance": f"{resource['key']}:{instance['key']}"}
        ),
        "element_config_id": session.by_id(elements, row["element_id"])["key"],
    }
    if row["role_id"]:
        details["role"] = session.by_id(roles, row["role_id"])["key"]
    answer = {
        "access_request_details": details,
        **some(reason=row["reason"], reviewer_user_id=row["reviewer_id"], reviewer_comment=row["reviewer_comment"]),
        **({} if row["reviewed_at"] is None else {"reviewed_at": row["reviewed_at"].isoformat()}),
        "requesting_user_id": row["user_id"],
        "status": row["status"],
        "type": row["kind"],
        **session.audit(row),
    }
    if listed and row["kind"] == OPERATION:
        user = session.by_id(users, row["user_id"])
        answer |= some(
            requesting_user_email=user["email"],
            requesting_user_first_name=user["first_name"],
            requesting_user_last_name=user["last_name"],
            resource_key=resource["key"] if resource else None,
            resource_instance_key=instance["key"] if instance else None,
        )
    return answer


def _insert(
    session: Session,
    kind: str,
    who: Acting,
    *,
    reason: str | None,
    resource: Row | None,
    instance: Row | None,
    role: Row | None = None,
) -> Row:
    about = (
        ResourceRef(NO_RESOURCE)
        if resource is None
        else ResourceRef(resource["key"], instance["key"] if instance else None)
    )
    request = Request(
        id=new_id(),
        kind=RequestKind(kind),
        environment=session.environment_id,
        tenant=who.actor.tenant,
        user=who.actor.user,
        user_name=who.actor.name,
        resource=about,
        resource_name=str(about),
        reason=reason or "",
        status=RequestStatus.PENDING,
        created_at=session.now,
        role=None if role is None else role["key"],
        operation=OPERATE if kind == OPERATION else None,
        agent=who.actor.agent,
        session=who.actor.session,
    )
    try:
        session.opened.register.enter(session.connection, request, who.actor)
    except Conflict as error:
        raise conflict("the same request waits already") from error
    through = {"request_id": request.id, "element_id": who.element["id"], "updated_at": session.now}
    session.link(asked, "request", through)
    session.opened.made["requests"].append(request.id)
    return session.by_id(requests, request.id)


def _may_ask_more(session: Session, who: Acting) -> None:
    """Raise 409 when somebody with a user's token has too many requests waiting, or made too many within a day."""
    if who.actor.session is None:
        return
    mine = requests.c.user_id == who.user["id"], requests.c.environment_id == session.environment_id
    within = {
        MOST_PENDING: (requests.c.status == "pending", "wait already"),
        MOST_A_DAY: (requests.c.created_at > session.now - timedelta(days=1), "were made within a day"),
    }
    for most, (which, said) in within.items():
        count = select(func.count()).select_from(requests).where(*mine, which)
        if session.connection.execute(count).scalar_one() >= most:
            raise conflict(f"{most} requests of this user {said}")


def _seen_by(session: Session, who: Acting, kind: str, where: list[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Which requests a user sees, as a condition: the own ones, and those about what the user may decide on."""
    may, table = _reviewer_of(session, who), requests.c
    mine = table.environment_id == session.environment_id
    places = session.rows(select(table.resource_id, table.instance_id).where(mine, *where).distinct())
    decided = [place for place in places if may({**place, "kind": kind})]
    whole = {place["resource_id"] for place in decided if place["instance_id"] is None}
    return or_(
        table.user_id == who.user["id"],
        table.instance_id.in_({place["instance_id"] for place in decided} - {None}),
        and_(table.instance_id.is_(None), table.resource_id.in_(whole - {None})),
        and_(table.instance_id.is_(None), table.resource_id.is_(None), literal(None in whole)),
    )


def _same_tenant(session: Session, who: Acting, ident: str) -> None:
    if tenant_of(session, ident)["id"] != who.tenant["id"]:
        raise forbidden("a request is made in the tenant the user acts in")


def _where(session: Session, who: Acting, details: AccessDetails) -> tuple[Row | None, Row | None]:
    """The resource and the instance that an access request names."""
    resource = None if details.resource in {None, NO_RESOURCE} else resource_of(session, str(details.resource))
    if details.resource_instance is None:
        return resource, None
    named = details.resource_instance if resource is None else _full_name(resource, details.resource_instance)
    instance = instance_of(session, named)
    _belongs(instance, resource, who.tenant)
    return resource or session.by_id(resources, instance["resource_id"]), instance


def _full_name(resource: Row, ident: str) -> str:
    """``type:key`` of a bare key; an id and what is full stay."""
    return ident if ":" in ident or as_uuid(ident) else f"{resource['key']}:{ident}"


def _belongs(instance: Row, resource: Row | None, tenant: Row) -> None:
    if instance["tenant_id"] != tenant["id"]:
        raise invalid("the instance belongs to another tenant", "MISMATCH_RESOURCE_INSTANCES_TENANTS")
    if resource is not None and instance["resource_id"] != resource["id"]:
        raise invalid(f"the instance is not of type {resource['key']!r}")


def _assignable(session: Session, element: Row, ident: str, resource: Row | None) -> Row:
    owner = session.environment_id if resource is None else resource["id"]
    role = session.find(roles, ident.rpartition("#")[2], roles.c.owner_id == owner)
    if role is None and resource is not None:
        role = session.find(roles, ident, roles.c.owner_id == session.environment_id)
    if role is None:
        raise not_found("Role", ident)
    if role["id"] not in roles_at(session, element, frozenset({ASSIGNABLE})):
        raise forbidden(f"the role {role['key']!r} cannot be asked for through this element")
    return role


def _other_role(session: Session, who: Acting, row: Row, ident: str) -> Row:
    """The role that a reviewer wants to give instead: one that could be asked for there."""
    if row["kind"] != ACCESS:
        raise Unprocessable(("role",), "an operation approval has no role")
    resource = session.by_id(resources, row["resource_id"]) if row["instance_id"] else None
    return _assignable(session, who.element, ident, resource)


def _granted(session: Session, row: Row) -> Row:
    """The role that an approval gives."""
    if row["kind"] == ACCESS:
        return session.by_id(roles, row["role_id"])
    return session.get(roles, APPROVED, "Role", roles.c.owner_id == row["resource_id"])


def _give(session: Session, row: Row, role: Row) -> None:
    """Assign to who asked; a role that is held by now stays.

    Raises:
        ApiFault: 409, who asked has left the tenant since.
    """
    if not belongs_to(session, session.by_id(users, row["user_id"]), session.by_id(tenants, row["tenant_id"])):
        raise conflict("who asked does not belong to the tenant any more")
    wanted = AssignmentCreate(
        user=row["user_id"],
        role=role["id"],
        tenant=row["tenant_id"],
        resource_instance=row["instance_id"] if role["resource_id"] else None,
    )
    assign(session, wanted, again=True)


def _reviewer_of(session: Session, who: Acting) -> Callable[[Row], bool]:
    """Whether this user may decide a request; asked once for each instance."""
    known: dict[tuple[str | None, str | None], bool] = {}
    deciding = roles_at(session, who.element, REVIEWING)

    def may(row: Row) -> bool:
        place = row["resource_id"], row["instance_id"]
        if place not in known:
            wanted = deciding
            if row["kind"] == OPERATION:
                named = and_(roles.c.owner_id == row["resource_id"], roles.c.key == REVIEWER)
                wanted = {each["id"] for each in session.all_of(roles, named)}
            instance = session.by_id(instances, row["instance_id"]) if row["instance_id"] else None
            known[place] = holds_any(session, who.user, wanted, who.tenant["id"], instance)
        return known[place]

    return may


def _visible(session: Session, who: Acting, kind: str, request_id: str) -> Row:
    """A request that this user may see. Whether another one exists is not told."""
    mine = and_(requests.c.id == as_uuid(request_id), requests.c.kind == kind)
    row = session.row(session.query(requests, mine, requests.c.tenant_id == who.tenant["id"]))
    if row is None or (kind == ACCESS and row["element_id"] != who.element["id"]):
        raise not_found("Request", request_id)
    if row["user_id"] != who.user["id"] and not _reviewer_of(session, who)(row):
        raise not_found("Request", request_id)
    return row


def _reviewable(session: Session, who: Acting, kind: str, request_id: str) -> Row:
    row = _visible(session, who, kind, request_id)
    if row["user_id"] == who.user["id"]:
        raise forbidden("nobody decides their own request")
    if row["status"] != "pending":
        raise conflict(f"this request is {row['status']} already")
    return row


def _close(session: Session, row: Row, verdict: Verdict, actor: Actor, **review: Any) -> dict[str, Any]:
    """Pending becomes the verdict, if it is pending still; the request as it is answered then.

    Raises:
        ApiFault: 409, it is not.
    """
    try:
        session.opened.register.move(
            session.connection, session.environment_id, row["id"], _EVENTS[verdict], actor, **review
        )
    except Conflict as error:
        raise conflict("this request is decided already") from error
    return _touched(session, row)


def _touched(session: Session, row: Row) -> dict[str, Any]:
    """The request as it is answered, changed now."""
    changed = update(asked).where(asked.c.request_id == row["id"]).values(updated_at=session.now)
    session.connection.execute(changed)
    return read_request(session, session.by_id(requests, row["id"]))


def _name_of(user: Row) -> str:
    return " ".join(user[name] for name in ("first_name", "last_name") if user[name]) or str(user["key"])


def _instances(session: Session, ident: str) -> list[str]:
    """The instances that a filter means: an id, ``type:key``, or a bare key of any type."""
    if ":" in ident or as_uuid(ident):
        found = find_instance(session, ident)
        return [] if found is None else [found["id"]]
    return [row["id"] for row in session.all_of(instances, instances.c.key == ident)]
