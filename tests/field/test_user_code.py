"""Python files of users with mistakes in them: each ends a training with a sentence and a line."""

from pathlib import Path

import pytest
import torch

from jobs.core.errors import JobError
from jobs.core.launcher import USER_CODE
from jobs.networks.from_spec import make_loss, make_network
from jobs.specs.losses import PythonFileLoss
from jobs.specs.networks import PythonFile

LOSSES = {
    "missing module": (
        "import torch\nimport no_such_module_anywhere\n",
        ", line 2: ModuleNotFoundError: No module named 'no_such_module_anywhere'. Install",
    ),
    "missing name in a module": (
        "from torch import no_such_name\n",
        ", line 1: ImportError: cannot import name 'no_such_name'",
    ),
    "syntax": ("def loss(output, target):\n    return (\n", ", line 2: SyntaxError: "),
    "null byte": ("x = 1\n\0", ": SyntaxError: source code string cannot contain null bytes"),
    "undefined name": ("x = 1\nloss = lps\n", ", line 2: NameError: name 'lps' is not defined"),
    "missing file": ("\nopen('/no/such/weights')\n", ", line 2: FileNotFoundError: "),
    "exit": ("raise SystemExit(3)\n", ", line 1: SystemExit: 3"),
    "an exception of its own": (
        "class Broken(Exception):\n  pass\n\nraise Broken('no weights')\n",
        ", line 4: Broken: no weights. Correct",
    ),
    "a generator that ends": ("next(iter([]))\n", ", line 1: StopIteration. Correct"),
    "a warning as an error": ("raise UserWarning('old')\n", ", line 1: UserWarning: old."),
    "endless recursion": ("def f():\n  f()\nf()\n", ", line 2: RecursionError: maximum"),
    "no text": ("assert False\n", ", line 1: AssertionError. Correct"),
    "no function": ("losses = 1\n", " has no function loss"),
}

CALLS = {
    "wrong argument": ("(a): return 0\n", ": TypeError: loss() takes 1 positional argument"),
    "late import": ("(a, b):\n  import nowhere_at_all\n", ", line 2: ModuleNotFoundError: "),
    "sizes": ("(a, b): return (a[..., :3] - b).mean()\n", ", line 1: RuntimeError: The size of"),
    "in another module": (
        "(a, b):\n  import json\n  json.loads('')\n",
        ", line 3: JSONDecodeError: ",
    ),
    "an exception of its own": (
        "(a, b):\n  class Mine(Exception): pass\n  raise Mine('bad pair')\n",
        ", line 3: Mine: bad pair.",
    ),
    "no tensor": ("(a, b): return 0.5\n", ": loss returns a value of type float."),
    "nothing": ("(a, b): pass\n", ": loss returns a value of type NoneType."),
    "no scalar": ("(a, b): return a - b\n", ": loss returns a tensor of shape (1, 1, 8, 8)."),
    "constant": ("(a, b): return b.mean()\n", "a tensor of shape () without a gradient."),
}

NETWORKS = {
    "missing module": ("import nowhere_at_all\n", ", line 1: ModuleNotFoundError: "),
    "wrong settings": (
        "from torch import nn\ndef network(c):\n  return nn.Conv2d(c, c, 3, groups=7)\n",
        ", line 3: ValueError: in_channels must be divisible by groups",
    ),
    "fails on an image": (
        "from torch import nn\ndef network(c):\n  return nn.Conv2d(c + 1, c, 3)\n",
        ": RuntimeError: Given groups=1",
    ),
}


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(USER_CODE, "1")


def written(folder: Path, code: str) -> str:
    path = folder / "my code.py"
    path.write_text(code)
    return str(path)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_file_that_cannot_run_is_named_with_its_line(name: str, tmp_path: Path) -> None:
    code, expected = LOSSES[name]
    path = written(tmp_path, code)
    with pytest.raises(JobError) as failed:
        make_loss(PythonFileLoss(file=path))
    assert str(failed.value).startswith(path + expected)


@pytest.mark.parametrize("name", CALLS)
def test_a_loss_that_fails_when_it_is_called_is_named_with_its_line(
    name: str, tmp_path: Path
) -> None:
    code, expected = CALLS[name]
    path = written(tmp_path, f"def loss{code}")
    loss = make_loss(PythonFileLoss(file=path))
    with pytest.raises(JobError) as failed:
        loss(torch.rand(1, 1, 8, 8, requires_grad=True), torch.rand(1, 1, 8, 8))
    assert str(failed.value).startswith(path)
    assert expected in str(failed.value)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_file_that_fails_is_named_with_its_line(name: str, tmp_path: Path) -> None:
    code, expected = NETWORKS[name]
    path = written(tmp_path, code)
    with pytest.raises(JobError) as failed:
        make_network(PythonFile(file=path), 1)
    assert str(failed.value).startswith(path + expected)
