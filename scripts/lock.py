"""Write the pinned version of every dependency, transitive ones too, into pyproject.toml.

A lock file would name the hosts it was made from; ``[tool.uv] constraint-dependencies`` names versions only. It stands in
pyproject.toml because ``uv lock``, and so ``uv sync`` and ``uv run``, read constraints nowhere else: those of a uv.toml or of
UV_CONSTRAINT are for ``uv pip`` alone. Run it with ``just lock``: it resolves afresh in an empty folder, without the pins
that stand there now.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import tomllib
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = "src/pyproject.toml"
PINS = re.compile(r"(?<=\n)\[tool\.uv\]\nconstraint-dependencies = \[\n.*?\n\]\n", re.DOTALL)


def resolve(pyproject: str) -> list[str]:
    """One ``name==version`` a package, with its marker where versions differ between Pythons."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "pyproject.toml").write_text(pyproject, encoding="utf-8")
        (place / "src").mkdir()
        shutil.copy(ROOT / LIBRARY, place / LIBRARY)
        for distribution in (place, place / "src"):
            (distribution / "README.md").touch()
            (distribution / "LICENSE").touch()
        uv = shutil.which("uv")
        if uv is None:
            raise SystemExit("uv is needed: python3 -m pip install uv")
        subprocess.run([uv, "lock", "--quiet"], cwd=place, check=True)  # noqa: S603
        lock = tomllib.loads((place / "uv.lock").read_text(encoding="utf-8"))
    versions: dict[str, list[tuple[str, list[str]]]] = defaultdict(list)
    for package in lock["package"]:
        if "registry" in package["source"]:
            versions[package["name"]].append((package["version"], package.get("resolution-markers", [])))
    pins = []
    for name, found in sorted(versions.items()):
        for version, markers in found:
            marker = " or ".join(f"({m})" for m in markers) if len(found) > 1 else ""
            pins.append(f"{name}=={version}" + (f" ; {marker}" if marker else ""))
    return pins


def main() -> None:
    """Rewrite the pins in place."""
    file = ROOT / "pyproject.toml"
    text = PINS.sub("", file.read_text(encoding="utf-8")).rstrip() + "\n"
    lines = "".join(f"    {_quoted(pin)},\n" for pin in resolve(text))
    file.write_text(f"{text}\n[tool.uv]\nconstraint-dependencies = [\n{lines}]\n", encoding="utf-8")


def _quoted(pin: str) -> str:
    return f"'{pin}'" if '"' in pin else f'"{pin}"'


if __name__ == "__main__":
    main()
