"""The network to train, its width and depth. Each spec has the settings of its function in models/definitions/networks.py."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from jobs.specs.base import ServerPath, Spec, setting, told_by

Maps = Annotated[int, Field(ge=1, le=1024)]
Skip = Annotated[bool, Field()]


class _Published(Spec):
    start: Literal["identity", "paper"] = setting(
        "identity",
        "Start",
        "identity: the first output is the input, and training begins there. paper: random weights as the paper says.",
        more=True,
    )


def maps(default: int, layer: str) -> Any:
    return setting(default, f"Maps of {layer}", "How many features it computes.", more=True)


def skip(default: bool) -> Any:
    return setting(
        default, "Global skip", "The network learns what to add to its input.", more=True
    )


class Srcnn915(_Published):
    """9x9, 1x1 and 5x5 at the size of the input (Dong et al. 2014): small and quick."""

    model_config = ConfigDict(title="SRCNN 9-1-5")

    name: Literal["srcnn-9-1-5"] = "srcnn-9-1-5"
    skip: Skip = skip(True)
    maps1: Maps = maps(64, "layer 1")
    maps2: Maps = maps(32, "layer 2")


class Srcnn955(_Published):
    """9x9, 5x5 and 5x5 at the size of the input (Dong et al. 2016)."""

    model_config = ConfigDict(title="SRCNN 9-5-5")

    name: Literal["srcnn-9-5-5"] = "srcnn-9-5-5"
    skip: Skip = skip(True)
    maps1: Maps = maps(64, "layer 1")
    maps2: Maps = maps(32, "layer 2")


class ArCnn(_Published):
    """9-7-1-5, made for JPEG's artefacts (Dong et al. 2015); in the paper without a skip."""

    model_config = ConfigDict(title="AR-CNN")

    name: Literal["ar-cnn"] = "ar-cnn"
    skip: Skip = skip(False)
    maps1: Maps = maps(64, "layer 1")
    maps2: Maps = maps(32, "layer 2")
    maps3: Maps = maps(16, "layer 3")


class Vrcnn(_Published):
    """Four layers with kernels of two sizes, made for the artefacts of HEVC (Dai et al. 2017)."""

    model_config = ConfigDict(title="VRCNN")

    name: Literal["vrcnn"] = "vrcnn"
    maps: Annotated[int, Field(ge=4, le=1024, multiple_of=4)] = setting(
        64,
        "Maps of layer 1",
        "The next layers have a quarter and a half of them for each kernel.",
        more=True,
    )


class Vdsr(_Published):
    """Many layers of 3x3 that learn what to add to the image (Kim et al. 2016)."""

    model_config = ConfigDict(title="VDSR")

    name: Literal["vdsr"] = "vdsr"
    depth: int = setting(20, "Layers", "The paper has 20.", ge=2, le=100)
    maps: Maps = maps(64, "each layer")


class DnCnn(_Published):
    """Like VDSR, with batch normalisation (Zhang et al. 2017)."""

    model_config = ConfigDict(title="DnCNN")

    name: Literal["dncnn"] = "dncnn"
    depth: int = setting(
        17, "Layers", "The paper has 17, or 20 where the noise is not known.", ge=2, le=100
    )
    maps: Maps = maps(64, "each layer")


class Edsr(_Published):
    """Residual blocks without normalisation (Lim et al. 2017), fewer and narrower than in the paper."""

    model_config = ConfigDict(title="EDSR, small")

    name: Literal["edsr"] = "edsr"
    blocks: int = setting(8, "Residual blocks", "The paper has 16 or 32.", ge=1, le=100)
    maps: Maps = maps(48, "each layer")
    skip: Skip = skip(True)


class Custom(Spec):
    """A network definition of Caffe, pasted as text."""

    model_config = ConfigDict(title="Custom: paste a prototxt")

    name: Literal["custom"] = "custom"
    prototxt: str = setting(
        ...,
        "Network definition",
        "Caffe's text format: layers, fillers, lr_mult, include rules, as DIGITS takes it. It is checked as you type.",
        widget="code",
        min_length=1,
        max_length=256 * 1024,
    )
    start: Literal["identity", "paper"] = setting(
        "identity",
        "Start",
        "identity: the first output is the input, where the network allows it. paper: as its fillers say.",
        more=True,
    )


class Package(Spec):
    """A network of an installed Python package (entry points clearframe.networks)."""

    model_config = ConfigDict(title="Of an installed package")

    name: Literal["package"] = "package"
    entry: str = setting(
        ...,
        "Entry point",
        "Its name in the group clearframe.networks.",
        widget="entry",
        max_length=200,
    )


class PythonFile(Spec):
    """A Python file with a function network(channels) that returns a torch module. Runs only where the server allows it."""

    model_config = ConfigDict(title="A Python file")

    name: Literal["python"] = "python"
    file: ServerPath = setting(
        ...,
        "Python file",
        "Needs a server that was started with --allow-user-code: the file can do all that the server can.",
        widget="python",
    )


Network = Annotated[
    Srcnn915 | Srcnn955 | ArCnn | Vrcnn | Vdsr | DnCnn | Edsr | Custom | Package | PythonFile,
    Field(discriminator="name"),
    told_by("name", "srcnn-9-1-5"),
]
