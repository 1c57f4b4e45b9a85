"""Each layer of a Caffe network as an operation of a graph.

`OPS` has a function for each type, from the layer's message to the operation. Defaults are those of caffe.proto.
Raises GraphError, without a line: the caller knows where the layer stands.
"""

from collections.abc import Callable, Sequence
from typing import Any

from models.definitions.caffe.schema import word
from models.definitions.graph import (
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
"""A LayerParameter message, made at run time."""

MOST_MAPS, LONGEST_SIDE = 4096, 101

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
    told = layer.convolution_param
    if told.HasField("axis") and told.axis != 1:
        raise GraphError("only the axis 1, the channels, is supported")
    bias = told.bias_term or not told.HasField("bias_term")
    return Conv(
        maps=_within(told.num_output, 1, MOST_MAPS, "num_output"),
        kernel=_sides(told, "kernel_size", 1, LONGEST_SIDE),
        stride=_sides(told, "stride", 1, 16, default=1),
        pad=_sides(told, "pad", 0, LONGEST_SIDE, default=0),
        dilation=_two(list(told.dilation) or [1], "dilation", 1, 64),
        groups=_within(told.group if told.HasField("group") else 1, 1, MOST_MAPS, "group"),
        bias=bias,
        transposed=transposed,
        # Caffe's default, all zeros, could never learn: who leaves the filler out gets He's.
        weights=filler(told.weight_filler) if told.HasField("weight_filler") else Filler("msra"),
        biases=filler(told.bias_filler),
        rate=_factors(layer, "lr_mult"),
        decay=_factors(layer, "decay_mult"),
    )


@layer("ReLU")
def relu(layer: Layer) -> Activation:
    return Activation("relu", layer.relu_param.negative_slope)


@layer("PReLU")
def prelu(layer: Layer) -> Activation:
    told = layer.prelu_param
    if told.channel_shared:
        raise GraphError("channel_shared is not supported: each channel has its own slope")
    start = filler(told.filler) if told.HasField("filler") else Filler("constant", 0.25)
    if start.kind != "constant":
        raise GraphError("its filler must be a constant")
    return Activation("prelu", start.value, _factors(layer, "lr_mult")[0])


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
    told = layer.pooling_param
    method = word("Pooled", told.pool)
    if told.global_pooling or _sides(told, "stride", 1, 1000, default=1) != (1, 1):
        raise GraphError(
            "only pooling of stride 1 is supported: the output must have the size of the image"
        )
    if method == "STOCHASTIC":
        raise GraphError("stochastic pooling is not supported: take MAX or AVE")
    kernel, pad = (
        _sides(told, "kernel_size", 1, LONGEST_SIDE),
        _sides(told, "pad", 0, LONGEST_SIDE, default=0),
    )
    if any(2 * around > side for around, side in zip(pad, kernel, strict=True)):
        raise GraphError("its pad is more than half its kernel")
    return Pool("max" if method == "MAX" else "average", kernel, pad)


@layer("BatchNorm")
def batch_norm(layer: Layer) -> BatchNorm:
    told = layer.batch_norm_param
    epsilon = told.eps if told.HasField("eps") else 1e-5
    if epsilon <= 0:
        raise GraphError("its eps must be above 0")
    return BatchNorm(epsilon, affine=False)


@layer("Scale")
def scale(layer: Layer) -> Scale:
    told = layer.scale_param
    if told.HasField("bias_filler") and (filler(told.bias_filler).kind, told.bias_filler.value) != (
        "constant",
        0,
    ):
        raise GraphError("its bias_filler must be the constant 0")
    if set(_factors(layer, "lr_mult")) != {1.0}:
        raise GraphError("its lr_mult must be 1")
    if (told.HasField("axis") and told.axis != 1) or (
        told.HasField("num_axes") and told.num_axes != 1
    ):
        raise GraphError("only a factor a channel is supported: axis 1, num_axes 1")
    start = filler(told.filler) if told.HasField("filler") else Filler("constant", 1.0)
    if start.kind != "constant":
        raise GraphError("its filler must be a constant")
    return Scale(told.bias_term, start.value)


@layer("Eltwise")
def eltwise(layer: Layer) -> Combine:
    told = layer.eltwise_param
    kind = {"SUM": "sum", "PROD": "product", "MAX": "max"}[
        word("Element", told.operation) if told.HasField("operation") else "SUM"
    ]
    if told.coeff and kind != "sum":
        raise GraphError("only a sum has coefficients")
    if told.coeff and len(told.coeff) != len(layer.bottom):
        raise GraphError(f"it has {len(told.coeff)} coefficients for {len(layer.bottom)} bottoms")
    return Combine(kind, tuple(told.coeff))  # type: ignore[arg-type]


@layer("Concat")
def concat(layer: Layer) -> Concat:
    told = layer.concat_param
    if (told.HasField("axis") and told.axis != 1) or (
        told.HasField("concat_dim") and told.concat_dim != 1
    ):
        raise GraphError("only the axis 1, the channels, is supported")
    return Concat()


@layer("Power")
def power(layer: Layer) -> Power:
    told = layer.power_param
    return Power(
        *(
            getattr(told, name) if told.HasField(name) else default
            for name, default in POWER_DEFAULTS
        )
    )


POWER_DEFAULTS = (("power", 1.0), ("scale", 1.0), ("shift", 0.0))


@layer("Dropout")
def dropout(layer: Layer) -> Dropout:
    told = layer.dropout_param
    ratio = told.dropout_ratio if told.HasField("dropout_ratio") else 0.5
    if not 0 <= ratio < 1:
        raise GraphError("its dropout_ratio must be at least 0 and less than 1")
    return Dropout(ratio)


@layer("Crop")
def crop(layer: Layer) -> Crop:
    told = layer.crop_param
    if told.HasField("axis") and told.axis != 2:
        raise GraphError("only the axis 2, height and width, is supported")
    return Crop(_two(list(told.offset) or [0], "offset", 0, 4096))


def differences(name: str, layer: Layer) -> list[str]:
    """What is done otherwise than Caffe would, in sentences."""
    told = layer.batch_norm_param
    notes = []
    if told.use_global_stats:
        notes.append(
            f"“{name}” has use_global_stats: that is so in use; while training, it takes those of the batch."
        )
    if told.HasField("moving_average_fraction"):
        notes.append(
            f"“{name}” has a moving_average_fraction: here averages move by a tenth a step."
        )
    return notes


def filler(told: Any) -> Filler:
    """A FillerParameter; Caffe's default is the constant 0."""
    kind = told.type or "constant"
    match kind:
        case "xavier" | "msra":
            if (
                told.HasField("variance_norm")
                and word("VarianceNorm", told.variance_norm) != "FAN_IN"
            ):
                raise GraphError(
                    f"the filler {kind} is supported with the variance_norm FAN_IN alone"
                )
            return Filler(kind)
        case "gaussian":
            spread = told.std if told.HasField("std") else 1.0
            if spread < 0 or told.mean or told.sparse > 0:
                raise GraphError(
                    "the filler gaussian is supported with a std of 0 or more, mean 0, and not sparse"
                )
            return Filler("gaussian", spread)
        case "uniform":
            low, high = told.min, told.max if told.HasField("max") else 1.0
            if low > high:
                raise GraphError(
                    f"the filler uniform goes from min {low:g} to max {high:g}: min must not be above max"
                )
            return Filler("uniform", high, low)
        case "constant":
            return Filler("constant", told.value)
        case "bilinear":
            return Filler("bilinear")
    raise GraphError(
        f"there is no filler “{kind}”: take xavier, msra, gaussian, uniform, constant or bilinear"
    )


def _factors(layer: Layer, name: str) -> tuple[float, float]:
    """lr_mult or decay_mult of weights and biases."""
    told = [getattr(param, name) if param.HasField(name) else 1.0 for param in layer.param]
    weights, biases = (*told, 1.0, 1.0)[:2]
    if min(weights, biases) < 0:
        raise GraphError(f"its {name} is negative")
    return weights, biases


def _sides(told: Any, name: str, least: int, most: int, default: int | None = None) -> Pair:
    """`kernel_size: 3`, `kernel_size: 3 kernel_size: 5`, or `kernel_h: 3 kernel_w: 5`: (rows, columns)."""
    short = name.removesuffix("_size")
    values = getattr(told, name)
    listed = (
        list(values)
        if isinstance(values, Sequence) or hasattr(values, "append")
        else [values] * told.HasField(name)
    )
    single = [getattr(told, f"{short}_{axis}") for axis in "hw" if told.HasField(f"{short}_{axis}")]
    if listed and single:
        raise GraphError(f"give {name}, or {short}_h and {short}_w, not both")
    if not (listed or single) and default is None:
        raise GraphError(f"it has no {name}")
    if len(single) == 1:
        raise GraphError(f"give both, {short}_h and {short}_w")
    return _two(listed or single or [default], name, least, most)


def _two(values: list[Any], name: str, least: int, most: int) -> Pair:
    if len(values) > 2:
        raise GraphError(f"its {name} is given {len(values)} times: an image has two sides")
    rows, columns = (_within(int(value), least, most, name) for value in (values[0], values[-1]))
    return rows, columns


def _within(value: int, least: int, most: int, name: str) -> int:
    if not least <= value <= most:
        raise GraphError(f"its {name} is {value}, but must be {least} to {most}")
    return value
