"""The port that policies come through: which one decides in an environment, at this moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from permit_core.policy.model import PolicyModel


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A policy, and what tells it from every other one. By itself it is a source that never changes.

    Attributes:
        model: what decides.
        hash: SHA-256 of what the policy was read from, in hex; stands in every audit record.
        number: which of its environment's policies it is, counted from 1; 0 where nobody counts.
    """

    model: PolicyModel
    hash: str = ""
    number: int = 0

    def current(self, environment: str) -> PolicyVersion:
        """Itself."""
        return self

    async def renew(self, environment: str) -> PolicyVersion:
        """Itself."""
        return self

    def must_fit(self, check: Callable[[PolicyModel], object]) -> None:
        """No other one comes."""

    async def close(self) -> None:
        """Nothing is open."""


class PolicySource(Protocol):
    """Gives each environment the policy that decides in it, which can become another one while the program runs."""

    def current(self, environment: str) -> PolicyVersion:
        """The policy in force; within :func:`one_version` always the same. Costs nothing and never waits."""
        ...

    async def renew(self, environment: str) -> PolicyVersion:
        """Look whether there is another one, and take it up. For the door: whatever comes in is judged by the newest.

        Raises:
            StoreError: it cannot be found out which policy is in force.
            ConfigurationError: none can be.
        """
        ...

    def must_fit(self, check: Callable[[PolicyModel], object]) -> None:
        """Take up, from now on, no policy that does not fit the program.

        Args:
            check: raises ConfigurationError for a policy that does not; takes milliseconds.
        """
        ...

    async def close(self) -> None:
        """End what looks for changes."""
        ...


_held: ContextVar[tuple[PolicySource, str, PolicyVersion] | None] = ContextVar("policy_version", default=None)


def held(source: PolicySource, environment: str) -> PolicyVersion | None:
    """What a source has to answer within :func:`one_version`; None outside. For implementations."""
    kept = _held.get()
    return kept[2] if kept is not None and kept[0] is source and kept[1] == environment else None


@contextmanager
def one_version(
    source: PolicySource, environment: str, version: PolicyVersion | None = None
) -> Iterator[PolicyVersion]:
    """Have the source answer with one version within, so that a judgement and its record are of the same policy.

    Args:
        source: whose answers.
        environment: for which environment.
        version: which version; the current one when None.
    """
    chosen = version or source.current(environment)
    token = _held.set((source, environment, chosen))
    try:
        yield chosen
    finally:
        _held.reset(token)


@contextmanager
def any_version() -> Iterator[None]:
    """Undo :func:`one_version` within: what runs long is told of a policy that changes meanwhile."""
    token = _held.set(None)
    try:
        yield
    finally:
        _held.reset(token)
