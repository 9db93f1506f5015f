"""What the makers publish of their boards: how many multiprocessors, how fast they run, how wide the memory is."""

from dataclasses import dataclass

from perception.errors import InputError

# Dense FP16 multiply-accumulates of an Orin multiprocessor in one cycle: 16 of them at 1.3 GHz give the published
# 171 sparse INT8 TOPS of an AGX Orin's GPU, which are twice its dense INT8 and four times its dense FP16 rate.
_FP16_MACS = 1024


@dataclass(frozen=True)
class Board:
    """One board in one power mode.

    Attributes:
        name: as people call it.
        mode: as ``nvpmodel`` calls it.
        multiprocessors: of the GPU, those that the mode leaves on.
        mhz: highest clock of the GPU in this mode.
        gb_per_s: bandwidth of the memory.
    """

    name: str
    mode: str
    multiprocessors: int
    mhz: float
    gb_per_s: float

    @property
    def fp16_macs_per_s(self) -> float:
        """Dense FP16 multiply-accumulates a second at best; half the TFLOPS that data sheets give."""
        return self.multiprocessors * _FP16_MACS * self.mhz * 1e6


# By device, its fastest mode first. Sources: NVIDIA's data sheets and the power mode tables of the Jetson Linux guide;
# for AGX Orin also the TOPS by power mode that NVIDIA's Deep-Learning-Accelerator-SW documents, which agree.
BOARDS: dict[str, tuple[Board, ...]] = {
    "orin-nano": (
        Board("Jetson Orin Nano 8GB (Super)", "MAXN_SUPER", 8, 1020, 102.4),
        Board("Jetson Orin Nano 8GB (Super)", "25W", 8, 918, 102.4),
        Board("Jetson Orin Nano 8GB", "15W", 8, 625, 68.3),
    ),
    "orin-nx": (
        Board("Jetson Orin NX 16GB (Super)", "MAXN_SUPER", 8, 1173, 102.4),
        Board("Jetson Orin NX 16GB", "MAXN", 8, 918, 102.4),
    ),
    "agx-orin": (
        Board("Jetson AGX Orin 64GB", "MAXN", 16, 1300, 204.8),
        Board("Jetson AGX Orin 64GB", "50W", 16, 828, 204.8),
        Board("Jetson AGX Orin 64GB", "30W", 8, 624, 204.8),
    ),
}


def board(device: str, mode: str | None = None) -> Board:
    """A device of ``BOARDS`` in a power mode, the fastest one when absent; raises :class:`InputError`."""
    modes = BOARDS[device]
    if mode is None:
        return modes[0]
    for candidate in modes:
        if candidate.mode.lower() == mode.lower():
            return candidate
    raise InputError(f"--mode {mode}: not known of {device}; give one of {', '.join(known.mode for known in modes)}")
