"""The losses. Each spec has the settings of its function in models/losses.py."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from jobs.specs.base import ServerPath, Spec, discriminated_by, setting


class L1(Spec):
    """Mean absolute difference between output and target."""

    model_config = ConfigDict(title="L1")

    name: Literal["l1"] = "l1"


class L2(Spec):
    """Mean squared difference between output and target. PSNR is a function of it."""

    model_config = ConfigDict(title="L2")

    name: Literal["l2"] = "l2"


class Charbonnier(Spec):
    """Like L1, but smooth at zero: the mean of sqrt(d² + ε²)."""

    model_config = ConfigDict(title="Charbonnier")

    name: Literal["charbonnier"] = "charbonnier"
    epsilon: float = setting(
        0.001,
        "ε",
        "Differences below ε are squared, larger ones are linear. Pixel values range from 0 to 1.",
        gt=0,
        le=1,
    )


class Ssim(Spec):
    """1 - SSIM (Wang et al. 2004) with a Gaussian window of 11×11. Ignores brightness shifts."""

    model_config = ConfigDict(title="SSIM")

    name: Literal["ssim"] = "ssim"


class MsSsim(Spec):
    """1 - MS-SSIM (Wang et al. 2003) with up to five scales, as many as fit into the patches."""

    model_config = ConfigDict(title="MS-SSIM")

    name: Literal["ms-ssim"] = "ms-ssim"


class MsSsimL1(Spec):
    """A weighted sum of MS-SSIM and L1 (Zhao et al. 2017)."""

    model_config = ConfigDict(title="MS-SSIM and L1")

    name: Literal["ms-ssim-l1"] = "ms-ssim-l1"
    weight: float = setting(
        0.84,
        "Weight of MS-SSIM",
        "L1 has the weight 1 - this value. The paper uses 0.84.",
        ge=0,
        le=1,
    )


class SobelL1(Spec):
    """A weighted sum of L1 over the pixels and L1 over Sobel edges. Keeps edges sharp."""

    model_config = ConfigDict(title="L1 and Sobel edges")

    name: Literal["sobel-l1"] = "sobel-l1"
    weight: float = setting(
        0.5, "Weight of the edges", "L1 over the pixels has the weight 1 - this value.", ge=0, le=1
    )


class PackageLoss(Spec):
    """A loss from an installed Python package (entry point group clearframe.losses)."""

    model_config = ConfigDict(title="Installed package")

    name: Literal["package"] = "package"
    entry: str = setting(
        ...,
        "Entry point",
        "The name of the loss in the entry point group clearframe.losses.",
        widget="entry",
        max_length=200,
    )


class PythonFileLoss(Spec):
    """A Python file with a function loss(output, target) that returns a scalar."""

    model_config = ConfigDict(title="Python file")

    name: Literal["python"] = "python"
    file: ServerPath = setting(
        ...,
        "Python file",
        "Requires the server option --allow-user-code. The code runs with all permissions of the "
        "server.",
        widget="python",
    )


Loss = Annotated[
    L1 | L2 | Charbonnier | Ssim | MsSsim | MsSsimL1 | SobelL1 | PackageLoss | PythonFileLoss,
    Field(discriminator="name"),
    discriminated_by("name", "l1"),
]
