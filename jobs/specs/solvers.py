"""How weights are changed, and how the rate of that falls over the run."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, field_validator

from jobs.specs.base import FromText, Spec, setting, told_by


class _Solver(Spec):
    learning_rate: float = setting(
        0.001,
        "Base learning rate",
        "Several, such as 0.001, 0.0003, make a sweep: one job each.",
        widget="list",
        gt=0,
        le=10,
    )
    weight_decay: float = setting(
        0, "Weight decay", "Pulls weights towards zero.", more=True, ge=0, le=1
    )


class _Momentum(_Solver):
    momentum: float = setting(
        0.9, "Momentum", "Share of the last step that goes on.", more=True, ge=0, lt=1
    )


class _AdamLike(_Solver):
    beta1: float = setting(0.9, "β1", "Memory of the mean of gradients.", more=True, ge=0, lt=1)
    beta2: float = setting(
        0.999, "β2", "Memory of the mean of their squares.", more=True, ge=0, lt=1
    )
    epsilon: float = setting(1e-8, "ε", "Keeps the division from zero.", more=True, gt=0, le=1)


class Adam(_AdamLike):
    """Adam (Kingma and Ba 2015)."""

    model_config = ConfigDict(title="Adam")
    name: Literal["adam"] = "adam"


class AdamW(_AdamLike):
    """Adam with a weight decay that does not pass through its scaling (Loshchilov and Hutter 2019)."""

    model_config = ConfigDict(title="AdamW")
    name: Literal["adamw"] = "adamw"
    weight_decay: float = setting(
        0.01, "Weight decay", "Pulls weights towards zero.", more=True, ge=0, le=1
    )


class Sgd(_Momentum):
    """Stochastic gradient descent with momentum. Wants a higher rate than Adam."""

    model_config = ConfigDict(title="SGD")
    name: Literal["sgd"] = "sgd"


class Nesterov(_Momentum):
    """SGD that looks ahead by its momentum (Sutskever et al. 2013)."""

    model_config = ConfigDict(title="Nesterov")
    name: Literal["nesterov"] = "nesterov"
    momentum: float = setting(
        0.9, "Momentum", "Share of the last step that goes on.", more=True, gt=0, lt=1
    )


class RmsProp(_Momentum):
    """RMSprop (Tieleman and Hinton 2012)."""

    model_config = ConfigDict(title="RMSprop")
    name: Literal["rmsprop"] = "rmsprop"
    momentum: float = setting(
        0.0, "Momentum", "Share of the last step that goes on.", more=True, ge=0, lt=1
    )
    decay: float = setting(
        0.99, "RMS decay", "Memory of the mean of squares.", more=True, ge=0, lt=1
    )
    epsilon: float = setting(1e-8, "ε", "Keeps the division from zero.", more=True, gt=0, le=1)


class Adagrad(_Solver):
    """Adagrad (Duchi et al. 2011)."""

    model_config = ConfigDict(title="Adagrad")
    name: Literal["adagrad"] = "adagrad"
    epsilon: float = setting(1e-10, "ε", "Keeps the division from zero.", more=True, gt=0, le=1)


class Adadelta(_Solver):
    """Adadelta (Zeiler 2012). Finds its own step: the base rate is a factor of it, usually 1."""

    model_config = ConfigDict(title="Adadelta")
    name: Literal["adadelta"] = "adadelta"
    learning_rate: float = setting(
        1, "Base learning rate", "A factor of the step that it finds.", widget="list", gt=0, le=10
    )
    decay: float = setting(0.9, "Decay", "Memory of the means of squares.", more=True, ge=0, lt=1)
    epsilon: float = setting(
        1e-6,
        "ε",
        "Keeps the division from zero, and starts the first steps.",
        more=True,
        gt=0,
        le=1,
    )


Solver = Annotated[
    Adam | AdamW | Sgd | Nesterov | RmsProp | Adagrad | Adadelta,
    Field(discriminator="name"),
    told_by("name", "adam"),
]


class Fixed(Spec):
    """rate = base"""

    model_config = ConfigDict(title="Fixed")
    name: Literal["fixed"] = "fixed"


class Step(Spec):
    """rate = base · gamma ^ floor(percent / size)"""

    model_config = ConfigDict(title="Step")
    name: Literal["step"] = "step"
    size: float = setting(
        33, "Step", "Percent of the run from one step to the next.", unit="%", gt=0, le=100
    )
    gamma: float = setting(0.1, "Gamma", "The factor of each step.", gt=0, le=1)


class MultiStep(Spec):
    """rate = base · gamma ^ (the steps that are past)"""

    model_config = ConfigDict(title="Multistep")
    name: Literal["multistep"] = "multistep"
    steps: Annotated[
        list[Annotated[float, Field(gt=0, le=100)]], FromText, Field(min_length=1, max_length=100)
    ] = setting(
        [50.0, 85.0], "Steps", "Percents of the run, such as 50, 85.", unit="%", widget="list"
    )
    gamma: float = setting(0.5, "Gamma", "The factor of each step.", gt=0, le=1)

    @field_validator("steps")
    @classmethod
    def _in_order(cls, steps: list[float]) -> list[float]:
        return sorted(steps)


class Exponential(Spec):
    """rate = base · gamma ^ (progress · scale)"""

    model_config = ConfigDict(title="Exponential")
    name: Literal["exponential"] = "exponential"
    gamma: float = setting(0.098, "Gamma", "The factor by which the rate falls.", gt=0, le=1)
    per: Literal["run", "percent", "epoch", "iteration"] = setting(
        "run",
        "Decay per",
        "run: once over the whole training. percent: as DIGITS counts. iteration: as Caffe counts.",
    )


class Inverse(Spec):
    """rate = base · (1 + gamma · percent) ^ -power"""

    model_config = ConfigDict(title="Inverse")
    name: Literal["inverse"] = "inverse"
    gamma: float = setting(0.1, "Gamma", "How soon the rate falls.", gt=0, le=1000)
    power: float = setting(0.5, "Power", "How far it falls.", gt=0, le=100)


class Polynomial(Spec):
    """rate = base · (1 - percent / 100) ^ power"""

    model_config = ConfigDict(title="Polynomial")
    name: Literal["polynomial"] = "polynomial"
    power: float = setting(3, "Power", "1 is a straight line to zero.", gt=0, le=100)


class Sigmoid(Spec):
    """rate = base / (1 + exp(gamma · (percent - step)))"""

    model_config = ConfigDict(title="Sigmoid")
    name: Literal["sigmoid"] = "sigmoid"
    step: float = setting(50, "Step", "Where the rate is half its base.", unit="%", gt=0, le=100)
    gamma: float = setting(0.1, "Gamma", "How steep it falls there.", gt=0, le=100)


class Cosine(Spec):
    """Up to the base in a straight line, then down along half a cosine (Loshchilov and Hutter 2017)."""

    model_config = ConfigDict(title="Cosine with warm-up")
    name: Literal["cosine"] = "cosine"
    warm_up: float = setting(
        5, "Warm-up", "Share of the run in which the rate rises.", unit="%", ge=0, le=90
    )
    floor: float = setting(
        0, "Floor", "The rate at the end, in percent of its base.", unit="%", ge=0, le=100
    )


class OneCycle(Spec):
    """From base / 25 up to the base and down to base / 250,000, both along half a cosine (Smith and Topin 2018)."""

    model_config = ConfigDict(title="One cycle")
    name: Literal["one-cycle"] = "one-cycle"
    warm_up: float = setting(
        30, "Warm-up", "Share of the run in which the rate rises.", unit="%", gt=0, le=90
    )


LrPolicy = Annotated[
    Exponential | Fixed | Step | MultiStep | Inverse | Polynomial | Sigmoid | Cosine | OneCycle,
    Field(discriminator="name"),
    told_by("name", "exponential"),
]
