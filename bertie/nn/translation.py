"""Foreign configs and weight names to ours, and back, by a family's table.

In:  a config.json as a dictionary, names of weights, tensors
Out: `EncoderConfig`, our names, our tensors; and the other way round
Knows nothing of files; every foreign word comes from `families`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bertie.core.errors import ModelError
from bertie.nn.config import EncoderConfig
from bertie.nn.families import FAMILIES, Family, Names, family_of

ACTIVATION_NAMES = {"gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "swish": "silu"}
KNOWN_ACTIVATIONS = ("gelu", "gelu_tanh", "relu", "silu", "tanh")
POOLING_LAYER = "bertie_pooling_layer"
"""Config key of an export whose last layer is not the encoder's but computes the mean, see `hf_classification`."""
ROPE_BASES = {"full_attention": "global_rope_theta", "sliding_attention": "local_rope_theta"}
"""ModernBERT's kinds of layers, and the older config keys of their rotary bases."""
# Early TensorFlow checkpoints.
OLD_PARAMETERS = {"gamma": "weight", "beta": "bias"}


@dataclass(frozen=True)
class Translated:
    """Where each foreign weight goes."""

    ours: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Foreign name to our names; several: the foreign tensor is cut into equal parts."""
    dropped: list[str] = field(default_factory=list)
    """Foreign names that the table drops on purpose."""
    unknown: list[str] = field(default_factory=list)
    """Foreign names that the table does not know."""


def read_config(raw: Mapping[str, object], *, pooling_layer: bool = False) -> EncoderConfig:
    """A config.json's content to our config; the family's defaults stand in for what is missing.

    An export's `POOLING_LAYER` is not counted, so that training starts from the encoder alone, unless it is asked for.

    Raises:
        ModelError: an unknown family, an impossible size, or a switch that we would compute differently.
    """
    family = family_of(raw.get("bertie_family", raw.get("model_type")))  # the former: `hf_classification`
    for key, wanted in family.demanded.items():
        if raw.get(key, wanted) not in (wanted, None):
            raise ModelError(f"config.json: {key} is {raw[key]!r}, only {wanted!r} is supported for {family.name}")
    flat = {**raw, **_modern_layers(raw)} if family.name == "modernbert" else dict(raw)
    # null, as transformers writes it for "not set", is the default as well.
    given = {key: value for key, value in flat.items() if value is not None}
    values = {ours: given.get(key, default) for key, (ours, default) in family.keys.items()}
    values |= family.constants
    named = [name for name in ("activation", "language_activation") if name in values]
    values |= {name: _activation(values[name]) for name in named}
    if raw.get(POOLING_LAYER) is True and not pooling_layer and isinstance(values["layers"], int):
        values["layers"] -= 1
    if family.counts_from_pad and isinstance(values["pad_id"], int):
        values["position_offset"] = values["pad_id"] + 1
    if family.name == "ernie" and not raw.get("use_task_id", False):
        values["task_type_vocab_size"] = 0
    if family.name == "modernbert":
        values["language_norm_bias"] = values["norm_bias"]  # one switch for all its norms
    if values.get("embedding_size") == values["hidden_size"] and family.name == "electra":
        values["embedding_size"] = None  # ELECTRA has no projection then; ALBERT keeps it
    return EncoderConfig(family=family.name, **values)  # type: ignore[arg-type]


def write_config(config: EncoderConfig) -> dict[str, object]:
    """Our config to the content of a config.json that transformers reads."""
    family = FAMILIES[config.family]
    raw: dict[str, object] = {"model_type": family.name}
    raw |= {key: getattr(config, ours) for key, (ours, _) in family.keys.items()}
    if "classifier_activation" in raw:
        raw["classifier_activation"] = config.language_activation or config.activation
    raw = {key: "gelu_new" if value == "gelu_tanh" else value for key, value in raw.items()}
    if "embedding_size" in raw:
        raw["embedding_size"] = config.embedding_width
    if family.name == "ernie":
        raw["use_task_id"] = config.task_type_vocab_size > 0
    if family.name == "albert":
        raw["inner_group_num"] = 1
    if family.name == "modernbert":
        raw |= _modern_keys(config)
    return raw


def translate_names(family: Family, names: Iterable[str]) -> Translated:
    """Find each foreign weight in the family's tables; a prefix and old parameter names are understood."""
    table = {**family.weights, **family.heads}
    patterns = [(_pattern(foreign), ours) for foreign, ours in table.items()]
    result = Translated()
    for name in names:
        plain = _plain(family, name)
        found = next(((match, ours) for pattern, ours in patterns if (match := pattern.fullmatch(plain))), None)
        if found is None:
            result.unknown.append(name)
            continue
        match, ours = found
        if ours is None:
            result.dropped.append(name)
            continue
        targets = (ours,) if isinstance(ours, str) else ours
        result.ours[name] = tuple(target.format(**match.groupdict()) for target in targets)
    return result


def is_inside(family: Family, name: str) -> bool:
    """Whether a foreign weight is one of the encoder, in the table or not: it begins as those in the table do."""
    beginnings = {foreign.partition(".")[0] for foreign in family.weights}
    return _plain(family, name).partition(".")[0] in beginnings


def to_foreign(family: Family, ours: Mapping[str, Tensor], *, prefixed: bool) -> dict[str, Tensor]:
    """Our tensors under the family's names; `prefixed` as in a file that holds a head beside the encoder."""
    weights = _write(family.weights, ours)
    heads = _write(family.heads, ours)
    inside = {name: tensor for name, tensor in heads.items() if name.startswith("pooler.")}
    outside = {name: tensor for name, tensor in heads.items() if name not in inside}
    prefix = family.prefix if prefixed else ""
    return {prefix + name: tensor for name, tensor in {**weights, **inside}.items()} | outside


def foreign_name(family: Family, ours: str) -> str | None:
    """The family's name of one of our weights, for exchanging adapters; None where several share one foreign tensor."""
    for foreign, target in {**family.weights, **family.heads}.items():
        match = _pattern(target).fullmatch(ours) if isinstance(target, str) else None
        if match:
            return foreign.format(**match.groupdict())
    return None


def _write(names: Names, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    written: dict[str, Tensor] = {}
    for foreign, target in names.items():
        if target is None:
            continue
        targets = (target,) if isinstance(target, str) else target
        first = _pattern(targets[0])
        for name in ours:
            if match := first.fullmatch(name):
                parts = [ours[part.format(**match.groupdict())] for part in targets]
                written[foreign.format(**match.groupdict())] = parts[0] if len(parts) == 1 else torch.cat(parts)
    return written


def _pattern(template: str) -> re.Pattern[str]:
    escaped = re.escape(template)
    return re.compile(
        escaped.replace(re.escape("{n}"), r"(?P<n>\d+)", 1).replace(re.escape("{p}"), r"(?P<p>weight|bias)", 1)
    )


def _plain(family: Family, name: str) -> str:
    plain = name.removeprefix(family.prefix)
    stem, _, last = plain.rpartition(".")
    return f"{stem}.{OLD_PARAMETERS[last]}" if last in OLD_PARAMETERS else plain


def _activation(value: object) -> str:
    name = ACTIVATION_NAMES.get(value, value) if isinstance(value, str) else value
    if name not in KNOWN_ACTIVATIONS:
        known = ", ".join((*KNOWN_ACTIVATIONS, *ACTIVATION_NAMES))
        raise ModelError(f"config.json: the activation is {value!r}, expected one of {known}")
    return str(name)


def _modern_layers(raw: Mapping[str, object]) -> dict[str, object]:
    """ModernBERT's newer keys `layer_types` and `rope_parameters`, said in its older ones."""
    flat: dict[str, object] = {}
    kinds = raw.get("layer_types")
    if isinstance(kinds, list) and kinds:
        flat["global_attn_every_n_layers"] = _every(kinds)
    if "local_rope_theta" in raw and raw["local_rope_theta"] is None:
        # Not "not set" here, as it is elsewhere: transformers 4 turns local layers by the global base then.
        default = FAMILIES["modernbert"].keys["global_rope_theta"][1]
        flat["local_rope_theta"] = raw.get("global_rope_theta") or default
    for kind, part in _rope_parts(raw.get("rope_parameters")).items():
        found = part.get("rope_type") or part.get("type") or "default"
        if found != "default":
            raise ModelError(f"config.json: rope_parameters.{kind}.rope_type is {found!r}, only 'default' is supported")
        if "rope_theta" in part:
            flat[ROPE_BASES[kind]] = part["rope_theta"]
    return flat


def _rope_parts(rope: object) -> dict[str, Mapping[str, object]]:
    """What `rope_parameters` says of each kind of layer; ModelError where it is arranged in another way."""
    parts = {} if rope is None else rope
    if not isinstance(parts, Mapping) or not all(
        kind in ROPE_BASES and isinstance(part, Mapping | None) for kind, part in parts.items()
    ):
        raise ModelError(
            f"config.json: rope_parameters is {rope!r}, expected null, or an object for each of "
            f"{' and '.join(ROPE_BASES)}; correct it, or take another checkpoint"
        )
    return {kind: part or {} for kind, part in parts.items()}


def _every(kinds: list[object]) -> int:
    """The n for which every n-th layer from the first is global."""
    for n in range(1, len(kinds) + 1):
        if kinds == ["sliding_attention" if i % n else "full_attention" for i in range(len(kinds))]:
            return n
    raise ModelError(
        f"config.json: layer_types {kinds!r} is no 'every n-th layer is full_attention'; no such model is supported"
    )


def _modern_keys(config: EncoderConfig) -> dict[str, object]:
    kinds = ["sliding_attention" if config.is_local(n) else "full_attention" for n in range(config.layers)]
    return {
        "layer_types": kinds,
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": config.rope_theta_global},
            "sliding_attention": {"rope_type": "default", "rope_theta": config.rope_theta_local},
        },
    }
