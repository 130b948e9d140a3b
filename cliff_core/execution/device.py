"""What networks are run on and in which precision: the one place that decides.

A CUDA device where there is one, else the processor. float32 unless somebody asks for bfloat16, and bfloat16 only where
it is computed natively: elsewhere it is emulated, slower than float32 and less exact. It is not the default because it
moves bodies by millimetres, here and there by centimetres (`docs/speed.md`); on processors it halves the time.

Torch is imported only where it is asked, so that a shell can offer the choice without loading it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_PEOPLE_AT_ONCE = {"cpu": 4, "cuda": 64}  # more, and the maps of a layer leave a processor's cache


class Precision(StrEnum):
    """The numbers a trunk computes with; what stands before and after it is always float32 or better."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True, slots=True)
class Compute:
    """Where and how a trunk computes.

    Attributes:
        device: torch's name of it.
        precision: as it will be, which may be better than what was asked for.
    """

    device: str
    precision: Precision

    @property
    def dtype(self) -> torch.dtype:
        """Torch's type of the weights and maps."""
        import torch

        return torch.bfloat16 if self.precision is Precision.BFLOAT16 else torch.float32

    @property
    def people_at_once(self) -> int:
        """How many people are fastest in one pass through a trunk."""
        return _PEOPLE_AT_ONCE[self.device]


def choose_compute(precision: Precision = Precision.FLOAT32) -> Compute:
    """The best device of this machine, with the precision asked for where the device has it, else float32."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    native = precision is Precision.BFLOAT16 and has_native_bfloat16(device)
    return Compute(device, Precision.BFLOAT16 if native else Precision.FLOAT32)


def has_native_bfloat16(device: str) -> bool:
    """Whether a device multiplies bfloat16 numbers itself."""
    import torch

    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    check = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # what torch cannot tell is a no
    return torch.backends.mkldnn.is_available() and check is not None and bool(check())
