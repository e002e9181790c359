"""What the built-in tools answer: typed, published as output schemas, the same for every backend."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from permit_core.views import RequestView


class RequestPage(BaseModel):
    """A page of requests, newest first."""

    requests: list[RequestView]
    total: int
    page: int
    per_page: int


class InstanceView(BaseModel):
    """A resource instance, and how far the acting user may use it."""

    resource_instance: str = Field(description="type:key, to be used in other tools")
    key: str
    name: str
    attributes: dict[str, Any]
    your_access: Literal["allowed", "can_be_requested", "denied"] | None = Field(
        None, description="Whether the acting user may read it; can_be_requested: ask with create_access_request."
    )
    requestable_role: str | None = Field(None, description="The role to ask for when your_access is can_be_requested.")


class InstancePage(BaseModel):
    """A page of resource instances."""

    instances: list[InstanceView]
    total: int
    page: int
    per_page: int
