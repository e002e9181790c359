"""The one client of Permit.io: the official SDK, its REST API where the SDK has no method, and its decision point.

Every call ends in time. A call that changes nothing is repeated a few times where that may help; any other only when it
was answered with 429, by which it was not done. Decisions are asked for over HTTP and not with the SDK: it takes anything that is not false for a yes, drops
what ``Retry-After`` says, and opens a connection for each question.
"""

from __future__ import annotations

import asyncio
import logging
import random
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from permit_core.errors import ConfigurationError
from permit_core.permit_io.faults import PermitFault, nonsense, of_sdk, of_status, problem_of, unreachable, unsendable
from permit_core.settings import Settings

if TYPE_CHECKING:
    import httpx
    from permit import Permit

T = TypeVar("T")
Answer = TypeVar("Answer", bound=BaseModel)
Parameters = Mapping[str, str | int]

logger = logging.getLogger(__name__)

ATTEMPTS = 3
TOO_MANY = 429
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 2.0
CALL_SECONDS = 4
"""Longest wait for one answer."""
WHOLE_SECONDS = 8.0
"""Longest wait for one call with its repetitions, and for the calls of one step of a request: less than writers wait for
each other in our database, for they are made while a transaction is open."""
MOST_ANSWER_BYTES = 16 * 1024 * 1024


class _Scope(BaseModel):
    organization_id: str
    project_id: str | None = None
    environment_id: str | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """Which environment of which project, as they stand in addresses."""

    project: str
    environment: str


class PermitClient:
    """Made without a connection and without an event loop: both belong to whoever asks first.

    Args:
        settings: key, addresses, tenant, project and environment.

    Raises:
        ConfigurationError: the ``permit`` extra is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # it warns of parts of itself
                import permit  # here, so that start-up says it, and a forked process finds it imported
        except ImportError:
            raise ConfigurationError(
                "PERMIT_API_KEY is set, but Permit.io's SDK is not installed: install permit-mcp[permit]"
            ) from None
        self._new_sdk = permit.Permit
        self._key = settings.permit_api_key.get_secret_value()
        self._settings = settings
        self.environment = settings.environment
        self.tenant = settings.tenant
        self.api_url = settings.permit_api_url
        self.pdp_url = settings.permit_pdp_url.rstrip("/")
        self._sdk: Permit | None = None
        self._http: httpx.AsyncClient | None = None
        self._environment: Environment | None = None

    async def sdk(self, about: str, call: Callable[[Permit], Awaitable[T]], *, safe: bool = False) -> T:
        """One call of the SDK.

        Args:
            about: what it is, for the log; no secrets.
            call: makes it.
            safe: it changes nothing, or doing it twice is doing it once.

        Raises:
            PermitFault: it did not succeed; ``status`` tells a 404 from a 409.
        """

        async def once() -> T:
            try:
                return await call(self._permit())
            except Exception as error:
                fault = of_sdk(error, about)
                if fault is None:
                    raise
                raise fault from error

        return await _patiently(about, once, safe=safe)

    async def api(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        query: Parameters | None = None,
        safe: bool | None = None,
        bearer: str | None = None,
    ) -> Any:
        """One call of the REST API: the JSON of the answer, None when it has none.

        Args:
            method: ``GET`` and so on.
            path: made with :meth:`facts` and friends, or a constant.
            body: sent as JSON.
            query: the parameters.
            safe: as of :meth:`sdk`; a GET is.
            bearer: instead of the API key.

        Raises:
            PermitFault: as of :meth:`sdk`.
        """
        harmless = method == "GET" if safe is None else safe
        return await self._call(method, self.api_url + path, body, query, safe=harmless, bearer=bearer)

    async def ask_pdp(self, path: str, body: Any) -> Any:
        """One question to the decision point; asking twice is asking once."""
        return await self._call("POST", self.pdp_url + path, body, None, safe=True, bearer=None)

    async def facts(self, *parts: str) -> str:
        """The path of something below the environment's facts."""
        return await self._path("facts", parts)

    async def elements(self, *parts: str) -> str:
        """The path of something below the environment's elements."""
        return await self._path("elements", parts)

    async def schema(self, *parts: str) -> str:
        """The path of something below the environment's schema."""
        return await self._path("schema", parts)

    async def scope(self) -> Environment:
        """The environment of the key; PROJECT_ID and ENV_ID, where they are set, say which.

        Raises:
            PermitFault: the API does not answer, or not with the key's scope.
            ConfigurationError: the key is of no environment, and the settings name none.
        """
        if self._environment is None:
            found = parsed(_Scope, await self.api("GET", "/v2/api-key/scope"), "the key's scope")
            project = self._settings.project_id or found.project_id
            environment = self._settings.env_id or found.environment_id
            if project is None or environment is None:
                raise ConfigurationError(
                    "PERMIT_API_KEY is not the key of one environment: use that of an environment, from its settings"
                )
            if found.environment_id is None:
                raise ConfigurationError(
                    "PERMIT_API_KEY opens more than one environment: use the key of the environment ENV_ID alone"
                )
            self._environment = Environment(project, environment)
        return self._environment

    async def close(self) -> None:
        """Close every connection; they are opened again when somebody asks. The SDK keeps none."""
        kept, self._http = self._http, None
        if kept is not None:
            await kept.aclose()

    async def _path(self, area: str, parts: tuple[str, ...]) -> str:
        scope = await self.scope()
        return "/v2/" + "/".join(escaped(part) for part in (area, scope.project, scope.environment, *parts))

    def _permit(self) -> Permit:
        if self._sdk is None:
            self._sdk = self._new_sdk(
                token=self._key,
                pdp=self.pdp_url,
                api_url=self.api_url,
                api_timeout=CALL_SECONDS,
                pdp_timeout=CALL_SECONDS,
            )
        return self._sdk

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            import httpx

            self._http = httpx.AsyncClient(timeout=CALL_SECONDS, follow_redirects=False)
        return self._http

    async def _call(
        self, method: str, url: str, body: Any, query: Parameters | None, *, safe: bool, bearer: str | None
    ) -> Any:
        import httpx

        about = f"{method} {httpx.URL(url).path}"

        async def once() -> Any:
            try:
                reply = await self._client().request(
                    method,
                    url,
                    json=body,
                    params=dict(query or {}),
                    headers={"authorization": f"Bearer {bearer or self._key}"},
                )
            except (httpx.LocalProtocolError, UnicodeEncodeError) as error:
                # The error's text has the header in it, and with it the key: it is not to be seen as the cause either.
                raise unsendable(f"{about}: {type(error).__name__}") from None
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise unreachable(f"{about}: {type(error).__name__}") from error
            return _content(reply, about)

        return await _patiently(about, once, safe=safe)


@asynccontextmanager
async def in_time(about: str) -> AsyncIterator[None]:
    """End several calls that belong together as if they were one.

    Raises:
        PermitFault: ``permit_unreachable``: the body took too long.
    """
    try:
        async with asyncio.timeout(WHOLE_SECONDS):
            yield
    except TimeoutError:
        raise unreachable(f"{about}: not within {WHOLE_SECONDS:g} seconds") from None


def _content(reply: httpx.Response, about: str) -> Any:
    if not reply.is_success:
        try:
            said = problem_of(reply.json())
        except ValueError:
            said = ""
        raise of_status(reply.status_code, reply.headers.get("retry-after"), about, said)
    if reply.status_code == 204:
        return None
    try:
        return reply.json()
    except ValueError as error:
        raise nonsense(f"{about}: no JSON") from error


async def _patiently(about: str, once: Callable[[], Awaitable[T]], *, safe: bool) -> T:
    """Try until it succeeds, or trying again does not help, or the time is over."""
    async with in_time(about):
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await once()
            except PermitFault as fault:
                pause = _pause(attempt, fault)
                # What was answered with 429 was not done, whatever it is.
                again = fault.passing if safe else fault.status == TOO_MANY
                if not again or attempt == ATTEMPTS or pause > LONGEST_PAUSE_SECONDS:
                    raise
            await asyncio.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _pause(attempt: int, fault: PermitFault) -> float:
    if fault.retry_after is not None:
        return fault.retry_after
    # Not all at the same moment; nothing secret comes of it.
    return float(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1))  # noqa: S311


def escaped(part: str) -> str:
    """A text as one part of a path, whatever is in it.

    Raises:
        ValueError: it would be another path: nothing, ``.`` or ``..``.
    """
    if part in {"", ".", ".."}:
        raise ValueError("that is no part of a path")
    return quote(part, safe="")


def parsed(shape: type[Answer], answer: Any, about: str) -> Answer:
    """An answer in the shape it should have.

    Raises:
        PermitFault: ``permit_nonsense``.
    """
    try:
        return shape.model_validate(answer)
    except ValidationError as error:
        raise nonsense(f"{about}: {error.error_count()} wrong fields") from error
