"""Conversion of Caffe layers to graph operations.

`OPS` maps each layer type to a function from the layer's message to the operation. Defaults
are those of caffe.proto. The functions raise GraphError without a line number: the caller adds
it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from models.definitions.caffe.schema import enum_name
from models.definitions.operations import (
    Activation,
    BatchNorm,
    Combine,
    Concat,
    Conv,
    Crop,
    Dropout,
    Filler,
    GraphError,
    Op,
    Pair,
    Pool,
    Power,
    Scale,
)

Layer = Any
"""A LayerParameter message. Its class is created at run time."""

MAX_MAPS, MAX_SIDE = 4096, 101
"""Limits for the maps of a layer and for the sides of a kernel."""

OPS: dict[str, Callable[[Layer], Op]] = {}

Read = Callable[[Layer], Op]


def layer(kind: str) -> Callable[[Read], Read]:
    def register(read: Read) -> Read:
        OPS[kind] = read
        return read

    return register


@layer("Convolution")
def convolution(layer: Layer) -> Conv:
    return _conv(layer, transposed=False)


@layer("Deconvolution")
def deconvolution(layer: Layer) -> Conv:
    return _conv(layer, transposed=True)


def _conv(layer: Layer, transposed: bool) -> Conv:
    param = layer.convolution_param
    if param.HasField("axis") and param.axis != 1:
        raise GraphError("only the axis 1, the channels, is supported")
    bias = param.bias_term or not param.HasField("bias_term")
    return Conv(
        maps=_within(param.num_output, 1, MAX_MAPS, "num_output"),
        kernel=_sides(param, "kernel_size", 1, MAX_SIDE),
        stride=_sides(param, "stride", 1, 16, default=1),
        pad=_sides(param, "pad", 0, MAX_SIDE, default=0),
        dilation=_two(list(param.dilation) or [1], "dilation", 1, 64),
        groups=_within(param.group if param.HasField("group") else 1, 1, MAX_MAPS, "group"),
        bias=bias,
        transposed=transposed,
        # Caffe's default, all zeros, could never learn. Without a filler, the weights start as
        # He's.
        weights=filler(param.weight_filler) if param.HasField("weight_filler") else Filler("msra"),
        biases=filler(param.bias_filler),
        rate=_factors(layer, "lr_mult"),
        decay=_factors(layer, "decay_mult"),
    )


@layer("ReLU")
def relu(layer: Layer) -> Activation:
    return Activation("relu", layer.relu_param.negative_slope)


@layer("PReLU")
def prelu(layer: Layer) -> Activation:
    param = layer.prelu_param
    start = filler(param.filler) if param.HasField("filler") else Filler("constant", 0.25)
    if start.kind != "constant":
        raise GraphError("its filler must be a constant")
    rate, decay = (_factors(layer, name)[0] for name in ("lr_mult", "decay_mult"))
    return Activation("prelu", start.value, rate, decay, per_channel=not param.channel_shared)


@layer("Sigmoid")
def sigmoid(layer: Layer) -> Activation:
    return Activation("sigmoid")


@layer("TanH")
def tanh(layer: Layer) -> Activation:
    return Activation("tanh")


@layer("ELU")
def elu(layer: Layer) -> Activation:
    return Activation("elu", layer.elu_param.alpha if layer.elu_param.HasField("alpha") else 1.0)


@layer("Pooling")
def pooling(layer: Layer) -> Pool:
    param = layer.pooling_param
    method = enum_name("Pooled", param.pool)
    if param.global_pooling or _sides(param, "stride", 1, 1000, default=1) != (1, 1):
        raise GraphError(
            "only pooling of stride 1 is supported: the output must have the size of the image"
        )
    if method == "STOCHASTIC":
        raise GraphError("stochastic pooling is not supported: use MAX or AVE")
    kernel, pad = (
        _sides(param, "kernel_size", 1, MAX_SIDE),
        _sides(param, "pad", 0, MAX_SIDE, default=0),
    )
    if any(2 * margin > side for margin, side in zip(pad, kernel, strict=True)):
        raise GraphError("its pad is more than half its kernel")
    return Pool("max" if method == "MAX" else "average", kernel, pad)


@layer("BatchNorm")
def batch_norm(layer: Layer) -> BatchNorm:
    param = layer.batch_norm_param
    epsilon = param.eps if param.HasField("eps") else 1e-5
    if epsilon <= 0:
        raise GraphError("its eps must be above 0")
    return BatchNorm(epsilon, affine=False)


@layer("Scale")
def scale(layer: Layer) -> Scale:
    param = layer.scale_param
    if param.HasField("bias_filler") and (
        filler(param.bias_filler).kind,
        param.bias_filler.value,
    ) != (
        "constant",
        0,
    ):
        raise GraphError("its bias_filler must be the constant 0")
    if (param.HasField("axis") and param.axis != 1) or (
        param.HasField("num_axes") and param.num_axes != 1
    ):
        raise GraphError("only one factor per channel is supported: axis 1, num_axes 1")
    start = filler(param.filler) if param.HasField("filler") else Filler("constant", 1.0)
    if start.kind != "constant":
        raise GraphError("its filler must be a constant")
    rate, decay = (_factors(layer, name) for name in ("lr_mult", "decay_mult"))
    return Scale(param.bias_term, start.value, rate, decay)


@layer("Eltwise")
def eltwise(layer: Layer) -> Combine:
    param = layer.eltwise_param
    kind = {"SUM": "sum", "PROD": "product", "MAX": "max"}[
        enum_name("Element", param.operation) if param.HasField("operation") else "SUM"
    ]
    if param.coeff and kind != "sum":
        raise GraphError("only a sum can have coefficients")
    if param.coeff and len(param.coeff) != len(layer.bottom):
        raise GraphError(f"it has {len(param.coeff)} coefficients for {len(layer.bottom)} bottoms")
    return Combine(kind, tuple(param.coeff))  # type: ignore[arg-type]


@layer("Concat")
def concat(layer: Layer) -> Concat:
    param = layer.concat_param
    if (param.HasField("axis") and param.axis != 1) or (
        param.HasField("concat_dim") and param.concat_dim != 1
    ):
        raise GraphError("only the axis 1, the channels, is supported")
    return Concat()


@layer("Power")
def power(layer: Layer) -> Power:
    param = layer.power_param
    return Power(
        *(
            getattr(param, name) if param.HasField(name) else default
            for name, default in POWER_DEFAULTS
        )
    )


POWER_DEFAULTS = (("power", 1.0), ("scale", 1.0), ("shift", 0.0))


@layer("Dropout")
def dropout(layer: Layer) -> Dropout:
    param = layer.dropout_param
    ratio = param.dropout_ratio if param.HasField("dropout_ratio") else 0.5
    if not 0 <= ratio < 1:
        raise GraphError("its dropout_ratio must be at least 0 and less than 1")
    return Dropout(ratio)


@layer("Crop")
def crop(layer: Layer) -> Crop:
    param = layer.crop_param
    if param.HasField("axis") and param.axis != 2:
        raise GraphError("only the axis 2, height and width, is supported")
    return Crop(_two(list(param.offset) or [0], "offset", 0, 4096))


def differences(name: str, layer: Layer) -> list[str]:
    """Sentences about behaviour of a layer that differs from Caffe."""
    param = layer.batch_norm_param
    notes = []
    if param.use_global_stats:
        notes.append(
            f"“{name}” has use_global_stats: it applies to inference. "
            "Training uses the statistics of the batch."
        )
    if param.HasField("moving_average_fraction"):
        notes.append(
            f"“{name}” has a moving_average_fraction, which is ignored: "
            "averages move by a tenth per step."
        )
    return notes


def filler(param: Any) -> Filler:
    """A FillerParameter; Caffe's default is the constant 0."""
    kind = param.type or "constant"
    match kind:
        case "xavier" | "msra":
            if (
                param.HasField("variance_norm")
                and enum_name("VarianceNorm", param.variance_norm) != "FAN_IN"
            ):
                raise GraphError(
                    f"the filler {kind} is supported only with the variance_norm FAN_IN"
                )
            return Filler(kind)
        case "gaussian":
            spread = param.std if param.HasField("std") else 1.0
            if spread < 0 or param.mean or param.sparse > 0:
                raise GraphError(
                    "the filler gaussian is supported only with a std of 0 or more, mean 0, "
                    "and not sparse"
                )
            return Filler("gaussian", spread)
        case "uniform":
            low, high = param.min, param.max if param.HasField("max") else 1.0
            if low > high:
                raise GraphError(
                    f"the filler uniform goes from min {low:g} to max {high:g}: "
                    "min must not be above max"
                )
            return Filler("uniform", high, low)
        case "constant":
            return Filler("constant", param.value)
        case "bilinear":
            return Filler("bilinear")
    raise GraphError(
        f"unknown filler “{kind}”: use xavier, msra, gaussian, uniform, constant or bilinear"
    )


def _factors(layer: Layer, name: str) -> tuple[float, float]:
    """The lr_mult or decay_mult of (weights, biases)."""
    given = [getattr(param, name) if param.HasField(name) else 1.0 for param in layer.param]
    weights, biases = (*given, 1.0, 1.0)[:2]
    if min(weights, biases) < 0:
        raise GraphError(f"its {name} is negative")
    return weights, biases


def _sides(param: Any, name: str, least: int, most: int, default: int | None = None) -> Pair:
    """(rows, columns) of a setting that each side may have.

    Accepts `kernel_size: 3`, `kernel_size: 3 kernel_size: 5` and `kernel_h: 3 kernel_w: 5`.
    """
    short = name.removesuffix("_size")
    values = getattr(param, name)
    listed = (
        list(values)
        if isinstance(values, Sequence) or hasattr(values, "append")
        else [values] * param.HasField(name)
    )
    single = [
        getattr(param, f"{short}_{axis}") for axis in "hw" if param.HasField(f"{short}_{axis}")
    ]
    if listed and single:
        raise GraphError(f"it has {name} as well as {short}_h or {short}_w: use one form")
    if not (listed or single) and default is None:
        raise GraphError(f"it has no {name}")
    if len(single) == 1:
        raise GraphError(f"it needs both {short}_h and {short}_w")
    return _two(listed or single or [default], name, least, most)


def _two(values: list[Any], name: str, least: int, most: int) -> Pair:
    if len(values) > 2:
        raise GraphError(f"its {name} has {len(values)} values, but an image has two sides")
    rows, columns = (_within(int(value), least, most, name) for value in (values[0], values[-1]))
    return rows, columns


def _within(value: int, least: int, most: int, name: str) -> int:
    if not least <= value <= most:
        raise GraphError(f"its {name} is {value}, but must be {least} to {most}")
    return value
