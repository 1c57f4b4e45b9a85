"""What is made small in training. The settings of each are those of its function in models/losses.py."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from jobs.specs.base import ServerPath, Spec, setting, told_by


class L1(Spec):
    """Mean absolute difference of output and target."""

    model_config = ConfigDict(title="L1")

    name: Literal["l1"] = "l1"


class L2(Spec):
    """Mean squared difference: what PSNR is made of."""

    model_config = ConfigDict(title="L2")

    name: Literal["l2"] = "l2"


class Charbonnier(Spec):
    """Like L1, but smooth around zero: the mean of sqrt(d² + ε²)."""

    model_config = ConfigDict(title="Charbonnier")

    name: Literal["charbonnier"] = "charbonnier"
    epsilon: float = setting(
        0.001,
        "ε",
        "Where it turns from a parabola into a line; the range of values is 0 to 1.",
        gt=0,
        le=1,
    )


class Ssim(Spec):
    """1 - SSIM (Wang et al. 2004) with a Gaussian window of 11x11. Blind to even shifts of brightness."""

    model_config = ConfigDict(title="SSIM")

    name: Literal["ssim"] = "ssim"


class MsSsim(Spec):
    """1 - MS-SSIM (Wang et al. 2003): up to five scales, as many as the patches have room for."""

    model_config = ConfigDict(title="MS-SSIM")

    name: Literal["ms-ssim"] = "ms-ssim"


class MsSsimL1(Spec):
    """The mix of MS-SSIM and L1 of Zhao et al. (2017)."""

    model_config = ConfigDict(title="MS-SSIM and L1")

    name: Literal["ms-ssim-l1"] = "ms-ssim-l1"
    weight: float = setting(
        0.84, "Weight of MS-SSIM", "The rest is L1's; 0.84 in the paper.", ge=0, le=1
    )


class SobelL1(Spec):
    """L1 of the image, and L1 of its edges by Sobel's filters: keeps edges sharp."""

    model_config = ConfigDict(title="L1 and Sobel edges")

    name: Literal["sobel-l1"] = "sobel-l1"
    weight: float = setting(0.5, "Weight of the edges", "The rest is L1's.", ge=0, le=1)


class PackageLoss(Spec):
    """A loss of an installed Python package (entry points clearframe.losses)."""

    model_config = ConfigDict(title="Of an installed package")

    name: Literal["package"] = "package"
    entry: str = setting(
        ...,
        "Entry point",
        "Its name in the group clearframe.losses.",
        widget="entry",
        max_length=200,
    )


class PythonFileLoss(Spec):
    """A Python file with a function loss(output, target). Runs only where the server allows it."""

    model_config = ConfigDict(title="A Python file")

    name: Literal["python"] = "python"
    file: ServerPath = setting(
        ...,
        "Python file",
        "Needs a server that was started with --allow-user-code: the file can do all that the server can.",
        widget="python",
    )


Loss = Annotated[
    L1 | L2 | Charbonnier | Ssim | MsSsim | MsSsimL1 | SobelL1 | PackageLoss | PythonFileLoss,
    Field(discriminator="name"),
    told_by("name", "l1"),
]
