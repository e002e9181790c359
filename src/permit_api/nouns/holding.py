"""Whether a user holds a role, directly or derived; asked of the rows, within the transaction that acts on it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import and_

from permit_api.store.session import Row, Session
from permit_api.store.tables import assignments, derivations, roles, tuples
from permit_core.policy.relations import MAX_STEPS


def holds_any(session: Session, user: Row, role_ids: Iterable[str], tenant_id: str, instance: Row | None) -> bool:
    """Whether the user holds one of the roles: those of tenants in the tenant, those of resources on the instance.

    Derived roles count as they do for decisions (``permit_core.policy.relations``): a search from what is asked for back
    to what was given, every (instance, role) once.
    """
    wanted = list(role_ids)
    if _direct(session, user, wanted, tenant_id):
        return True
    if instance is None or instance["tenant_id"] != tenant_id:
        return False
    seen = {(str(instance["id"]), role) for role in wanted}
    level = list(seen)
    for _ in range(MAX_STEPS + 1):
        above: list[tuple[str, str]] = []
        for place, role in level:
            if _direct(session, user, [role], place):
                return True
            above += [pair for pair in _premises(session, user, role, place) if pair not in seen]
            seen.update(above)
        level = above
    return False


def _direct(session: Session, user: Row, role_ids: list[str], place: str) -> bool:
    mine = and_(assignments.c.user_id == user["id"], assignments.c.place == place)
    return bool(session.all_of(assignments, mine, assignments.c.role_id.in_(role_ids)))


def _premises(session: Session, user: Row, role_id: str, place: str) -> list[tuple[str, str]]:
    """What would give the role on the instance, one step back."""
    rules = session.all_of(derivations, derivations.c.role_id == role_id)
    if not rules:
        return []
    always = session.by_id(roles, role_id)["no_direct_roles"]
    mine = and_(assignments.c.user_id == user["id"], assignments.c.place == place)
    has_direct = bool(session.all_of(assignments, mine))
    return [
        (link["subject_id"], rule["source_role_id"])
        for rule in rules
        if not (has_direct and (always or rule["no_direct_roles"]))
        for link in session.all_of(tuples, tuples.c.object_id == place, tuples.c.relation_id == rule["relation_id"])
    ]
