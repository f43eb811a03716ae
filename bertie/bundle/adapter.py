"""What a training changed of an encoder, as a small file; the encoder itself is found again by its name.

    adapter_config.json, adapter_model.safetensors   of the LoRA family, as `peft` writes them
    adapter.safetensors                              of all others: what was added, and the own weights that changed

In:  a trained encoder and the one that it started from; or a folder
Out: the folder; or the encoder again, which shares with others all that was not changed
Knows nothing of tasks or of the rest of a bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from bertie.core.errors import BundleError, UsageError
from bertie.data.catalogue import resolve
from bertie.nn import checkpoint, peft_files
from bertie.nn.encoder import Encoder
from bertie.tuning.base import Method, bare, own_names

WEIGHTS, OWN, ADDED = "adapter.safetensors", "own.", "added."
LARGEST = 0.5
"""Part of an encoder's weights above which a small file is none."""


def write(encoder: Encoder, added: Mapping[str, Tensor], method: Method, name: str, folder: Path) -> str:
    """Writes what tells `encoder` from the checkpoint `name`, and returns the checkpoint's fingerprint.

    `encoder` is as its bundle gives it, `added` what the method added to it.
    """
    base, fingerprint = _base(_folder_of(name))
    parts = bare(base)
    if method.merges and added:
        method.restore(parts, added)
        peft_files.save_adapter(parts, folder, name)
        return fingerprint
    own, before = encoder.state_dict(), base.state_dict()
    changed = {
        one: own[one]
        for one in own_names(encoder.config)
        if one not in before or not torch.equal(own[one].cpu(), before[one])
    }
    if sum(tensor.numel() for tensor in changed.values()) > LARGEST * sum(p.numel() for p in base.parameters()):
        raise UsageError(
            f"{method.name} changed {len(changed)} of {len(before)} weights of {name}, so an adapter would be as large "
            "as the bundle; take the bundle, or train with a method that changes few, such as lora"
        )
    tensors = {f"{OWN}{one}": tensor for one, tensor in changed.items()}
    tensors |= {f"{ADDED}{one}": tensor for one, tensor in added.items()}
    save_file({one: tensor.detach().cpu().contiguous() for one, tensor in tensors.items()}, folder / WEIGHTS)
    return fingerprint


def attach(folder: Path, name: str, fingerprint: str, method: Method) -> tuple[Encoder, Path]:
    """The checkpoint `name` with the adapter, and the checkpoint's folder; BundleError where it is another one."""
    place = _folder_of(name)
    base, found = _base(place)
    if found != fingerprint:
        raise BundleError(f"{folder}: was trained on other weights than those of {name} on this machine; get the same")
    encoder = bare(base)
    if (folder / peft_files.CONFIG).is_file():
        peft_files.load_adapter(encoder, folder)
        return encoder.eval(), place
    tensors = weights(folder / WEIGHTS)
    if added := _under(ADDED, tensors):
        method.restore(encoder, added)
    # Assigned, not copied: what is not changed belongs to the other adapters on this encoder too.
    encoder.load_state_dict(_under(OWN, tensors), strict=False, assign=True)
    return encoder.eval(), place


def weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file; BundleError where it cannot be read."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{path}: cannot be read: {error}; copy the bundle again") from error


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {one.removeprefix(prefix): tensor for one, tensor in tensors.items() if one.startswith(prefix)}


def _folder_of(name: str) -> Path:
    return resolve(name, offline=True).folder


@lru_cache(maxsize=4)
def _base(folder: Path) -> tuple[Encoder, str]:
    """An encoder and its fingerprint, read once for all adapters on it."""
    encoder = checkpoint.load(folder).encoder
    return encoder, checkpoint.fingerprint(encoder)
