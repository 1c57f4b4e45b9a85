"""How the pictures of a restored video are encoded: encoder, size, pixel format, fields, HDR10."""

from dataclasses import dataclass, field

import av

from jobs.core.errors import JobError
from jobs.media.qp_maps import coding_of
from jobs.media.video import Warn
from jobs.restoring import hdr
from jobs.restoring.fields import BOTTOM_FIRST, field_order
from jobs.restoring.planes import Layout
from jobs.specs.test import Codec

DAMAGED = 32
"""The QP of the input's first frame, some 3 lower than that of the others, below which the CRF gets
lower as well. At CRF 12, restored files of three clips were worse than their inputs at QP 22."""
MILD = 22
"""A QP of the first frame below which any H.264 or HEVC may lose more than a network gains."""
LEAST_CRF = 1
"""0 is lossless in x264, which few players play."""
THOROUGH = {"preset": "medium"}
"""Options of x264 where its CRF cannot be low enough: this preset then loses 0.02 to 0.06 dB less
than the quicker one of ENCODERS. docs/restoring.md compares them at other rates."""
BROWSER_OPTIONS = {"crf": "12", "preset": "superfast", "tune": "psnr", "g": "25"}
"""The encoder's options for copies for browsers: fast encoding and fast seeking."""
BROWSER_FORMAT = "yuv420p"
"""The only pixel format of H.264 that all browsers play."""


@dataclass(frozen=True)
class Encoder:
    """An encoder of FFmpeg: its name there, the codec's name, and its options.

    `params` is the option that holds the options of the encoder's own library. `crf`: visually
    lossless, and over 45 dB with tune psnr (no psychovisual optimisation). `least` is the smallest
    width and height.
    """

    name: str
    codec: str
    options: dict[str, str]
    params: str = ""
    crf: int = 0
    least: int = 1


ENCODERS: dict[Codec, Encoder] = {
    "h264": Encoder(
        "libx264", "H.264", {"preset": "veryfast", "tune": "psnr"}, "x264-params", 10, 2
    ),
    "hevc": Encoder("libx265", "HEVC", {"preset": "medium", "tune": "psnr"}, "x265-params", 12, 16),
    "ffv1": Encoder("ffv1", "FFV1", {"level": "3", "slices": "4", "slicecrc": "1"}),
}


@dataclass
class Encoding:
    """The encoding of frames of a layout. `first` is the first of the input.

    `family`: the pixel format of 8 bits with the planes that frames are built with; `format`: the
    pixel format that is encoded. `field_order` is 0 for progressive video. `is_costly`: the
    encoding may lose more than a network gains. Losses are reported to `warn`. Raises JobError for
    frames that are too small.
    """

    codec: Codec
    layout: Layout
    first: av.VideoFrame
    warn: Warn
    for_browsers: bool
    width: int = field(init=False)
    height: int = field(init=False)
    family: str = field(init=False)
    format: str = field(init=False)
    field_order: int = field(init=False)
    is_costly: bool = field(init=False)
    options: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.encoder = ENCODERS[self.codec]
        self.family, self.format = self.layout.family, self.layout.format
        self.width, self.height = self.layout.width, self.layout.height
        if self.family == "gray" and self.codec != "ffv1":
            # Few players support H.264 and HEVC without chroma.
            self.family, self.format = "yuv420p", self.layout.format.replace("gray", "yuv420p")
        if self.for_browsers:
            self.format = BROWSER_FORMAT
        if self.codec != "ffv1":
            self._fit_size()
        self.field_order = 0 if self.for_browsers else self._interlaced_order()
        qp = coding_of(self.first).qp
        self.is_costly = self.codec != "ffv1" and qp is not None and qp.mean() < MILD
        self.options = dict(BROWSER_OPTIONS if self.for_browsers else self.encoder.options)
        if self.codec != "ffv1" and not self.for_browsers:
            finer = 0 if qp is None else max(0, DAMAGED - round(qp.mean()))
            self.options["crf"] = str(max(LEAST_CRF, self.encoder.crf - finer))
            if self.codec == "h264" and self.encoder.crf - finer < LEAST_CRF:
                self.options |= THOROUGH
        if params := self._params():
            self.options[self.encoder.params] = ":".join(params)

    def _fit_size(self) -> None:
        no_chroma = self.layout.halved is None
        columns, rows = (1, 1) if self.for_browsers or no_chroma else self.layout.halved or (1, 1)
        self.width, self.height = self.width >> columns << columns, self.height >> rows << rows
        size = f"{self.layout.width}×{self.layout.height}"
        if min(self.width, self.height) < self.encoder.least:
            raise JobError(
                f"The video is {size}: too small for {self.encoder.codec}. Use the codec ffv1."
            )
        if (self.width, self.height) != (self.layout.width, self.layout.height):
            self.warn(
                f"The video is {size}: its odd last row or column is removed, because "
                f"{self.encoder.codec} in 4:2:0 requires even sizes. The codec ffv1 keeps it."
            )

    def _interlaced_order(self) -> int:
        """The field order of the output; 0 if it is progressive."""
        order = field_order(self.first)
        if order and self.codec == "hevc":
            self.warn(
                "The output is marked as progressive: HEVC is written without fields. "
                "The codecs h264 and ffv1 keep them."
            )
            return 0
        if order and self.codec == "h264" and self.height % 4:
            self.warn(
                "The output is marked as progressive: interlaced H.264 requires a height of 4, 8, "
                f"12 …, and this is {self.height}. The codec ffv1 keeps the fields."
            )
            return 0
        return order

    def _params(self) -> list[str]:
        """The options of the encoder's own library."""
        params = ["log-level=error"] if self.codec == "hevc" else []
        params += self._light_level()
        if self.field_order == BOTTOM_FIRST and self.codec == "h264":
            params.append("bff=1")  # FFmpeg's default is the top field until the first frame.
        return params

    def _light_level(self) -> list[str]:
        if not hdr.has_light_level(self.first):
            return []
        if not self.encoder.params:
            self.warn(
                "The mastering display and the light level are lost: the FFV1 file does not store "
                "them. Set them in the player."
            )
            return []
        params = hdr.params(self.first, self.encoder.params)
        if params:
            self.warn(
                f"The mastering display and the light level are kept in the {self.encoder.codec} "
                "stream. The container does not repeat them: players that read them only there "
                "miss them."
            )
        if not hdr.is_complete(self.first):
            self.warn(
                "The mastering display is lost: the input has only a part of it, and "
                f"{self.encoder.codec} stores all or none. Set it in the player."
            )
        return params
