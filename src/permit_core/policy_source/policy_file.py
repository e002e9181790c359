"""A policy file as it is at a moment: what it says, and who but its owner could have written it."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from permit_core.errors import PolicyFileError
from permit_core.policy.loader import ReadPolicy, policy_of, text_hash
from permit_core.policy.marked_yaml import read_text

SETTLED_SECONDS = 1.0
"""How long a file must be unchanged to be taken as written to its end; clocks of file systems are coarse, too."""

Mark = tuple[int, ...]
"""What changes with a file: another one has another mark."""


@dataclass(frozen=True, slots=True)
class FoundPolicy:
    """What is in a policy file.

    Attributes:
        policy: None where it is no valid one.
        hash: SHA-256 of its text, in hex; empty where there is none.
        fault: what is wrong with it; empty where nothing is.
        writable: who can write it and should not; empty where nobody can.
        settled: whether nobody wrote it just now. What is not settled may be half of something, and change unnoticed.
    """

    policy: ReadPolicy | None
    hash: str
    fault: str
    writable: str
    settled: bool


def mark_of(path: str) -> Mark | None:
    """The mark of a file; None where there is no file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - asked at each call, and this is half of what a Path takes
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def find_policy(path: str, known: FoundPolicy | None = None) -> FoundPolicy:
    """Read a policy file; what is wrong with it is part of the answer. Takes milliseconds, less for a ``known`` text."""
    before, found, fault, policy = mark_of(path), "", "", None
    try:
        text = read_text(path)
        found = text_hash(text)
        if known is not None and found == known.hash:
            policy, fault = known.policy, known.fault
        else:
            policy = policy_of(text, path)
    except PolicyFileError as error:
        fault = str(error)
    age = 0.0 if before is None else time.time() - before[-1] / 1e9
    settled = before == mark_of(path) and (before is None or abs(age) > SETTLED_SECONDS)
    return FoundPolicy(policy, found, fault, writable_by_others(path), settled)


def writable_by_others(path: str) -> str:
    """Who can write a file or its folder beside its owner, root and the owner's private group; empty for nobody.

    A link counts with its own folder and with the one it leads to. What is mounted to be read only can be written by nobody.
    """
    there = Path(path).resolve()
    try:
        owner = there.stat().st_uid
        for place in dict.fromkeys((there, there.parent, Path(path).absolute().parent)):
            facts = place.stat()
            if os.statvfs(place).f_flag & os.ST_RDONLY:
                continue
            if facts.st_mode & stat.S_IWOTH:
                return f"everybody can write {place}"
            if facts.st_mode & stat.S_IWGRP and not _is_private(facts.st_gid, owner):
                return f"the group {_group(facts.st_gid)} can write {place}"
            if facts.st_uid not in {owner, 0}:
                return f"{place} belongs to somebody else than {there} does"
    except OSError as error:
        return f"who can write {there} is not known ({error.strerror})"
    return ""


def _is_private(group: int, owner: int) -> bool:
    """Whether a group is the owner's own, or root's: their first group, with their name, and with nobody else in it."""
    import grp  # only where there is a group that can write
    import pwd

    for user in (owner, 0):
        try:
            person, found = pwd.getpwuid(user), grp.getgrgid(group)
        except KeyError:
            continue
        if person.pw_gid == group and found.gr_name == person.pw_name and set(found.gr_mem) <= {person.pw_name}:
            return True
    return False


def _group(group: int) -> str:
    import grp

    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)
