"""The rooms of the project: who may import whom, and what the server never loads."""

import ast
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from jobs.core.paths import ROOT

TOPS = ("app", "commands", "jobs", "models")
OF_THE_SERVER = {"jobs.core", "jobs.specs", "models.definitions", "models.definitions.caffe"}
"""The packages beside its own that the server may import: they need neither torch nor av."""
HEAVY = {"torch", "torchvision", "av", "numpy", "PIL", "lmdb", "alembic"}
MOST_FILES = 16


def is_package(folder: Path) -> bool:
    return (folder / "__init__.py").is_file()


def packages() -> list[str]:
    folders = (path.parent for top in TOPS for path in sorted((ROOT / top).rglob("__init__.py")))
    return [".".join(folder.relative_to(ROOT).parts) for folder in folders]


def home_of(name: str) -> str:
    """The package that a dotted name of ours lives in; a module directly in app, jobs, … stands for itself."""
    parts = name.split(".")
    depth = max(n for n in range(1, len(parts) + 1) if is_package(ROOT.joinpath(*parts[:n])))
    return ".".join(parts[: max(depth, 2)])


def imported(path: Path) -> Iterator[str]:
    """The names of ours that a file imports, wherever in it: `app.files.paths`, `jobs.core.events.read`."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names = [f"{node.module}.{name.name}" for name in node.names]
        yield from (name for name in names if name.partition(".")[0] in TOPS)


def arrows() -> dict[str, set[str]]:
    """By package: the packages that it imports."""
    found: dict[str, set[str]] = {}
    for top in TOPS:
        for path in sorted((ROOT / top).rglob("*.py")):
            here = home_of(
                ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            )
            found.setdefault(here, set()).update(
                home for home in map(home_of, imported(path)) if home != here
            )
    return found


def test_no_package_imports_itself_by_a_detour() -> None:
    try:
        TopologicalSorter(arrows()).prepare()
    except CycleError as error:
        pytest.fail(f"These packages import each other: {' → '.join(error.args[1])}")


@pytest.mark.parametrize(
    ("top", "others"),
    [
        ("app", {"app", *OF_THE_SERVER}),
        ("jobs", {"jobs", "models"}),
        ("models", {"models"}),
        ("jobs.core", {"jobs.core", "jobs.specs"}),
        ("jobs.specs", {"jobs.specs"}),
        ("models.definitions", {"models.definitions"}),
    ],
)
def test_arrows_between_packages_point_one_way(top: str, others: set[str]) -> None:
    def is_in(name: str, package: str) -> bool:
        return f"{name}.".startswith(f"{package}.")

    used = {home for here, homes in arrows().items() if is_in(here, top) for home in homes}
    assert not [name for name in used if not any(is_in(name, other) for other in others)]


def test_every_package_says_what_it_is_for_and_what_it_may_import() -> None:
    said = {
        name: ast.parse(ROOT.joinpath(*name.split("."), "__init__.py").read_text())
        for name in packages()
    }
    documented = {name: ast.get_docstring(tree) or "" for name, tree in said.items()}
    assert not [name for name, text in documented.items() if "import" not in text.lower()]
    assert not [
        name
        for name, tree in said.items()
        if name not in ("app", "jobs.specs") and len(tree.body) > 1
    ]


@pytest.mark.parametrize(
    "folder", ["app", "commands", "jobs", "models", "static/js", "static/css", "templates"]
)
def test_no_folder_is_too_full_to_be_looked_through(folder: str) -> None:
    files = [
        path
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".js", ".css", ".html")
    ]
    places = [path.parent for path in files]
    assert files
    assert not [place for place in set(places) if places.count(place) > MOST_FILES]


def test_what_the_server_takes_from_jobs_and_models_needs_neither_torch_nor_av(
    python: Callable[[str], str],
) -> None:
    paths = [
        path
        for name in sorted(OF_THE_SERVER)
        for path in sorted(ROOT.joinpath(*name.split(".")).glob("*.py"))
    ]
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in paths
    ]
    assert "models.definitions.networks" in modules
    code = f"import {', '.join(modules)}, sys; print([name for name in ('torch', 'torchvision', 'av') if name in sys.modules])"
    assert python(code).strip() == "[]"


def test_the_server_has_not_imported_heavy_packages_after_its_first_page(
    python: Callable[[str], str], tmp_path: Path
) -> None:
    """benchmarks/start.py tells how long that takes."""
    code = f"""
from gevent import monkey; monkey.patch_all()
import run_server, sys
from pathlib import Path
from app import create_app
from app.settings import Settings
app = create_app(Settings(Path({str(tmp_path)!r}), (Path({str(tmp_path)!r}),)), work=False)
print(app.test_client().get("/").status_code, *sorted({HEAVY!r} & sys.modules.keys()))
"""
    assert python(code).split() == ["200", "alembic"]  # It makes the database.
    assert python(code).split() == ["200"]
