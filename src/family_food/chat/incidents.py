"""Unexpected errors: the log gets everything, the person a number."""

from __future__ import annotations

import logging
import secrets

logger = logging.getLogger(__name__)


def log_incident(error: BaseException, where: str) -> str:
    """Log an error with its traceback; answers the number it can be found by."""
    incident = secrets.token_hex(6)
    logger.error("incident %s: %s", incident, where, exc_info=error)
    return incident


def apology(incident: str) -> str:
    """What people are told."""
    return f"Something went wrong on the server (incident {incident})."
