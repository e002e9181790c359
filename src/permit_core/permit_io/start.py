"""Finding out at the start whether Permit.io can be used as the settings say, one setting after the other."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from permit_core.access import Check, ResourceRef
from permit_core.errors import ConfigurationError
from permit_core.identity import Actor
from permit_core.permit_io.checks import allowed
from permit_core.permit_io.client import PermitClient, parsed
from permit_core.permit_io.faults import PermitFault
from permit_core.policy.model import PolicyModel
from permit_core.settings import Settings

SEED = "permit-mcp seed writes the policy and the facts into Permit.io"
NO_TENANT = "set TENANT to one that is there, or name it in FACTS_FILE, whose tenants permit-mcp seed makes"


class _Element(BaseModel):
    elements_type: str


async def check_account(client: PermitClient, settings: Settings) -> None:
    """Make sure that key, project and environment are right and the decision point takes the key.

    Raises:
        ConfigurationError: names the setting that is wrong, and never its value when that is a key.
    """
    try:
        await client.scope()
        await client.api("GET", await client.schema("resources"), query={"page": 1, "per_page": 1})
    except PermitFault as fault:
        raise _wrong(fault, settings) from fault
    tenant = settings.tenant
    check = Check(
        Actor(settings.environment, tenant, "start-up"), "read", ResourceRef(settings.resource_key or "resource")
    )
    try:
        await allowed(client, [check])
    except PermitFault as fault:
        if fault.status in {401, 403}:
            what = "does not accept PERMIT_API_KEY: it was started with another key"
        elif fault.status >= 500:
            what = f"answers with {fault.status} at {settings.permit_pdp_url}: {fault.about}"
        elif fault.code == "permit_unreachable":
            what = f"does not answer at {settings.permit_pdp_url}"
        else:
            what = f"gives no decisions at {settings.permit_pdp_url}: {fault.about}"
        raise ConfigurationError(f"PERMIT_PDP_URL: the decision point {what}") from fault


async def check_environment(client: PermitClient, settings: Settings, model: PolicyModel) -> None:
    """Make sure that what the settings name is there, and is what it is named for.

    Raises:
        ConfigurationError: names the setting, and says what to do.
    """
    await _found(client, settings, "TENANT", "tenant", await client.facts("tenants", settings.tenant))
    asked_about = sorted({rule.resource for rule in model.access_requests} or model.resources)
    if settings.resource_key not in asked_about:
        raise ConfigurationError(
            f"RESOURCE_KEY: {settings.resource_key!r} is no type that access is asked for; expected "
            f"{' or '.join(asked_about)}, which the policy's access_requests name"
        )
    path = await client.schema("resources", settings.resource_key)
    await _found(client, settings, "RESOURCE_KEY", "resource", path)
    await _element(client, settings, "access_elements_config_id", "user_management")
    await _element(client, settings, "operation_elements_config_id", "approval_management")


async def _element(client: PermitClient, settings: Settings, name: str, expected: str) -> None:
    key = getattr(settings, name)
    answer = await _found(client, settings, name.upper(), "element", await client.elements("config", key))
    try:
        found = parsed(_Element, answer, f"the element {key}").elements_type
    except PermitFault as fault:
        raise _wrong(fault, settings) from fault
    if found != expected:
        usual = Settings.model_fields[name].default
        raise ConfigurationError(
            f"{name.upper()}: the element {key!r} is of the type {found}; expected the key of one of the type "
            f"{expected}, which permit-mcp seed names {usual}"
        )


async def _found(client: PermitClient, settings: Settings, variable: str, what: str, path: str) -> Any:
    try:
        return await client.api("GET", path)
    except PermitFault as fault:
        if fault.status == 404:
            value = getattr(settings, variable.lower())
            remedy = NO_TENANT if variable == "TENANT" else SEED
            raise ConfigurationError(f"{variable}: Permit.io has no {what} {value!r}; {remedy}") from fault
        raise _wrong(fault, settings) from fault


def _wrong(fault: PermitFault, settings: Settings) -> ConfigurationError:
    if (fault.code == "permit_refused" and fault.status in {0, 401}) or (
        fault.status == 403 and not settings.project_id and not settings.env_id
    ):
        return ConfigurationError(f"PERMIT_API_KEY: Permit.io's API at {settings.permit_api_url} does not accept it")
    if fault.status in {403, 404}:
        return ConfigurationError(
            f"PROJECT_ID or ENV_ID: PERMIT_API_KEY opens no project {settings.project_id!r} with an environment "
            f"{settings.env_id!r}"
        )
    if fault.status >= 500:
        return ConfigurationError(
            f"PERMIT_API_URL: what is at {settings.permit_api_url} answers with {fault.status}: {fault.about}"
        )
    if fault.code == "permit_unreachable":
        return ConfigurationError(f"PERMIT_API_URL: Permit.io's API does not answer at {settings.permit_api_url}")
    return ConfigurationError(f"PERMIT_API_URL: what answers at {settings.permit_api_url} is not Permit.io: {fault}")
