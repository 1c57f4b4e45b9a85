"""Python files of users with mistakes in them: each ends a training with a sentence and a line."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from jobs.core import folder as folders
from jobs.core.errors import JobError
from jobs.core.events import last_state
from jobs.core.folder import JobFolder
from jobs.core.launcher import USER_CODE
from jobs.networks.from_spec import make_loss, make_network
from jobs.run import main as run_worker
from jobs.specs import ImageTest
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
    "several outputs in training": (
        "from torch import nn\nclass Net(nn.Conv2d):\n"
        "  def forward(self, x): y = super().forward(x); return (y, y) if self.training else y\n"
        "def network(c): return Net(c, c, 3, padding=1)\n",
        "The network returns a value of type tuple in training.",
    ),
    "a smaller output in training": (
        "from torch import nn\nclass Net(nn.Conv2d):\n"
        "  def forward(self, x): return super().forward(x)[..., self.training :]\n"
        "def network(c): return Net(c, c, 3, padding=1)\n",
        "into (1, 1, 37, 52) in training",
    ),
    "no weights": (
        "from torch import nn\ndef network(c): return nn.Identity()\n",
        "The output of the network depends on no weights",
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
    assert expected in str(failed.value)


# The file is called with an image once in each mode before the first step, on the CPU.
STEPS = """import torch
from torch import nn

class Odd(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x): return x.clone()
    @staticmethod
    def backward(ctx, gradient):
        {backward}

class Net(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.calls = 0
    def forward(self, x):
        self.calls += 1
        if self.calls > 6:
            {forward}
        return x + Odd.apply(self.conv(x))

def network(channels): return Net(channels)

def loss(output, target): return (Odd.apply(output) - target).abs().mean()
"""
INNER = "class Mine(Exception): pass"
MID_STEP: dict[str, tuple[str, str, str]] = {
    "a class of its own": (f"{INNER}\n            raise Mine('no more')", "", "line 20: Mine: no"),
    "sizes": ("x = x + x[..., 1:]", "", "line 19: RuntimeError: The size of tensor a"),
    "in another module": ("import json; json.loads('')", "", "line 19: JSONDecodeError: Expect"),
    "a file": ("open('/no/such/file')", "", "line 19: FileNotFoundError: [Errno 2] No such file"),
    "exit": ("raise SystemExit(2)", "", "line 19: SystemExit: 2."),
    "keys": ("{}['a']", "", "line 19: KeyError: 'a'."),
    "backward": ("pass", "raise ValueError('steep')", "line 9: ValueError: steep. Correct"),
}


@pytest.mark.parametrize("name", MID_STEP)
def test_a_network_that_fails_in_a_later_step_ends_the_job_with_its_line(
    name: str, clip: tuple[Path, Path], make_dataset: Any, make_model: Any, tmp_path: Path
) -> None:
    forward, backward, expected = MID_STEP[name]
    code = STEPS.format(forward=forward, backward=backward or "return gradient")
    path = written(tmp_path, code)
    model = make_model(make_dataset(clip), steps=4, epochs=None, network=python(path))
    assert reason(model).startswith(f"{path}, {expected}")


@pytest.mark.parametrize("part", ["network", "loss"])
def test_a_package_that_fails_in_a_later_step_is_named_with_file_and_line(
    part: str,
    clip: tuple[Path, Path],
    make_dataset: Any,
    make_model: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    info = tmp_path / f"odd_{part}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: odd_{part}\nVersion: 1.0\n")
    points = f"[clearframe.networks]\nodd = odd_{part}:network\n"
    points += f"[clearframe.losses]\nodd = odd_{part}:loss\n"
    (info / "entry_points.txt").write_text(points)
    package = tmp_path / f"odd_{part}"
    package.mkdir()
    (package / "__init__.py").write_text(f"from odd_{part}.nets import loss, network\n")
    (package / "nets.py").write_text(
        STEPS.format(forward="pass", backward="raise ValueError('steep')")
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    model = make_model(
        make_dataset(clip), steps=4, epochs=None, **{part: {"name": "package", "entry": "odd"}}
    )
    where = f"The entry point odd: {package}/nets.py, line 9: ValueError: steep."
    assert reason(model).startswith(where)


def test_a_network_that_fails_in_a_test_ends_it_with_its_line(
    clip: tuple[Path, Path], make_dataset: Any, make_model: Any, home: Path, tmp_path: Path
) -> None:
    code = STEPS.format(forward="pass", backward="return gradient")
    path = written(tmp_path, code)
    model = make_model(make_dataset(clip), steps=2, epochs=None, network=python(path))
    assert reason(model) == ""
    written(tmp_path, code.replace("> 6", "> 2").replace("pass", "raise ValueError('late')"))
    Image.effect_noise((64, 48), 30).convert("RGB").save(tmp_path / "image.png")
    spec = ImageTest(name="t", model=model.id, image=str(tmp_path / "image.png"))
    test = folders.create(home, "test", spec)
    run_worker(str(test.path))
    assert reason(test).startswith(f"{path}, line 19: ValueError: late.")


def python(path: str) -> dict[str, str]:
    return {"name": "python", "file": path}


def reason(folder: JobFolder) -> str:
    state = last_state(folder.events)
    assert state is not None
    return state["reason"]
