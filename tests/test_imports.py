"""Who may import whom."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIGHT = {
    "endings",
    "errors",
    "events",
    "folder",
    "launcher",
    "limits",
    "layer_files",
    "manifest",
    "pair_index",
    "specs",
    "stored",
    "totals",
    "view",
}


HEAVY = {"torch", "torchvision", "av", "numpy", "PIL", "lmdb", "alembic"}


def imported(package: str) -> Iterator[tuple[Path, str]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((path, name.name) for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                submodules = (f"{node.module}.{name.name}" for name in node.names)
                yield from (
                    (path, name) for name in ([*submodules] if node.module == package or node.module == "jobs" else [node.module])
                )


def test_models_import_nothing_of_ours_but_models() -> None:
    assert not [(path, name) for path, name in imported("models") if name.split(".")[0] in ("app", "jobs")]


def test_jobs_do_not_import_app() -> None:
    assert not [(path, name) for path, name in imported("jobs") if name.split(".")[0] == "app"]


def test_app_imports_only_the_light_parts_of_jobs() -> None:
    used = {name.split(".")[1] for _, name in imported("app") if name.startswith("jobs.")}
    assert used
    assert used <= LIGHT


@pytest.mark.parametrize("light", sorted(LIGHT))
def test_the_light_parts_of_jobs_need_neither_torch_nor_av(light: str, python: Callable[[str], str]) -> None:
    code = f"import jobs.{light}, sys; print([name for name in ('torch', 'torchvision', 'av') if name in sys.modules])"
    assert python(code).strip() == "[]"


def test_the_server_takes_from_models_what_needs_no_torch(python: Callable[[str], str]) -> None:
    used = {name for _, name in imported("app") if name.startswith("models.")}
    modules = sorted({".".join(name.split(".")[:2]) for name in used})
    assert "models.networks" in modules
    code = f"import {', '.join(modules)}, sys; print([name for name in ('torch', 'torchvision', 'av') if name in sys.modules])"
    assert python(code).strip() == "[]"


def test_the_server_has_not_imported_heavy_packages_after_its_first_page(python: Callable[[str], str], tmp_path: Path) -> None:
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
