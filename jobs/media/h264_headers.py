"""Headers of H.264 that say which slices are one frame, and whether a picture is missing.

ITU-T H.264: 7.3.2.1.1 (sequence parameter set), 7.3.2.2 (picture parameter set), 7.3.3 (slice
header), 7.4.3 (frame_num).
"""

from dataclasses import dataclass, field

IDR, SPS, PPS = 5, 7, 8
WITH_CHROMA_FORMAT = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 134, 135, 138, 139))
"""The profiles whose sequence parameter set has chroma_format_idc and scaling matrices."""
LONGEST = 64
"""Bytes of a slice that are enough for the start of its header."""


class Bits:
    """Reads a NAL unit without its header. Raises ValueError after its end."""

    def __init__(self, unit: bytes) -> None:
        payload = unit.replace(b"\0\0\3", b"\0\0")
        self._value, self._left = int.from_bytes(payload, "big"), 8 * len(payload)

    def take(self, count: int) -> int:
        """An unsigned number of `count` bits."""
        if count > self._left:
            raise ValueError("the unit ends within its header")
        self._left -= count
        return self._value >> self._left & (1 << count) - 1

    def unsigned(self) -> int:
        """An unsigned Exp-Golomb code (9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        """A signed Exp-Golomb code (9.1.1)."""
        code = self.unsigned()
        return (code + 1) // 2 if code % 2 else -(code // 2)


@dataclass(frozen=True)
class Sequence:
    """What slices need of their sequence parameter set. `frame_num_bits`: width of frame_num."""

    frame_num_bits: int
    gaps_allowed: bool
    has_fields: bool
    separate_planes: bool


@dataclass(frozen=True)
class Slice:
    """The start of a slice header. `bottom`: whether it belongs to a bottom field."""

    frame_num: int
    field: bool
    bottom: bool
    idr: bool
    reference: bool


@dataclass
class Pictures:
    """Follows the parameter sets and slices of a stream."""

    _sequences: dict[int, Sequence] = field(default_factory=dict)
    _sequence_of: dict[int, int] = field(default_factory=dict)
    _last: Slice | None = None
    _paired: bool = False
    """Whether the last picture is the second field of a frame."""
    _reference: int | None = None
    """frame_num of the last reference picture."""
    gaps: int = 0
    """How often reference pictures were missing."""

    def begins_frame(self, header: int, unit: bytes) -> bool | None:
        """Whether a unit begins a frame; None if its headers do not say.

        False for further slices of a picture, and for the second field of a frame.
        """
        try:
            if header & 31 == SPS:
                self._read_sequence(Bits(unit))
            elif header & 31 == PPS:
                bits = Bits(unit)
                self._sequence_of[bits.unsigned()] = bits.unsigned()
            elif header & 31 in (1, IDR):
                return self._add(*self._read_slice(header, Bits(unit[:LONGEST])))
        except (ValueError, KeyError):  # Damaged, or without its parameter sets.
            return None
        return False

    def _add(self, first: bool, now: Slice, sequence: Sequence) -> bool:
        before, self._last = self._last, now
        if before == now and not first:
            return False
        completes = (
            before is not None
            and not self._paired
            and before.field
            and now.field
            and before.bottom != now.bottom
            and before.frame_num == now.frame_num
            and not now.idr
        )
        self._paired = completes
        if not completes and not sequence.gaps_allowed:
            self._note_gap(now, 1 << sequence.frame_num_bits)
        if now.reference:
            self._reference = now.frame_num
        return not completes

    def _note_gap(self, now: Slice, modulus: int) -> None:
        # An operation that encoders hardly use (5) sets the last frame_num to 0.
        expected = (self._reference, 0, 1)
        if self._reference is None or now.idr or now.frame_num in expected:
            return
        self.gaps += now.frame_num != (self._reference + 1) % modulus

    def _read_slice(self, header: int, bits: Bits) -> tuple[bool, Slice, Sequence]:
        """Whether it is the first slice of its picture, its header, and its sequence."""
        first = bits.unsigned() == 0
        bits.unsigned()  # slice_type
        sequence = self._sequences[self._sequence_of[bits.unsigned()]]
        if sequence.separate_planes:
            bits.take(2)
        number = bits.take(sequence.frame_num_bits)
        is_field = sequence.has_fields and bool(bits.take(1))
        bottom = is_field and bool(bits.take(1))
        return first, Slice(number, is_field, bottom, header & 31 == IDR, header > 31), sequence

    def _read_sequence(self, bits: Bits) -> None:
        profile = bits.take(8)
        bits.take(16)  # constraint flags and level
        number, separate_planes = bits.unsigned(), False
        if profile in WITH_CHROMA_FORMAT:
            chroma = bits.unsigned()
            separate_planes = chroma == 3 and bool(bits.take(1))
            bits.unsigned()  # bit depths
            bits.unsigned()
            bits.take(1)
            if bits.take(1):
                for matrix in range(12 if chroma == 3 else 8):
                    if bits.take(1):
                        _skip_matrix(bits, 16 if matrix < 6 else 64)
        frame_num_bits = bits.unsigned() + 4
        _skip_picture_order(bits)
        bits.unsigned()  # max_num_ref_frames
        gaps_allowed = bool(bits.take(1))
        bits.unsigned()  # size
        bits.unsigned()
        has_fields = not bits.take(1)
        if frame_num_bits <= 16:
            self._sequences[number] = Sequence(
                frame_num_bits, gaps_allowed, has_fields, separate_planes
            )


def _skip_matrix(bits: Bits, size: int) -> None:
    """Skip a scaling list (7.3.2.1.1.1)."""
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _skip_picture_order(bits: Bits) -> None:
    kind = bits.unsigned()
    if kind == 0:
        bits.unsigned()
    elif kind == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(bits.unsigned()):
            bits.signed()
