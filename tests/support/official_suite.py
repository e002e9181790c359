"""The official SDK's own end-to-end tests, from its source distribution, run unchanged against a server of ours.

The distribution leaves out the suite's fixtures and helpers; those here are made from how its tests use them. It is
fetched once, into the cache, and unpacked into a folder that goes away.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.support.cache import CACHE
from tests.support.permit_local import Environment
from tests.support.uv_tool import Unavailable, bare_of_python, in_its_own_environment

RELEASE = "permit==3.0.0"
BESIDE = ("pytest>=8", "pytest-asyncio", "pytest-httpserver")
FETCH_SECONDS = 180
RUN_SECONDS = 300

UTILS = """
import uuid
import pytest

def unique_key(prefix):
    return f"{prefix}-{uuid.uuid4().hex}"

def handle_api_error(error, message):
    pytest.fail(f"{message}: {error.status_code} {error}")

def handle_cleanup_error(error, message):
    if error.status_code != 404:
        pytest.fail(f"{message}: {error.status_code} {error}")
"""

CONFTEST = """
import os
import pytest
from permit import Permit, PermitConfig
from permit.sync import Permit as SyncPermit

@pytest.fixture
def permit_config():
    return PermitConfig(
        token=os.environ["PDP_API_KEY"], pdp=os.environ["PDP_URL"], api_url=os.environ["PDP_CONTROL_PLANE"]
    )

@pytest.fixture
def permit(permit_config):
    return Permit(permit_config)

@pytest.fixture
def sync_permit(permit_config):
    return SyncPermit(permit_config)
"""

SETTINGS = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
markers = e2e: needs a server
"""


def fetch_suite(folder: Path) -> list[Path]:
    """Unpack the distribution and make its tests ready to run; the files with end-to-end tests.

    Raises:
        Unavailable: there is no uv, or no package index.
    """
    kept = CACHE / "sdists" / f"{RELEASE.replace('==', '-')}.tar.gz"
    if not kept.exists():
        _download(folder, kept)
    with tarfile.open(kept) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    # A folder of its own, where nothing but what is installed is called permit.
    suite = folder / "suite" / "tests"
    shutil.copytree(unpacked / "tests", suite)
    for name, text in (("__init__.py", ""), ("utils.py", UTILS), ("conftest.py", CONFTEST)):
        if not (suite / name).exists():
            (suite / name).write_text(text, encoding="utf-8")
    (suite.parent / "pytest.ini").write_text(SETTINGS, encoding="utf-8")
    return sorted(path for path in suite.glob("test_*.py") if "pytest.mark.e2e" in path.read_text(encoding="utf-8"))


def _download(folder: Path, kept: Path) -> None:
    pip = [*in_its_own_environment("pip"), "python", "-m", "pip"]
    download = [*pip, "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(folder), RELEASE]
    done = subprocess.run(
        download, cwd=folder, env=bare_of_python(), capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
    )
    archives = list(folder.glob("permit-*.tar.gz"))
    if done.returncode or not archives:
        raise Unavailable(f"pip cannot fetch the source distribution of {RELEASE}: {done.stderr.strip()[-500:]}")
    kept.parent.mkdir(parents=True, exist_ok=True)
    whole = kept.with_name(f"{os.getpid()}-{kept.name}")  # another run may be at it too
    shutil.move(archives[0], whole)
    whole.replace(kept)


def run_suite(files: list[Path], server: Environment) -> tuple[dict[str, str], str]:
    """The outcome of each test, ``passed``, ``failed`` or ``skipped``; and what was printed."""
    folder = files[0].parents[1]
    report = folder / "report.xml"
    command = [
        *(*in_its_own_environment(RELEASE, *BESIDE), "python", "-m", "pytest"),
        *("-q", "--tb=short", "-p", "no:cacheprovider", f"--junitxml={report}"),
        *(str(path.relative_to(folder)) for path in files),
    ]
    addresses = {"PDP_API_KEY": server.key, "PDP_URL": server.url, "PDP_CONTROL_PLANE": server.url}
    done = subprocess.run(
        command,
        cwd=folder,
        env=bare_of_python(**addresses),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert report.exists(), done.stdout
    outcomes = {}
    for case in ET.parse(report).iter("testcase"):
        tags = {child.tag for child in case}
        outcome = "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"
        outcomes[f"{str(case.get('classname')).rpartition('.')[2]}::{case.get('name')}"] = outcome
    return outcomes, done.stdout
