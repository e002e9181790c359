"""Run as a script, ``src/permit_mcp/server.py`` has its own folder first on ``sys.path``."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "src" / "permit_mcp"
MODULES = sorted(FOLDER.rglob("*.py"))


@pytest.mark.parametrize("module", [path.stem for path in MODULES if path.stem != "__init__"])
def test_no_module_beside_the_script_shadows_one_that_is_imported(module: str) -> None:
    assert module not in sys.stdlib_module_names
    assert module not in packages_distributions()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_imports_are_absolute(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
