"""What the project promises of its own shape."""

import ast
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from importlib.metadata import PackageNotFoundError, distributions, packages_distributions, version
from pathlib import Path

import grimp
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
TOP_LEVEL = ["server.py", "client.py", "food_ordering_mcp.py", "utils.py"]
SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / name for name in TOP_LEVEL)])


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: the tracked files are not known")
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_a_module_has_at_most_600_lines_and_a_function_at_most_80() -> None:
    sizes = []
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        functions = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
        sizes.append((name_of(path), len(text.splitlines()), 600))
        sizes.extend((f"{name_of(path)}: {f.name}", (f.end_lineno or 0) - f.lineno + 1, 80) for f in functions)
    assert [f"{name}: {lines} lines, {most} are allowed" for name, lines, most in sizes if lines > most] == []


def test_no_files_import_each_other_in_a_circle_for_their_types_neither() -> None:
    packages = sorted(path.name for path in (ROOT / "src").iterdir() if (path / "__init__.py").is_file())
    graph = grimp.build_graph(*packages, cache_dir=None, exclude_type_checking_imports=False)
    assert len(graph.modules) > 300
    TopologicalSorter({name: graph.find_modules_directly_imported_by(name) for name in graph.modules}).prepare()


def test_every_room_is_named_for_what_is_in_it() -> None:
    vague = {"utils", "helpers", "common", "manager", "misc"}
    assert [name_of(path) for path in (ROOT / "src").rglob("*.py") if path.stem in vague] == []


def test_nothing_under_src_imports_the_top_level_files() -> None:
    top = {Path(name).stem for name in TOP_LEVEL}
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            assert not {name.split(".")[0] for name in names} & top, name_of(path)


def test_no_file_names_a_machine_or_a_package_registry() -> None:
    # Written in pieces, so that this file does not name them either.
    forbidden = re.compile(
        "|".join(["/" + "work/", "/" + "root/", "pypi" + r"\.org", "files" + r"\.pythonhosted", "npmjs" + r"\."])
    )
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name_of(path)}: {match.group()}" for match in forbidden.finditer(text)]
    assert found == []


def test_the_lock_file_stays_out_of_git() -> None:
    assert [path for path in tracked_files() if path.name == "uv.lock"] == []


def test_the_environment_has_exactly_the_pinned_versions() -> None:
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]["constraint-dependencies"]
    different = []
    for pin in map(Requirement, pins):
        if pin.marker and not pin.marker.evaluate():
            continue
        try:
            installed = version(pin.name)
        except PackageNotFoundError:
            continue  # needed on another platform only
        if installed not in pin.specifier:
            different.append(f"{pin} but {installed} is installed")
    assert different == [], "run `uv sync`, or `just lock` to take newer versions"


def test_everything_that_is_installed_is_pinned() -> None:
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]["constraint-dependencies"]
    installed = {one.metadata["Name"].lower().replace("_", "-").replace(".", "-") for one in distributions()}
    # Ours, and what environments bring along.
    unpinned = (
        installed
        - {Requirement(pin).name for pin in pins}
        - {"family-food", "permit-mcp", "pip", "setuptools", "wheel"}
    )
    assert unpinned == set(), "run `just lock`, or add a pin"


def test_the_library_declares_what_it_imports() -> None:
    declared = tomllib.loads((ROOT / "src" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [one for several in declared["optional-dependencies"].values() for one in several]
    known = {Requirement(one).name for one in [*declared["dependencies"], *extras]}
    # What a dependency of ours is made of, by its own account.
    known |= {"pydantic-core", "starlette", "aiohttp", "mcp-types", "fastmcp-slim"}
    brought_by = packages_distributions()
    missing = {}
    for path in (path for package in ("permit_core", "permit_mcp") for path in (ROOT / "src" / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            for top in {name.partition(".")[0] for name in names} - {"permit_core", "permit_mcp"}:
                brings = {name.lower().replace("_", "-") for name in brought_by.get(top, [])}
                if top not in sys.stdlib_module_names and not brings & known:
                    missing[top] = name_of(path)
    assert missing == {}, "a dependency, or an extra, of src/pyproject.toml"


def test_nothing_of_an_extra_is_imported_before_it_is_needed() -> None:
    extras = tomllib.loads((ROOT / "src" / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    names = {Requirement(one).name for several in extras.values() for one in several} - {
        "httpx2",
        "uvicorn",
    }  # mcp has them
    tops = sorted(
        top
        for top, of in packages_distributions().items()
        if names & {name.lower().removesuffix("-slim") for name in of} and top.isidentifier()
    )
    assert {"httpx", "jose", "joserfc", "permit", "asyncpg", "fastmcp"} <= set(tops)
    code = f"import sys; sys.modules.update(dict.fromkeys({tops!r})); import permit_mcp.command_line, permit_mcp.server"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_server_is_made_without_what_its_client_would_wait_for(tmp_path: Path) -> None:
    policy = ROOT / "policies" / "family_food.yaml"
    code = f"""
import sys
from mcp.server import MCPServer
from permit_mcp import PermitServer
PermitServer(MCPServer("quick"), acting_user="me", policy={str(policy)!r})
slow = {{"alembic", "aiosqlite", "asyncpg", "sqlalchemy", "typer", "permit_core.bootstrap"}}
sys.exit(", ".join(sorted(slow & sys.modules.keys())) or 0)
"""
    environment = {"PYTHONPATH": str(ROOT / "src"), "ENV_FILE": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, f"imported before the first request: {done.stderr}"


def test_ci_runs_the_readmes_test_command_word_for_word() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = re.search(r"## Two commands.*?```bash\n(.*?)\n```\n.*?```bash\n(.*?)\n```", readme, re.DOTALL)
    assert commands, "README.md has a section 'Two commands' with two bash blocks"
    assert f"\n{commands.group(2)}\n" in script
    assert f"\n{commands.group(2)} -m slow\n" in script, "what the second command leaves out"
