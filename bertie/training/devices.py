"""Devices and processes, by accelerate.

In:  the device and the number format that were chosen
Out: an Accelerator; agreement between processes
Knows nothing of training.
"""

from __future__ import annotations

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState

from bertie.core.runtime import choose_device


def make_accelerator(device: str, dtype: str) -> Accelerator:
    """An Accelerator. Under `accelerate launch` or torchrun it joins the other processes.

    accelerate keeps its state for the whole process and refuses a second one that differs; two trainings after each
    other in one Python may well differ, so the first one's state is dropped.
    """
    AcceleratorState._reset_state(reset_partial_state=PartialState().num_processes == 1)
    precision = "bf16" if dtype == "bfloat16" else "no"
    return Accelerator(mixed_precision=precision, cpu=choose_device(device).type == "cpu")


def agreed(accelerator: Accelerator, wish: bool) -> bool:
    """True where any process wishes so. Whoever leaves the loop alone lets the others wait for ever."""
    if accelerator.num_processes == 1:
        return wish
    wishes = accelerator.gather(torch.tensor([int(wish)], device=accelerator.device))
    return bool(wishes.any())


def mean(accelerator: Accelerator, value: torch.Tensor) -> torch.Tensor:
    """The mean over all processes."""
    return value if accelerator.num_processes == 1 else accelerator.reduce(value, reduction="mean")
