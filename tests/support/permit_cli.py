"""Permit.io's command line, pointed at a server of ours.

It has its addresses as constants, and keeps a key in the key ring of whoever runs it: both are others in a copy.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.cache import CACHE

PACKAGE = "@permitio/cli"
INSTALL_SECONDS = 180
RUN_SECONDS = 90
# What stands in the build -> what stands in the copy.
ADDRESSES = re.compile(r"""(['"`])https://(?:api\.\$\{subdomain\}|cloudpdp\.api\.)permit\.io\1""")
NO_KEY_RING = "export default { getPassword: async () => null, setPassword: async () => {}, deletePassword: async () => false };\n"


def installed() -> Path:
    """The folder whose ``node_modules`` has the command line, once for all runs; skips where that cannot be."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("npm and node are needed for Permit.io's command line")
    folder = CACHE / "permit-cli"
    program = folder / "node_modules" / PACKAGE / "dist" / "cli.js"
    if not program.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        # Scripts of packages are not run: that of its key ring fetches a program.
        options = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [npm, "install", *options, PACKAGE], capture_output=True, timeout=INSTALL_SECONDS, check=False
            )
    if not program.is_file():
        pytest.skip(f"npm cannot install {PACKAGE} here, and no build of it lies in {folder} or beside the checkout")
    return folder


class PermitCli:
    """A copy that asks a server of ours.

    Args:
        folder: for the copy.
        url: of the server, control plane and decision point.
    """

    def __init__(self, folder: Path, url: str) -> None:
        package = installed() / "node_modules" / PACKAGE
        self._folder = folder / "permit-cli"
        shutil.copytree(package / "dist", self._folder / "dist")
        shutil.copy(package / "package.json", self._folder)
        inside = package / "node_modules"
        (self._folder / "node_modules").symlink_to(inside if inside.is_dir() else package.parents[1])
        config = self._folder / "dist" / "config.js"
        written, count = ADDRESSES.subn(f"'{url}'", config.read_text(encoding="utf-8"))
        assert count == 2, "the addresses are written in another way"
        config.write_text(written, encoding="utf-8")
        auth = self._folder / "dist" / "lib" / "auth.js"
        auth.write_text(auth.read_text(encoding="utf-8").replace("'keytar'", "'./no_key_ring.js'"), encoding="utf-8")
        auth.with_name("no_key_ring.js").write_text(NO_KEY_RING, encoding="utf-8")

    def run(self, *arguments: str) -> str:
        """Run a command; what it printed. It says of some commands that they failed when they did not."""
        command = ["node", str(self._folder / "dist" / "cli.js"), *arguments]
        done = subprocess.run(
            command,
            cwd=self._folder,
            env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "CI": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        return done.stdout + done.stderr
