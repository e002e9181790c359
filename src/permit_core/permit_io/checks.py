"""Asking Permit.io's decision point, and believing nothing but a clear answer."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, StrictBool

from permit_core.access import Check
from permit_core.permit_io.client import PermitClient, parsed
from permit_core.permit_io.faults import nonsense

MOST_AT_ONCE = 100


class _Allowed(BaseModel):
    model_config = ConfigDict(extra="ignore")

    allow: StrictBool


class _Bulk(BaseModel):
    model_config = ConfigDict(extra="ignore")

    allow: list[_Allowed]


async def allowed(client: PermitClient, checks: list[Check]) -> list[bool]:
    """Whether each check is allowed, in their order.

    Raises:
        PermitFault: the decision point does not answer, or not each question with true or false.
    """
    found: list[bool] = []
    for start in range(0, len(checks), MOST_AT_ONCE):
        asked = checks[start : start + MOST_AT_ONCE]
        answer = await client.ask_pdp("/allowed/bulk", [_query(check) for check in asked])
        # Some decision points wrap it.
        body = answer["result"] if isinstance(answer, dict) and "allow" not in answer and "result" in answer else answer
        given = parsed(_Bulk, body, "decisions").allow
        if len(given) != len(asked):
            raise nonsense(f"{len(given)} decisions for {len(asked)} questions")
        found += [each.allow for each in given]
    return found


def _query(check: Check) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "type": check.resource.type,
        "tenant": check.actor.tenant,
        "context": {"tenant": check.actor.tenant},
    }
    if check.resource.key is not None:
        resource["key"] = check.resource.key
    if check.resource_attributes:
        resource["attributes"] = dict(check.resource_attributes)
    user: dict[str, Any] = {"key": check.actor.user}
    if check.user_attributes:
        user["attributes"] = dict(check.user_attributes)
    return {"user": user, "action": check.action, "resource": resource, "context": dict(check.context)}
