"""Where training runs and in which precision."""

from dataclasses import dataclass

import torch

from compress.processes import own_gpu, share
from perception.errors import InputError


@dataclass(frozen=True)
class Compute:
    """A device and the type that convolutions run in; weights, losses and statistics stay in float32."""

    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> torch.autocast:
        """Context in which convolutions use ``dtype``."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32)


def choose(device: str = "auto", precision: str = "auto") -> Compute:
    """Pick a device (``auto``, ``cpu``, ``cuda``) and precision (``auto``, ``fp32``, ``bf16``, ``fp16``).

    ``auto`` takes a GPU where there is one, and bfloat16 where the hardware multiplies it natively. Several
    processes on a host take a GPU each.

    Raises:
        InputError: where the device is absent, there are too few of it, or FP16 is asked of a CPU.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda: torch finds no CUDA GPU here; use --device cpu")
    if precision == "fp16" and device == "cpu":
        raise InputError("precision fp16: needs a GPU; use bf16 or fp32 on a CPU")
    if precision == "auto":
        precision = "bf16" if _multiplies_bfloat16(device) else ("fp16" if device == "cuda" else "fp32")
    # Denormals late in training slow a CPU down tenfold and mean nothing.
    torch.set_flush_denormal(True)
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    place = torch.device(device)
    if device == "cuda" and share().count > 1:
        place = torch.device(device, own_gpu())
        torch.cuda.set_device(place)
    return Compute(place, dtypes[precision])


def _multiplies_bfloat16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.get_device_capability() >= (8, 0)
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
