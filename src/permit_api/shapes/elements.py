"""Bodies about elements and the requests that go through them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from permit_api.shapes.parts import Body, Ident, Key, Name, Text
from permit_core.approvals.wording import COMMENT_CHARACTERS, REASON_CHARACTERS

Level = Literal["LEVEL_1", "LEVEL_2", "LEVEL_3", "LEVEL_4", "HIDDEN", "UNCONFIGURED"]
ElementsType = Literal["user_management", "audit_log", "approval_flow", "operation_approval", "approval_management"]

Reason = Annotated[Text, Field(max_length=REASON_CHARACTERS)]
Comment = Annotated[Text, Field(max_length=COMMENT_CHARACTERS)]


class Webhook(Body):
    """Where decisions are to be told. It is kept, and not called."""

    type: Literal["elements"] = "elements"
    url: Text
    bearer_token: Text | None = None


class ElementsConfigUpdate(Body):
    """What changes of an element."""

    name: Name | None = None
    elements_type: ElementsType | None = None
    settings: dict[Name, int | Text | bool] | None = None
    email_notifications: bool | None = None
    roles_to_levels: dict[Level, list[Ident]] | None = None
    webhook: Webhook | None = None


class ElementsConfigCreate(ElementsConfigUpdate):
    """A new element."""

    key: Key
    name: Name
    elements_type: ElementsType
    settings: dict[Name, int | Text | bool]
    roles_to_levels: dict[Level, list[Ident]]


class OperationDetails(Body):
    """What is asked to be done once."""

    tenant: Ident
    resource: Ident
    resource_instance: Ident | None = None


class AccessDetails(Body):
    """Which role is asked for, and where."""

    tenant: Ident
    resource: Ident | None = None
    resource_instance: Ident | None = None
    role: Ident


class AccessRequestCreate(Body):
    """A request for a role."""

    access_request_details: AccessDetails
    reason: Reason | None = None


class OperationApprovalCreate(Body):
    """A request to do something once."""

    access_request_details: OperationDetails
    reason: Reason | None = None


class Review(Body):
    """A decision, or a comment, on an operation approval; or the denial of an access request."""

    reviewer_comment: Comment | None = None


class AccessReview(Review):
    """A decision on an access request; ``role`` grants another role than the one asked for."""

    role: Ident | None = None


class LoginAs(Body):
    """Whom an element is to act for, and in which tenant."""

    user_id: Ident
    tenant_id: Ident
