"""Types of the progress of a job and of the load of its machine."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from jobs.core.types.fields import doc


class Progress(TypedDict):
    """How far a job is."""

    done: Annotated[int, doc("Finished units of work.")]
    total: Annotated[int | None, doc("Null if unknown.")]
    unit: Annotated[str, doc("What is counted: pairs, frames, steps, images.")]
    rate: Annotated[float, doc("Units per second.")]
    eta: Annotated[float | None, doc("Seconds until the end; null if unknown.")]
    share: NotRequired[
        Annotated[float | None, doc("Of a training by time: its elapsed share, 0 to 1.")]
    ]
    phase: NotRequired[
        Annotated[str, doc("Of a training: loading data, training, validating or saving.")]
    ]
    pairs: NotRequired[Annotated[dict[str, int], doc("Of a dataset: pairs so far, by split.")]]


class Gpu(TypedDict, total=False):
    """The load of a GPU. A reading that the GPU does not support is absent."""

    name: str
    utilisation: Annotated[float | None, doc("Percent.")]
    memory_used: Annotated[int | None, doc("Bytes.")]
    memory_total: Annotated[int | None, doc("Bytes.")]
    temperature: Annotated[float | None, doc("Degrees Celsius.")]


class ShownHardware(TypedDict):
    """The load of the machine, as lists show it."""

    cpu: Annotated[float, doc("Load of the job's process in percent; 100 per core.")]
    gpus: Annotated[list[Gpu], doc("The GPUs of the job; empty on a CPU.")]


class Hardware(ShownHardware):
    """The load of the machine."""

    cores: Annotated[int | None, doc("Cores of the machine; null if unknown.")]
    rss: Annotated[int, doc("Memory of the job's process in bytes.")]
    memory_total: Annotated[int, doc("Memory of the machine in bytes.")]
