"""Tests of the package structure: allowed imports, and modules that the server never loads."""

import ast
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from jobs.core.paths import ROOT

TOPS = ("app", "clearframe", "commands", "jobs", "models")
SERVER_PACKAGES = {"jobs.core", "jobs.specs", "models.definitions", "models.definitions.caffe"}
"""The packages outside `app` that the server may import: they need neither torch nor av."""
HEAVY = {"torch", "torchvision", "av", "numba", "numpy", "PIL", "lmdb", "alembic"}
HEAVY |= {"aiohttp", "markdown_it", "natsort", "requests", "tornado", "websocket"}
"""What the server does not load before it has shown its first page."""
MAX_FILES = 16


def is_package(folder: Path) -> bool:
    return (folder / "__init__.py").is_file()


def packages() -> list[str]:
    folders = (path.parent for top in TOPS for path in sorted((ROOT / top).rglob("__init__.py")))
    return [".".join(folder.relative_to(ROOT).parts) for folder in folders]


def package_of(name: str) -> str:
    """The package of a dotted name of this project.

    A module directly in app, jobs, … counts as a package.
    """
    parts = name.split(".")
    depth = max(n for n in range(1, len(parts) + 1) if is_package(ROOT.joinpath(*parts[:n])))
    return ".".join(parts[: max(depth, 2)])


def imported(path: Path) -> Iterator[str]:
    """The project's names that a file imports: `app.files.paths`, `jobs.core.events.read`."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names = [f"{node.module}.{name.name}" for name in node.names]
        yield from (name for name in names if name.partition(".")[0] in TOPS)


def dependencies() -> dict[str, set[str]]:
    """The packages that each package imports, by package."""
    imports: dict[str, set[str]] = {}
    for top in TOPS:
        for path in sorted((ROOT / top).rglob("*.py")):
            package = package_of(
                ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            )
            imports.setdefault(package, set()).update(
                other for other in map(package_of, imported(path)) if other != package
            )
    return imports


def test_imports_between_packages_have_no_cycle() -> None:
    try:
        TopologicalSorter(dependencies()).prepare()
    except CycleError as error:
        pytest.fail(f"These packages import each other: {' → '.join(error.args[1])}")


@pytest.mark.parametrize(
    ("top", "allowed"),
    [
        ("app", {"app", *SERVER_PACKAGES}),
        ("jobs", {"jobs", "models"}),
        ("models", {"models"}),
        ("jobs.core", {"jobs.core", "jobs.specs"}),
        ("jobs.specs", {"jobs.specs"}),
        ("models.definitions", {"models.definitions"}),
    ],
)
def test_packages_import_only_allowed_packages(top: str, allowed: set[str]) -> None:
    def is_in(name: str, package: str) -> bool:
        return f"{name}.".startswith(f"{package}.")

    used = {
        other
        for package, imports in dependencies().items()
        if is_in(package, top)
        for other in imports
    }
    assert not [name for name in used if not any(is_in(name, package) for package in allowed)]


def test_every_package_documents_its_purpose_and_imports() -> None:
    trees = {
        name: ast.parse(ROOT.joinpath(*name.split("."), "__init__.py").read_text())
        for name in packages()
    }
    documented = {name: ast.get_docstring(tree) or "" for name, tree in trees.items()}
    assert not [name for name, text in documented.items() if "import" not in text.lower()]
    assert not [
        name
        for name, tree in trees.items()
        if name not in ("app", "clearframe", "jobs.specs") and len(tree.body) > 1
    ]


@pytest.mark.parametrize(
    "folder",
    ["app", "clearframe", "commands", "jobs", "models", "static/js", "static/css", "templates"],
)
def test_no_folder_has_too_many_files(folder: str) -> None:
    files = [
        path
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".js", ".css", ".html")
    ]
    parents = [path.parent for path in files]
    assert files
    assert not [parent for parent in set(parents) if parents.count(parent) > MAX_FILES]


def test_packages_of_the_server_import_neither_torch_nor_av(
    python: Callable[[str], str],
) -> None:
    paths = [
        path
        for name in sorted(SERVER_PACKAGES)
        for path in sorted(ROOT.joinpath(*name.split(".")).glob("*.py"))
    ]
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in paths
    ]
    assert "models.definitions.networks" in modules
    code = (
        f"import {', '.join(modules)}, sys; "
        "print([name for name in ('torch', 'torchvision', 'av') if name in sys.modules])"
    )
    assert python(code).strip() == "[]"


def test_server_imports_no_heavy_packages_for_its_first_page(
    python: Callable[[str], str], tmp_path: Path
) -> None:
    """Heavy imports would delay the start, which benchmarks/start.py measures."""
    code = f"""
from gevent import monkey; monkey.patch_all()
import run_server, sys
from pathlib import Path
from app.application import create_app
from app.settings import Settings
app = create_app(Settings(home=Path({str(tmp_path)!r})), work=False)
print(app.test_client().get("/").status_code, *sorted({HEAVY!r} & sys.modules.keys()))
"""
    assert python(code).split() == ["200"]  # The first start creates the database.
    assert python(code).split() == ["200"]
