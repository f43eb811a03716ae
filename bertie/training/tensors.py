"""Named tensors in a safetensors file, those that are one tensor under two names included.

In:  a dict of tensors, strings about it
Out: a file that appears at once; the same dict
Knows nothing of what the tensors are. Pickles are programs, so none is ever written or read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from bertie.core.errors import BertieError, StorageError

KEY = "bertie"


def save_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str] | None = None) -> None:
    """Writes a file. Shared tensors (a tied output layer) are written once; the other names stand in the metadata."""
    first: dict[tuple[int, int, tuple[int, ...]], str] = {}
    written: dict[str, Tensor] = {}
    aliases: dict[str, str] = {}
    for name, tensor in sorted(tensors.items()):
        key = (tensor.data_ptr(), int(tensor.storage_offset()), tuple(tensor.shape))
        if tensor.numel() and key in first:
            aliases[name] = first[key]
            continue
        first[key] = name
        written[name] = tensor.detach().cpu().contiguous()
    try:
        # One key, as safetensors writes several in random order: the same content shall be the same bytes.
        save_file(written, path, metadata={KEY: json.dumps({"aliases": aliases, "about": dict(about or {})})})
    except SafetensorError as error:
        raise StorageError(
            f"{path}: cannot be written, {size(tensors):,} bytes are needed: {error}; make room and start again "
            "(what was saved before is unharmed)"
        ) from error


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors under all their names, on the CPU, and the strings about them."""
    try:
        with safe_open(path, framework="pt") as file:
            strings = json.loads((file.metadata() or {}).get(KEY, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise BertieError(f"{path}: cannot be read: {error}; it is damaged or missing") from error
    aliases: dict[str, str] = strings.get("aliases", {})
    return tensors | {name: tensors[target] for name, target in aliases.items()}, strings.get("about", {})


def size(tensors: Mapping[str, Tensor]) -> int:
    """Bytes of all tensors."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
