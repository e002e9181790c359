"""The decision point's own address of the facts: the same calls, in the environment of the key.

A decision point may be behind; ``X-Wait-Timeout`` and ``X-Timeout-Policy`` say how long to wait until it has the fact. This
one never is, so there is nothing to wait for, but what cannot be read is refused as it is elsewhere.
"""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import Header

from permit_api.faults import invalid


def read_waiting(
    x_wait_timeout: Annotated[str | None, Header()] = None, x_timeout_policy: Annotated[str | None, Header()] = None
) -> None:
    """Refuse headers that cannot be read.

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
