"""Devices and processes, by accelerate.

In:  the device and the number format that were chosen
Out: an Accelerator; agreement between processes
Knows nothing of training. With one process nothing here is sent, and nothing changes.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed
from accelerate import Accelerator, DistributedDataParallelKwargs, PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import GradientAccumulationPlugin, broadcast, reduce
from torch import Tensor

from bertie.core import processes
from bertie.core.errors import BertieError, UsageError
from bertie.core.runtime import choose_device

T = TypeVar("T")
PATIENCE = timedelta(days=7)
"""How long a process waits for another one, which may be reading a corpus. One that dies is noticed at once."""
REFUSED = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "a parallelism config",
}
"""What `accelerate launch` may ask for that would give a process a part of a model only."""
MPI = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
"""Where MPI says how many there are; each of them would take itself for the only one."""


def join(device: str) -> None:
    """Meets the other processes, all of which must come here; only then can they talk. Once is enough.

    Raises:
        UsageError: the launcher asks for a model in parts, or is MPI.
    """
    for name, what in REFUSED.items():
        if os.environ.get(name, "false").lower() in ("true", "1"):
            raise UsageError(
                f"accelerate asks for {what} ({name}), which divides a model; here each process holds a whole one and "
                "the rows are divided. Choose plain data parallelism (multi-GPU or multi-CPU) in accelerate config, or "
                "start with torchrun"
            )
    if processes.count() == 1:
        if mpi := next((name for name in MPI if int(os.environ.get(name, "1")) > 1), None):
            raise UsageError(f"several processes were started by MPI ({mpi}); start them with torchrun")
        return
    PartialState(cpu=choose_device(device).type == "cpu", timeout=PATIENCE)
    if PartialState().num_processes != processes.count():
        raise UsageError(
            f"WORLD_SIZE is {processes.count()}, but only {PartialState().num_processes} process has come together; "
            "start with torchrun or accelerate launch, or unset WORLD_SIZE"
        )


def make_accelerator(device: str, dtype: str) -> Accelerator:
    """An Accelerator, after `join`.

    accelerate keeps its state for the whole process and refuses a second one that differs; two trainings after each
    other in one Python may well differ, so the first one's state is dropped.
    """
    AcceleratorState._reset_state(reset_partial_state=PartialState().num_processes == 1)
    chosen = choose_device(device)
    if chosen.type == "cuda" and chosen.index is not None and processes.count() == 1:
        torch.cuda.set_device(chosen)  # accelerate takes the current one; under a launcher each process has its own
    return Accelerator(
        mixed_precision="bf16" if dtype == "bfloat16" else "no",
        cpu=chosen.type == "cpu",
        # Of its own; accelerate's, from its launcher, would divide the loss once more.
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        # An encoder may have parts that a task does not ask (a pooler), and then no gradient for them.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=False)],
    )


def agreed(accelerator: Accelerator, wish: int) -> int:
    """The largest wish of all processes. Whoever leaves the loop alone lets the others wait for ever."""
    if accelerator.num_processes == 1:
        return wish
    return int(accelerator.gather(torch.tensor([wish], device=accelerator.device)).max())


def mean(accelerator: Accelerator, value: Tensor) -> Tensor:
    """The mean over all processes."""
    return value if accelerator.num_processes == 1 else accelerator.reduce(value, reduction="mean")


def first(ask: Callable[[], T]) -> T:
    """What the first process finds; the others, which do not ask, are told."""
    if processes.count() == 1:
        return ask()
    found = ask() if processes.is_first() else None
    told: T = told_by_first(found)
    return told


def first_number(accelerator: Accelerator, ask: Callable[[], int]) -> int:
    """`first` for a number that is asked for in every step."""
    if accelerator.num_processes == 1:
        return ask()
    number = ask() if processes.is_first() else 0
    return int(broadcast(torch.tensor(number, dtype=torch.int64, device=accelerator.device)))


def told_by_first(message: Any) -> Any:
    """The first process's message. It never leaves the memory of these processes: files are never pickled."""
    if not processes.is_first():
        parcel: list[bytes | None] = [None]
        torch.distributed.broadcast_object_list(parcel, src=0)
        return torch.load(io.BytesIO(parcel[0] or b""), map_location="cpu", weights_only=False)
    packed = io.BytesIO()
    torch.save(message, packed)
    torch.distributed.broadcast_object_list([packed.getvalue()], src=0)
    return message


def mean_of_parts(means: Sequence[tuple[Tensor, int | Tensor]], part: float) -> Tensor:
    """This process's part of a sum of means over the rows of all processes.

    Args:
        means: each with the number (of rows, of hidden pieces) that it is the mean over.
        part: 0 where this process repeats rows that another one has: then its part is 0, with a gradient. Else 1.
    """
    own = torch.stack([torch.as_tensor(number, dtype=torch.float32, device=mean.device) for mean, number in means])
    own = own * part
    shares = own / reduce(own, "sum").clamp(min=1e-12)
    return torch.stack([mean * share for (mean, _), share in zip(means, shares, strict=True)]).sum()


@contextmanager
def others_may_die() -> Iterator[None]:
    """A broken connection to another process as a BertieError; everything else as it is."""
    try:
        yield
    except RuntimeError as error:
        broken = isinstance(error, torch.distributed.DistError) or "gloo" in str(error)
        if processes.count() == 1 or not broken:
            raise
        raise BertieError(
            f"process {processes.rank()}: another of the {processes.count()} processes has ended, and so does this "
            "one; look at its message, and go on with --resume from the last checkpoint where there is one"
        ) from error
