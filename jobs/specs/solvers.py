"""The optimizers, and the policies of the learning rate over the run."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, field_validator

from jobs.specs.base import FromText, Spec, Swept, discriminated_by, setting


class _Solver(Spec):
    learning_rate: Annotated[float, Swept()] = setting(
        0.001,
        "Base learning rate",
        "Step size of the solver; 0.001, 0.0003 is a sweep.",
        widget="list",
        gt=0,
        le=10,
    )
    weight_decay: float = setting(
        0,
        "Weight decay",
        "Larger values pull the weights more strongly to zero.",
        more=True,
        ge=0,
        le=1,
    )


class _Momentum(_Solver):
    momentum: float = setting(
        0.9,
        "Momentum",
        "Fraction of the previous update that is added to the next.",
        more=True,
        ge=0,
        lt=1,
    )


class _AdamLike(_Solver):
    beta1: float = setting(
        0.9,
        "β1",
        "Decay rate of the mean of gradients. Larger values average over more steps.",
        more=True,
        ge=0,
        lt=1,
    )
    beta2: float = setting(
        0.999,
        "β2",
        "Decay rate of the mean of squared gradients. Larger values average over more steps.",
        more=True,
        ge=0,
        lt=1,
    )
    epsilon: float = setting(
        1e-8, "ε", "Added to the denominator to avoid a division by zero.", more=True, gt=0, le=1
    )


class Adam(_AdamLike):
    """Adam (Kingma and Ba 2015)."""

    model_config = ConfigDict(title="Adam")
    name: Literal["adam"] = "adam"


class AdamW(_AdamLike):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    model_config = ConfigDict(title="AdamW")
    name: Literal["adamw"] = "adamw"
    weight_decay: float = setting(
        0.01,
        "Weight decay",
        "Larger values pull the weights more strongly to zero.",
        more=True,
        ge=0,
        le=1,
    )


class Sgd(_Momentum):
    """Stochastic gradient descent with momentum. Needs a higher learning rate than Adam."""

    model_config = ConfigDict(title="SGD")
    name: Literal["sgd"] = "sgd"


class Nesterov(_Momentum):
    """SGD with Nesterov momentum (Sutskever et al. 2013)."""

    model_config = ConfigDict(title="Nesterov")
    name: Literal["nesterov"] = "nesterov"
    momentum: float = setting(
        0.9,
        "Momentum",
        "Fraction of the previous update that is added to the next.",
        more=True,
        gt=0,
        lt=1,
    )


class RmsProp(_Momentum):
    """RMSprop (Tieleman and Hinton 2012)."""

    model_config = ConfigDict(title="RMSprop")
    name: Literal["rmsprop"] = "rmsprop"
    momentum: float = setting(
        0.0,
        "Momentum",
        "Fraction of the previous update that is added to the next.",
        more=True,
        ge=0,
        lt=1,
    )
    decay: float = setting(
        0.99,
        "RMS decay",
        "Decay rate of the mean of squared gradients. Larger values average over more steps.",
        more=True,
        ge=0,
        lt=1,
    )
    epsilon: float = setting(
        1e-8, "ε", "Added to the denominator to avoid a division by zero.", more=True, gt=0, le=1
    )


class Adagrad(_Solver):
    """Adagrad (Duchi et al. 2011)."""

    model_config = ConfigDict(title="Adagrad")
    name: Literal["adagrad"] = "adagrad"
    epsilon: float = setting(
        1e-10, "ε", "Added to the denominator to avoid a division by zero.", more=True, gt=0, le=1
    )


class Adadelta(_Solver):
    """Adadelta (Zeiler 2012) computes its step size. The learning rate is a factor, usually 1."""

    model_config = ConfigDict(title="Adadelta")
    name: Literal["adadelta"] = "adadelta"
    learning_rate: Annotated[float, Swept()] = setting(
        1,
        "Base learning rate",
        "Factor of the step size that Adadelta computes.",
        widget="list",
        gt=0,
        le=10,
    )
    decay: float = setting(
        0.9,
        "Decay",
        "Decay rate of the means of squares. Larger values average over more steps.",
        more=True,
        ge=0,
        lt=1,
    )
    epsilon: float = setting(
        1e-6,
        "ε",
        "Avoids a division by zero. Larger values make the first steps larger.",
        more=True,
        gt=0,
        le=1,
    )


Solver = Annotated[
    Adam | AdamW | Sgd | Nesterov | RmsProp | Adagrad | Adadelta,
    Field(discriminator="name"),
    discriminated_by("name", "adam"),
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
        33,
        "Step",
        "Distance from one step to the next, in percent of the run.",
        unit="%",
        gt=0,
        le=100,
    )
    gamma: float = setting(0.1, "Gamma", "Factor of the rate at each step.", gt=0, le=1)


class MultiStep(Spec):
    """rate = base · gamma ^ (number of steps passed)"""

    model_config = ConfigDict(title="Multistep")
    name: Literal["multistep"] = "multistep"
    steps: Annotated[
        list[Annotated[float, Field(gt=0, le=100)]], FromText, Field(min_length=1, max_length=100)
    ] = setting(
        [50.0, 85.0],
        "Steps",
        "Positions of the steps in percent of the run, such as 50, 85.",
        unit="%",
        widget="list",
    )
    gamma: float = setting(0.5, "Gamma", "Factor of the rate at each step.", gt=0, le=1)

    @field_validator("steps")
    @classmethod
    def _sorted(cls, steps: list[float]) -> list[float]:
        return sorted(steps)


class Exponential(Spec):
    """rate = base · gamma ^ (progress · scale)"""

    model_config = ConfigDict(title="Exponential")
    name: Literal["exponential"] = "exponential"
    gamma: float = setting(
        0.098, "Gamma", "Factor by which the rate falls over each unit of Decay per.", gt=0, le=1
    )
    per: Literal["run", "percent", "epoch", "iteration"] = setting(
        "run",
        "Decay per",
        "The rate falls by gamma in this time: the run, 1 % of it (as DIGITS), an epoch, a step.",
    )


class Inverse(Spec):
    """rate = base · (1 + gamma · percent) ^ -power"""

    model_config = ConfigDict(title="Inverse")
    name: Literal["inverse"] = "inverse"
    gamma: float = setting(0.1, "Gamma", "Larger values make the rate fall earlier.", gt=0, le=1000)
    power: float = setting(0.5, "Power", "Larger values make the rate fall further.", gt=0, le=100)


class Polynomial(Spec):
    """rate = base · (1 - percent / 100) ^ power"""

    model_config = ConfigDict(title="Polynomial")
    name: Literal["polynomial"] = "polynomial"
    power: float = setting(
        3,
        "Power",
        "1 is a straight line to zero. Larger values make the rate fall earlier.",
        gt=0,
        le=100,
    )


class Sigmoid(Spec):
    """rate = base / (1 + exp(gamma · (percent - step)))"""

    model_config = ConfigDict(title="Sigmoid")
    name: Literal["sigmoid"] = "sigmoid"
    step: float = setting(
        50,
        "Step",
        "The point of the run at which the rate is half its base.",
        unit="%",
        gt=0,
        le=100,
    )
    gamma: float = setting(0.1, "Gamma", "Larger values make the fall steeper.", gt=0, le=100)


class Cosine(Spec):
    """A linear rise to the base, then a fall along half a cosine (Loshchilov and Hutter 2017)."""

    model_config = ConfigDict(title="Cosine with warm-up")
    name: Literal["cosine"] = "cosine"
    warm_up: float = setting(
        5, "Warm-up", "Part of the run in which the rate rises to its base.", unit="%", ge=0, le=90
    )
    floor: float = setting(
        0, "Floor", "Rate at the end, in percent of the base.", unit="%", ge=0, le=100
    )


class OneCycle(Spec):
    """Half a cosine from base / 25 up to base, another to base / 250,000 (Smith and Topin 2018)."""

    model_config = ConfigDict(title="One cycle")
    name: Literal["one-cycle"] = "one-cycle"
    warm_up: float = setting(
        30, "Warm-up", "Part of the run in which the rate rises to its base.", unit="%", gt=0, le=90
    )


LrPolicy = Annotated[
    Exponential | Fixed | Step | MultiStep | Inverse | Polynomial | Sigmoid | Cosine | OneCycle,
    Field(discriminator="name"),
    discriminated_by("name", "exponential"),
]
