"""Running the frames of a video through the network."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from jobs.core.errors import JobError
from jobs.media.qp_maps import Coding, plane_of
from jobs.networks.device import computes_bfloat16, computes_eight_bits
from jobs.restoring import planes
from jobs.restoring.planes import Layout
from jobs.restoring.video_in import Shot
from models import eight_bits, memory, tiles
from models.build import GraphNetwork
from models.eight_bits import EightBits
from models.fused import FusedNetwork
from models.restorer import Restorer

BATCH_PIXELS = {"cpu": 2**17, "cuda": 2**22}
"""Pixels of a batch, by device. Larger batches are slower on a CPU: they exceed its cache."""
MAX_FRAMES = 16
"""The most frames of a batch."""


@dataclass(frozen=True)
class Model:
    """A network on its device, in eval mode, for images of `channels` (3 for RGB, or 1)."""

    restorer: Restorer
    channels: int
    limit: int
    """The most bytes that the outputs of layers may use."""
    qp: int | None = None
    """The QP of frames and images whose QP is unknown."""

    def lacks_qp(self, coding: Coding) -> bool:
        """Whether the network takes the QP, and that of a frame or image is unknown."""
        return self.restorer.takes_qp and coding.qp is None and self.qp is None


def no_qp(name: str) -> str:
    """The message for a file of which the network should know the QP."""
    return (
        f"The QP of {name} is unknown, and it decides how much the network changes: that may be "
        "nothing. Assume a QP, such as 27: --qp 27, or QP to assume in the form."
    )


class FrameRestorer:
    """Restores the planes of shots. Call `begin` before the first call of `restore`."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._device = tiles.device_of(model.restorer)
        self._restorer = _fast(model.restorer, self._device)
        self.dtype = self._restorer.dtype
        """The type of values between layers, unless they compute in 8 bits; None for float32."""
        self._tilings: dict[tuple[int, ...], tiles.Tiling] = {}
        self.threads = 1
        """Threads that may call `restore` at a time. On a GPU they would need its memory twice,
        and a user's module may keep values of its own."""
        if self._device.type == "cpu" and tiles.can_tile(model.restorer):
            self.threads = torch.get_num_threads()
        self._limit = model.limit // self.threads
        # A network for Y gets the video's own: a conversion to RGB and back would take
        # time, and only round.
        self.needs_rgb = model.channels == 3 and model.restorer.channels != "y"
        self.needs_qps = model.restorer.takes_qp
        self._channels = 3 if self.needs_rgb else 1
        self._layout: Layout | None = None
        self._eight_bits: EightBits | None = None

    def begin(self, layout: Layout) -> None:
        """Prepare for frames of a layout."""
        self._layout, restorer = layout, self.model.restorer
        self._eight_bits = None
        if (
            layout.bits == 8
            and computes_eight_bits(self._device)
            and restorer.mean is None
            and not self.needs_rgb
            and eight_bits.fits(restorer.net)
        ):
            white = layout.black + layout.scales[0]
            self._eight_bits = EightBits(restorer.net, layout.black, white)

    def batch_size(self, width: int, height: int) -> int:
        """The number of frames of a batch, for frames of a size."""
        pixels = width * height
        within_limit = self._limit / (
            memory.bytes_per_pixel(self.model.restorer, self._channels + self.needs_qps) * pixels
        )
        return max(1, min(MAX_FRAMES, BATCH_PIXELS[self._device.type] // pixels, int(within_limit)))

    @torch.inference_mode()
    def restore(self, shots: list[Shot]) -> list[Shot]:
        """Shots with restored planes. Raises JobError for frames over the memory limit."""
        if not shots:
            return shots
        layout = self._layout
        assert layout is not None
        inputs = [
            planes.stack([shot.planes[plane] for shot in shots], self._device)
            for plane in range(len(shots[0].planes))
        ]
        try:
            outputs = self._changed(inputs, shots, layout)
        except tiles.TooLarge as error:
            raise JobError(str(error)) from error
        values = [output[:, 0].cpu().numpy() for output in outputs]
        return [
            replace(shot, planes=[plane[number] for plane in values], rgb=None, qp=None)
            for number, shot in enumerate(shots)
        ]

    def _changed(self, inputs: list[Tensor], shots: list[Shot], layout: Layout) -> list[Tensor]:
        """The planes of shots (N, 1, rows, columns), restored. Raises TooLarge."""
        if self.needs_rgb:
            rgb = planes.stack([shot.rgb for shot in shots if shot.rgb is not None], self._device)
            change = self._run(rgb, shots).clamp(0, 1) - tiles.unit(rgb)
            return planes.change_of_rgb(change, inputs, layout)
        gray = planes.gray_of(inputs[0], layout)
        restored = (
            self._run(gray, shots)
            if self._eight_bits is None
            else self._run_in_eight_bits(self._eight_bits, inputs[0], shots).add_(gray)
        )
        change = restored.clamp_(0, 1).sub_(gray)
        return planes.change_of_luma(change, inputs, layout)

    def _run(self, image: Tensor, shots: list[Shot]) -> Tensor:
        if self.needs_qps:
            image = self._with_qps(image, shots)
        return tiles.smaller_until_it_fits(lambda limit: self._tiled(image, limit), self._limit)

    def _run_in_eight_bits(self, network: EightBits, y: Tensor, shots: list[Shot]) -> Tensor:
        """The change of Y, float32 (N, 1, H, W): 1 is the full range."""
        y = y.clamp(round(network.black), round(network.white))  # As gray_of.
        image = self._with_qps(y, shots) if self.needs_qps else y
        return tiles.in_tiles(network, image, self._tiling(image, self._limit))

    def _with_qps(self, image: Tensor, shots: list[Shot]) -> Tensor:
        """The images, uint8 or float32 in 0 to 1, with the QPs of their frames as last channel."""
        height, width = image.shape[-2:]
        size, unknown = (height, width), self.model.qp
        qps = planes.stack(
            [plane_of(shot.qp, *size, unknown=unknown) for shot in shots], self._device
        )
        return torch.cat((image, qps if image.dtype == torch.uint8 else qps / 255), 1)

    def _tiled(self, image: Tensor, limit: int) -> Tensor:
        """The restored frames. The limit stays for the next ones, which may need the same."""
        if limit != self._limit:
            self._tilings.clear()
            self._limit = limit
        return tiles.run(self._restorer, image, self._tiling(image, limit))

    def _tiling(self, image: Tensor, limit: int) -> tiles.Tiling:
        shape = tuple(image.shape)
        if shape not in self._tilings:
            self._tilings[shape] = tiles.plan(self._restorer, shape, limit)
        return self._tilings[shape]


def _fast(restorer: Restorer, device: torch.device) -> Restorer:
    """The restorer in the memory format, and with the layers and types of values, that are fast.

    The layers of a graph whose output is the image plus a correction compute in bfloat16 on a CPU
    that has it, in half of the time: that is exact enough for a correction, not for an image.
    """
    restorer.to(memory_format=torch.channels_last)  # 20 % faster on a CPU.
    net = restorer.net
    if not isinstance(net, GraphNetwork):  # Other modules may need their rows in order.
        return restorer
    is_half = net.graph.corrects_image and device.type == "cpu" and computes_bfloat16(device)
    dtype = torch.bfloat16 if is_half else restorer.dtype
    fast = (
        FusedNetwork(net, dtype or torch.float32)
        if device.type == "cpu" and torch.backends.mkldnn.is_available()
        else net
    )
    fast.register_forward_pre_hook(_channels_last)  # 10 % faster.
    return Restorer(fast, restorer.channels, restorer.mean, dtype).eval()


def _channels_last(_net: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(image.contiguous(memory_format=torch.channels_last) for image in inputs)
