"""The networks. Each spec has the settings of its function in models/definitions/networks.py."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from jobs.specs.base import ServerPath, Spec, discriminated_by, setting

Starter = Literal["fast", "good"]
"""The trained networks of the package that restore as they are (jobs/networks/starters.py)."""
Start = Literal["fast", "good", "example"]
"""The trained networks of the package that a training starts from."""

Maps = Annotated[int, Field(ge=1, le=1024)]
Skip = Annotated[bool, Field()]


class _Published(Spec):
    start: Literal["identity", "paper"] = setting(
        "identity",
        "Start",
        "Initial weights. identity: the untrained network returns its input. paper: random "
        "weights as in the paper.",
        more=True,
    )


def maps(default: int, layer: str) -> Any:
    return setting(
        default,
        f"Maps of {layer}",
        "Number of feature maps. More maps can improve the result and take more time and memory.",
        more=True,
    )


def skip(default: bool) -> Any:
    return setting(
        default,
        "Global skip",
        "The output is the input plus a correction, and the network learns the correction.",
        more=True,
    )


def qp_input() -> Any:
    return setting(
        True,
        "QP as an input",
        "The network sees how strongly each block was quantised, where the dataset has it. One "
        "network then serves all rates.",
        more=True,
    )


class Srcnn915(Spec):
    """9×9, 1×1 and 5×5 layers at the size of the input (Dong et al. 2014). Small and fast."""

    model_config = ConfigDict(title="SRCNN 9-1-5")

    name: Literal["srcnn-9-1-5"] = "srcnn-9-1-5"
    start: Literal["identity", "paper", "starter"] = setting(
        "identity",
        "Start",
        "Initial weights. identity: the untrained network returns its input. paper: random "
        "weights as in the paper. starter: a trained network of the package, for Y with the global "
        "skip and 64 and 32 maps.",
        more=True,
    )
    skip: Skip = skip(True)
    maps1: Maps = maps(64, "layer 1")
    maps2: Maps = maps(32, "layer 2")


class Srcnn955(_Published):
    """9×9, 5×5 and 5×5 layers at the size of the input (Dong et al. 2016)."""

    model_config = ConfigDict(title="SRCNN 9-5-5")

    name: Literal["srcnn-9-5-5"] = "srcnn-9-5-5"
    skip: Skip = skip(True)
    maps1: Maps = maps(64, "layer 1")
    maps2: Maps = maps(32, "layer 2")


class ArCnn(_Published):
    """Four layers, 9-7-1-5, for JPEG artefacts (Dong et al. 2015). The paper has no skip."""

    model_config = ConfigDict(title="AR-CNN")

    name: Literal["ar-cnn"] = "ar-cnn"
    skip: Skip = skip(False)
    maps1: Maps = maps(64, "layer 1")
    maps2: Maps = maps(32, "layer 2")
    maps3: Maps = maps(16, "layer 3")


class Vrcnn(_Published):
    """Four layers with kernels of two sizes, for HEVC artefacts (Dai et al. 2017)."""

    model_config = ConfigDict(title="VRCNN")

    name: Literal["vrcnn"] = "vrcnn"
    maps: Annotated[int, Field(ge=4, le=1024, multiple_of=4)] = setting(
        64,
        "Maps of layer 1",
        "Number of feature maps. The next layers have a quarter and a half of it for each kernel.",
        more=True,
    )


class Vdsr(_Published):
    """Many 3×3 layers that learn a correction of the input (Kim et al. 2016)."""

    model_config = ConfigDict(title="VDSR")

    name: Literal["vdsr"] = "vdsr"
    depth: int = setting(
        20, "Layers", "More layers see more pixels. The paper has 20.", ge=2, le=100
    )
    maps: Maps = maps(64, "each layer")


class DnCnn(_Published):
    """Like VDSR, with batch normalisation (Zhang et al. 2017)."""

    model_config = ConfigDict(title="DnCNN")

    name: Literal["dncnn"] = "dncnn"
    depth: int = setting(
        17,
        "Layers",
        "More layers see more pixels. The paper has 17, or 20 for unknown noise levels.",
        ge=2,
        le=100,
    )
    maps: Maps = maps(64, "each layer")


class Edsr(_Published):
    """Residual blocks without normalisation (Lim et al. 2017), smaller than in the paper."""

    model_config = ConfigDict(title="EDSR, small")

    name: Literal["edsr"] = "edsr"
    blocks: int = setting(
        8, "Residual blocks", "More blocks see more pixels. The paper has 16 or 32.", ge=1, le=100
    )
    maps: Maps = maps(48, "each layer")
    skip: Skip = skip(True)


class EcbNet(Spec):
    """Few 3×3 layers, trained as sums of branches: for real time (Zhang et al. 2021)."""

    model_config = ConfigDict(title="ECB, small")

    name: Literal["ecbnet"] = "ecbnet"
    start: Literal["identity", "paper", "starter"] = setting(
        "identity",
        "Start",
        "Initial weights. identity: the untrained network returns its input. paper: random "
        "weights as in the paper. starter: a trained network of the package, for Y with the QP and "
        "4 layers of 16 maps or 8 of 24.",
        more=True,
    )
    depth: int = setting(4, "Layers", "More layers see more pixels.", ge=2, le=100)
    maps: Maps = maps(16, "each layer")
    qp: bool = qp_input()


class FfdNet(_Published):
    """3×3 layers at half the height and width, for long trainings (Zhang et al. 2018)."""

    model_config = ConfigDict(title="FFDNet, small")

    name: Literal["ffdnet"] = "ffdnet"
    depth: int = setting(
        8, "Layers", "More layers see more pixels. The paper has 15.", ge=2, le=100
    )
    maps: Maps = maps(32, "each layer")
    qp: bool = qp_input()


def starter_for(network: Srcnn915 | EcbNet, channels: int) -> Start | None:
    """The starter with the shape of a network that sees `channels` channels; None without one."""
    if channels != 1:
        return None
    if isinstance(network, Srcnn915):
        return "example" if (network.skip, network.maps1, network.maps2) == (True, 64, 32) else None
    shapes: dict[tuple[int, int], Start] = {(4, 16): "fast", (8, 24): "good"}
    return shapes.get((network.depth, network.maps)) if network.qp else None


def what_starts_fit(network: Srcnn915 | EcbNet) -> str:
    """A sentence on the networks of this kind that have a starter."""
    if isinstance(network, Srcnn915):
        return "Train Y alone with the global skip, 64 maps of layer 1 and 32 of layer 2"
    return "Train Y alone with the QP as an input and 4 layers of 16 maps or 8 of 24"


class Custom(Spec):
    """A Caffe network definition, pasted as text."""

    model_config = ConfigDict(title="Custom: paste a prototxt")

    name: Literal["custom"] = "custom"
    prototxt: str = setting(
        ...,
        "Network definition",
        "Caffe's text format with layers, fillers, lr_mult and include rules, as in DIGITS. It is "
        "checked as you type.",
        widget="code",
        min_length=1,
        max_length=256 * 1024,
    )
    start: Literal["identity", "paper"] = setting(
        "identity",
        "Start",
        "Initial weights. identity: the untrained network returns its input, if its layers "
        "allow it. paper: as its fillers define.",
        more=True,
    )


class Package(Spec):
    """A network from an installed Python package (entry point group clearframe.networks)."""

    model_config = ConfigDict(title="Installed package")

    name: Literal["package"] = "package"
    entry: str = setting(
        ...,
        "Entry point",
        "The name of the network in the entry point group clearframe.networks.",
        widget="entry",
        max_length=200,
    )


class PythonFile(Spec):
    """A Python file whose function network(channels) returns a torch module."""

    model_config = ConfigDict(title="Python file")

    name: Literal["python"] = "python"
    file: ServerPath = setting(
        ...,
        "Python file",
        "Requires the server option --allow-user-code. The code runs with all permissions of the "
        "server.",
        widget="python",
    )


Network = Annotated[
    Srcnn915
    | Srcnn955
    | ArCnn
    | Vrcnn
    | Vdsr
    | DnCnn
    | Edsr
    | EcbNet
    | FfdNet
    | Custom
    | Package
    | PythonFile,
    Field(discriminator="name"),
    discriminated_by("name", "srcnn-9-1-5"),
]
