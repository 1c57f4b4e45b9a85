"""A training by BasicSR's own loop: `python benchmarks/basicsr_worker.py FOLDER -opt FILE`.

FOLDER has the source of BasicSR (https://github.com/XPixelGroup/BasicSR). Its dataset module
imports torchvision.transforms.functional_tensor, which newer torchvisions lack: a module with the
one function that it uses takes its place. The networks of this project are registered by their
names. Before the training it prints `input psnr: ` with the mean over the validation pairs, by the
metric of BasicSR.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any


def main() -> None:
    root = str(Path(sys.argv.pop(1)).resolve())
    sys.path[:0] = [root, str(Path(__file__).parent.parent)]
    replace_import()
    register()
    from basicsr.train import train_pipeline
    from basicsr.utils.options import parse_options

    options, _ = parse_options(str(Path.cwd()))
    print(f"input psnr: {input_psnr(options['datasets']['val']):.4f}", flush=True)
    train_pipeline(str(Path.cwd()))


def replace_import() -> None:
    from torchvision.transforms import functional

    name = "torchvision.transforms.functional_tensor"
    module = ModuleType(name)
    vars(module)["rgb_to_grayscale"] = functional.rgb_to_grayscale
    sys.modules[name] = module


def register() -> None:
    from basicsr.utils.registry import ARCH_REGISTRY

    ARCH_REGISTRY.register(clearframe_network)


def clearframe_network(**settings: Any) -> Any:
    """A network of this project on RGB, with the settings of its spec."""
    from pydantic import TypeAdapter

    from jobs.networks.snapshots import Kind
    from jobs.specs.networks import Network

    return Kind(TypeAdapter(Network).validate_python(settings), "rgb", 3).restorer().net


def input_psnr(options: dict[str, Any]) -> float:
    from basicsr.data.paired_image_dataset import PairedImageDataset
    from basicsr.metrics.psnr_ssim import calculate_psnr
    from basicsr.utils import tensor2img

    picture: Callable[[Any], Any] = tensor2img
    pairs = PairedImageDataset(dict(options))  # build_dataset would start the log without a file.
    scores = [
        calculate_psnr(picture(pair["lq"]), picture(pair["gt"]), 0, test_y_channel=True)
        for pair in (pairs[number] for number in range(len(pairs)))
    ]
    return float(sum(scores)) / len(scores)


if __name__ == "__main__":
    main()
