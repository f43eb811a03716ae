"""Low-rank adapters in the files of the `peft` library: adapter_config.json and adapter_model.safetensors.

In:  an encoder with low-rank layers; or a plain one and such a folder
Out: the folder; or the encoder with the layers in it
Knows nothing of tuning methods or of bundles; the names come from `families`.

Where a family fuses several of our matrices into one (ModernBERT's Wqkv), theirs has one product for all: its B is ours
below each other, block by block, and its A is ours together. Read back, each of ours gets the whole of A.
"""

# O outputs, I inputs, R rank

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bertie.core.errors import ModelError
from bertie.nn.encoder import Encoder
from bertie.nn.families import FAMILIES
from bertie.nn.low_rank import LowRankLinear, put
from bertie.nn.translation import to_foreign, translate_names

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
A, B, MAGNITUDE = "lora_A.weight", "lora_B.weight", "lora_magnitude_vector"
CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Ways to begin (`init_lora_weights`) that take from the encoder's weights what the product begins with."""
BEYOND_PRODUCTS = ("bias", "lora_bias", "use_qalora", "layer_replication", "alora_invocation_tokens")
_NAME = re.compile(r"(?:\w|\\?\.)+")
LARGEST_ALPHA = 1e9
"""What is above was not chosen by anybody; a whole number of any length can stand in a stranger's config."""


def save_adapter(encoder: Encoder, folder: Path, base: str) -> None:
    """Writes the encoder's low-rank layers for an `AutoModel` of the same checkpoint; `base` is its name.

    The factor s stands in `lora_alpha` as s times the rank, so `use_rslora` is never needed.
    """
    tensors: dict[str, Tensor] = {}
    ranks: dict[str, int] = {}
    alphas: dict[str, float] = {}
    for place, names in places(encoder).items():
        parts = [encoder.get_submodule(name) for name in names]
        if not any(isinstance(part, LowRankLinear) for part in parts):
            continue
        product, scaling = _together(parts)
        tensors |= {f"{PREFIX}{place}.{name}": tensor.detach().cpu().clone() for name, tensor in product.items()}
        ranks[place] = len(product[A])
        alphas[place] = scaling * ranks[place]
    if not ranks:
        raise ModelError("the encoder has no low-rank layers, so there is no adapter to write")
    first = next(iter(ranks))
    config = {
        "peft_type": "LORA",
        "task_type": "FEATURE_EXTRACTION",
        "base_model_name_or_path": base,
        "r": ranks[first],
        "lora_alpha": alphas[first],
        "rank_pattern": {place: rank for place, rank in ranks.items() if rank != ranks[first]},
        "alpha_pattern": {place: alpha for place, alpha in alphas.items() if alpha != alphas[first]},
        "target_modules": list(ranks),
        "use_dora": any(name.endswith(MAGNITUDE) for name in tensors),
        "use_rslora": False,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS, {"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load_adapter(encoder: Encoder, folder: Path) -> list[str]:
    """Puts an adapter's low-rank layers into a plain encoder; returns the names in its file that are none (heads).

    Raises:
        ModelError: no such files, another kind of adapter, a config or tensors that are none of an adapter, or shapes
            that are not the encoder's.
    """
    config, tensors = _read(folder)
    known, others = _by_place(encoder, tensors)
    if not known:
        raise ModelError(
            f"{folder / WEIGHTS}: holds no low-rank layer of {encoder.config.family}; found "
            f"{', '.join(sorted(tensors)[:3])}; the adapter belongs to another kind of model"
        )
    table = places(encoder)
    for place, product in known.items():
        if {A, B} - product.keys():
            raise ModelError(f"{folder / WEIGHTS}: {place} has {', '.join(product)}, expected {A} and {B}")
        bases = [encoder.get_submodule(name) for name in table[place]]
        sizes = _fitting(product, bases, f"{folder / WEIGHTS}: {place}")
        scaling = _scaling(config, place, len(product[A]))
        highs, magnitude = torch.split(product[B], sizes), product.get(MAGNITUDE)
        lengths: list[Tensor | None] = [None] * len(sizes) if magnitude is None else list(torch.split(magnitude, sizes))
        for name, high, length in zip(table[place], highs, lengths, strict=True):
            put(encoder, name, (product[A], high, length), scaling)
    return others


def places(encoder: Encoder) -> dict[str, tuple[str, ...]]:
    """Matrices by the family's names, each with the names of ours that it is made of."""
    family, own = FAMILIES[encoder.config.family], dict(encoder.named_parameters())
    foreign = to_foreign(family, {name: own[name].detach() for name in own if "lora_" not in name}, prefixed=False)
    pairs = translate_names(family, foreign).ours.items()
    ending = ".weight"
    return {
        theirs.removesuffix(ending): tuple(one.removesuffix(ending) for one in ours)
        for theirs, ours in pairs
        if theirs.endswith(ending)
    }


def _together(parts: list[nn.Module]) -> tuple[dict[str, Tensor], float]:
    """One product for matrices that stand below each other, and its factor."""
    low = [part for part in parts if isinstance(part, LowRankLinear)]
    single = low[0] if len(parts) == 1 else None
    if single is not None:
        product = {A: single.lora_a, B: single.lora_b}
        return product | _magnitudes(parts), single.scaling
    a = torch.cat([part.lora_a for part in low])  # (R, I)
    columns, blocks = 0, []
    for part in parts:
        assert isinstance(part, nn.Linear)
        block = a.new_zeros(part.out_features, len(a))
        if isinstance(part, LowRankLinear):
            rank = len(part.lora_a)
            block[:, columns : columns + rank] = part.lora_b.detach() * part.scaling
            columns += rank
        blocks.append(block)
    return {A: a, B: torch.cat(blocks)} | _magnitudes(parts), 1.0


def _magnitudes(parts: list[nn.Module]) -> dict[str, Tensor]:
    """The lengths of the rows, where one of the matrices learns its own; the others keep theirs."""
    learned = [part.lora_magnitude if isinstance(part, LowRankLinear) else None for part in parts]
    if all(length is None for length in learned):
        return {}
    lengths = []
    for part, length in zip(parts, learned, strict=True):
        assert isinstance(part, nn.Linear)
        lengths.append(part.weight.detach().norm(dim=1) if length is None else length)
    return {MAGNITUDE: torch.cat(lengths)}


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS)
    except (OSError, ValueError, RecursionError, SafetensorError) as error:
        raise ModelError(f"{folder}: is no adapter: {error}; expected {CONFIG} and {WEIGHTS}") from error
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if kind != "LORA":
        raise ModelError(f"{folder / CONFIG}: peft_type is {kind!r}, expected 'LORA', which DoRA and rsLoRA are too")
    patterns = config.get("alpha_pattern") or {}
    alphas = [config.get("lora_alpha"), *(patterns.values() if isinstance(patterns, dict) else [None])]
    if not all(isinstance(alpha, int | float) and 0 < alpha < LARGEST_ALPHA for alpha in alphas):
        raise ModelError(
            f"{folder / CONFIG}: lora_alpha is {alphas[0]!r} and alpha_pattern {patterns!r}, expected a number above 0 "
            "and, by names, others; get the adapter again"
        )
    _refuse_others(folder / CONFIG, config)
    return config, tensors


def _refuse_others(path: Path, config: Mapping[str, Any]) -> None:
    """ModelError where the products are not all that the adapter changes, or not added to the weights as they are."""
    start = config.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(CHANGES_BASE):
        raise ModelError(
            f"{path}: init_lora_weights is {start!r}, which changes the encoder's weights too, expected plain LoRA; "
            "convert it with peft first (path_initial_model_for_weight_conversion of save_pretrained)"
        )
    asked = [name for name in BEYOND_PRODUCTS if config.get(name) not in (None, False, "none", [], {})]
    if asked:
        raise ModelError(f"{path}: {asked[0]} is {config[asked[0]]!r}, which is not read; merge the adapter with peft")
    strange = [key for key in config.get("alpha_pattern") or {} if not _NAME.fullmatch(key)]
    if strange:
        raise ModelError(f"{path}: alpha_pattern has {strange[0]!r}, expected names of layers; write them out")


def _by_place(encoder: Encoder, tensors: Mapping[str, Tensor]) -> tuple[dict[str, dict[str, Tensor]], list[str]]:
    """Tensors by matrix and kind, and the names of all others."""
    known: dict[str, dict[str, Tensor]] = {}
    others = []
    table, prefix = places(encoder), FAMILIES[encoder.config.family].prefix
    for name, tensor in tensors.items():
        plain = name.removeprefix(PREFIX)
        kind = next((kind for kind in (A, B, MAGNITUDE) if plain.endswith(f".{kind}")), "")
        stem = plain.removesuffix(f".{kind}")
        place = stem if stem in table else stem.removeprefix(prefix)
        if kind and place in table:
            known.setdefault(place, {})[kind] = tensor
        else:
            others.append(name)
    return known, others


def _fitting(product: Mapping[str, Tensor], bases: Sequence[nn.Module], where: str) -> list[int]:
    """Outputs of the matrices beside which a product stands; ModelError where it cannot stand there."""
    linear = [base for base in bases if isinstance(base, nn.Linear)]
    if len(linear) < len(bases):
        raise ModelError(f"{where} has a low-rank product, but is no linear layer; take an adapter of linear layers")
    sizes, inputs = [base.out_features for base in linear], linear[0].in_features
    found = {kind: tuple(tensor.shape) for kind, tensor in product.items()}
    rank = found[A][0] if found[A] else 0
    expected = {A: (rank, inputs), B: (sum(sizes), rank), MAGNITUDE: (sum(sizes),)}
    wrong = [kind for kind, shape in found.items() if shape != expected[kind] or 0 in shape]
    if wrong:
        raise ModelError(
            f"{where}.{wrong[0]} is {found[wrong[0]]}, expected {expected[wrong[0]]} and none of them 0; the adapter "
            "is damaged, or belongs to another checkpoint"
        )
    for kind, tensor in product.items():
        if not tensor.is_floating_point():
            raise ModelError(f"{where}.{kind} holds {tensor.dtype}, expected floats; get the adapter again")
    return sizes


def _scaling(config: Mapping[str, Any], place: str, rank: int) -> float:
    patterns = config.get("alpha_pattern") or {}
    named = {key.replace("\\.", "."): value for key, value in patterns.items()}
    alpha = next(
        (value for key, value in named.items() if f".{place}".endswith(f".{key}") or key.endswith(f".{place}")),
        config["lora_alpha"],
    )
    return float(alpha / (rank**0.5 if config.get("use_rslora") else rank))
