"""What a training job can be asked to do."""

from typing import Literal, Self

from pydantic import model_validator

from jobs.specs.base import JobId, Name, Spec, setting


class Network(Spec):
    name: Literal["srcnn-9-1-5"] = setting(
        "srcnn-9-1-5", "Network", "9-1-5 with 64 and 32 maps (Dong et al. 2014), kept at the size of its input."
    )
    skip: bool = setting(
        True, "Global skip", "The network learns what to add to its input, and starts as the identity.", more=True
    )


class Loss(Spec):
    name: Literal["l1"] = setting("l1", "Loss", "Mean absolute difference of output and target.")


class Solver(Spec):
    name: Literal["adam"] = setting("adam", "Solver", "Adam (Kingma and Ba 2015).")
    learning_rate: float = setting(0.001, "Base learning rate", "The rate that the run starts with.", gt=0, le=10)


class LrPolicy(Spec):
    name: Literal["exponential"] = setting("exponential", "Rate policy", "rate = base * gamma ^ (progress * scale)")
    gamma: float = setting(0.098, "Gamma", "The factor by which the rate falls.", gt=0, le=1)
    per: Literal["run", "percent", "epoch", "iteration"] = setting(
        "run", "Decay per", "run: once over the whole training. percent: as DIGITS counts. iteration: as Caffe counts."
    )


class ModelSpec(Spec):
    """Train a network on a dataset."""

    name: Name = setting(..., "Name", "How the model is called in lists.")
    dataset: JobId = setting(
        ..., "Dataset", "The pairs to train on. A dataset that is still being made is waited for.", widget="dataset"
    )
    network: Network = Network()
    loss: Loss = Loss()
    solver: Solver = Solver()
    lr_policy: LrPolicy = LrPolicy()
    epochs: int | None = setting(
        None, "Epochs", "Passes over the training frames: 30 where neither epochs nor minutes are given.", ge=1, le=100_000
    )
    minutes: float | None = setting(
        None, "Minutes", "A time budget in place of epochs; the rate then decays over this time.", unit="min", gt=0, le=100_000
    )
    batch_size: int = setting(32, "Batch size", "Patches a step.", unit="patches", ge=1, le=4096)
    patch_size: int = setting(64, "Patch size", "Side of the random squares cut from each pair.", unit="px", ge=8, le=1024)
    patches_per_frame: int = setting(
        8, "Patches a frame", "Random patches cut from each training frame in an epoch.", more=True, ge=1, le=4096
    )
    seed: int = setting(0, "Seed", "Start of all random numbers of the run.", more=True, ge=0, le=2**31 - 1)
    device: Literal["auto", "cpu", "cuda"] = setting("auto", "Device", "auto: a GPU where there is one.", more=True)
    precision: Literal["auto", "float32", "bfloat16"] = setting(
        "auto", "Precision", "auto: bfloat16 where the processor or GPU computes in it, else float32.", more=True
    )

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs is not None and self.minutes is not None:
            raise ValueError("give epochs or minutes, not both")
        if self.epochs is None and self.minutes is None:
            self.epochs = 30
        return self
