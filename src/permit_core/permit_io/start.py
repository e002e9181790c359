"""Finding out at the start whether Permit.io can be used as the settings say, one setting after the other."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from permit_core.access import Check, ResourceRef
from permit_core.errors import ConfigurationError
from permit_core.permit_io.checks import allowed
from permit_core.permit_io.client import PermitClient
from permit_core.permit_io.faults import PermitFault
from permit_core.settings import Settings

SEED = "permit-mcp seed writes the policy and the facts into Permit.io"


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
    check = Check("start-up", "read", ResourceRef(settings.resource_key), tenant)
    try:
        await allowed(client, [check])
    except PermitFault as fault:
        if fault.status in {401, 403}:
            what = "does not accept PERMIT_API_KEY: it was started with another key"
        elif fault.code == "permit_unreachable":
            what = f"does not answer at {settings.permit_pdp_url}"
        else:
            what = f"gives no decisions at {settings.permit_pdp_url}: {fault.about}"
        raise ConfigurationError(f"PERMIT_PDP_URL: the decision point {what}") from fault


async def check_environment(client: PermitClient, settings: Settings) -> None:
    """Make sure that what the settings name is there.

    Raises:
        ConfigurationError: names the setting, and says what to do.
    """
    named = [
        ("TENANT", settings.tenant, "tenant", await client.facts("tenants", settings.tenant)),
        ("RESOURCE_KEY", settings.resource_key, "resource", await client.schema("resources", settings.resource_key)),
    ]
    for name in ("access_elements_config_id", "operation_elements_config_id"):
        key = getattr(settings, name)
        named.append((name.upper(), key, "element", await client.elements("config", key)))
    for variable, value, what, path in named:
        await _there(client.api("GET", path), f"{variable}: Permit.io has no {what} {value!r}; {SEED}", settings)


async def _there(call: Awaitable[Any], missing: str, settings: Settings) -> None:
    try:
        await call
    except PermitFault as fault:
        if fault.status == 404:
            raise ConfigurationError(missing) from fault
        raise _wrong(fault, settings) from fault


def _wrong(fault: PermitFault, settings: Settings) -> ConfigurationError:
    if fault.status == 401 or (fault.status == 403 and not settings.project_id and not settings.env_id):
        return ConfigurationError(f"PERMIT_API_KEY: Permit.io's API at {settings.permit_api_url} does not accept it")
    if fault.status in {403, 404}:
        return ConfigurationError(
            f"PROJECT_ID or ENV_ID: PERMIT_API_KEY opens no project {settings.project_id!r} with an environment "
            f"{settings.env_id!r}"
        )
    if fault.code == "permit_unreachable":
        return ConfigurationError(f"PERMIT_API_URL: Permit.io's API does not answer at {settings.permit_api_url}")
    return ConfigurationError(f"PERMIT_API_URL: what answers at {settings.permit_api_url} is not Permit.io: {fault}")
