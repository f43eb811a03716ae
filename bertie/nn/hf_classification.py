"""A classifier as a folder that `transformers` loads with the same logits.

In:  an encoder, a classification head, the labels; or such a folder
Out: config.json, model.safetensors and, where no stock class can say it, modeling_bertie.py; or encoder and head again
Knows nothing of bundles, tokenizers or tasks; the names come from `families`.

Stock classes pool the first token through dense and a non-linearity. So:

    pooler            stock class, the same weights, if the family's class uses the same non-linearity
    first             stock class; its dense layer is made one that changes nothing (see `_idle_dense`)
    mean, normalised  stock class; one more transformer layer puts the mean on every token (see `with_pooling_layer`)
    all others,       modeling_bertie.py beside the weights, loaded with trust_remote_code=True
    all on ModernBERT (its stock class normalises after dense), mean on ALBERT (its layers share their weights)

A trap: with auto_map beside a stock model_type, a person who forgets trust_remote_code gets the stock class with a
random pooler and only a warning. Such a folder therefore says model_type "bertie", which is refused without the switch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from bertie.core.errors import ModelError
from bertie.nn import checkpoint
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.nn.families import FAMILIES
from bertie.nn.heads import ClassificationHead
from bertie.nn.hf_template import MODULE, modeling_source
from bertie.nn.layers import Block
from bertie.nn.translation import POOLING_LAYER

PROBLEMS = ("single_label_classification", "multi_label_classification", "regression")
# tanh(x) differs from x by x^3 / 3; a power of two costs no digit on the way there and back.
SMALL = 2.0**-13
# What the mean is multiplied by, so that the token's own state, which is added to it, falls off the end of fp32.
LARGE = 2.0**24
CLASS = "BertieForSequenceClassification"


@dataclass(frozen=True)
class ExportedClassifier:
    """How the folder is to be loaded."""

    class_name: str
    """The class that transformers makes of it."""
    remote_code: bool
    """Whether `trust_remote_code=True` is needed."""
    pooling_layer: bool = False
    """Whether the last layer is one that was added to compute the mean."""


def save_classifier(
    encoder: Encoder,
    head: ClassificationHead,
    folder: Path,
    *,
    labels: Sequence[str],
    problem: str = "single_label_classification",
) -> ExportedClassifier:
    """Write an encoder with its head so that AutoModelForSequenceClassification gives the same logits.

    Args:
        encoder: with its own modules; adapters have to be merged first.
        head: with any pooling.
        folder: made if it is missing.
        labels: names of the outputs, in their order.
        problem: transformers' `problem_type`, one of `PROBLEMS`.

    Raises:
        ModelError: labels and outputs differ in number, or the problem is none of those.
    """
    outputs = head.output.out_features
    if len(labels) != outputs or problem not in PROBLEMS:
        raise ModelError(
            f"{len(labels)} labels and problem {problem!r} for {outputs} outputs; "
            f"expected one label for each output and one of {', '.join(PROBLEMS)}"
        )
    extra: dict[str, object] = {
        "id2label": {str(n): label for n, label in enumerate(labels)},
        "label2id": {label: n for n, label in enumerate(labels)},
        "problem_type": problem,
    }
    added = _needs_pooling_layer(encoder, head)
    if added:
        encoder, extra[POOLING_LAYER] = with_pooling_layer(encoder), True
    state = classification_state(encoder, head, pooled=added)
    if state is None:
        return _save_with_code(encoder, head, folder, extra)
    name = f"{FAMILIES[encoder.config.family].class_prefix}ForSequenceClassification"
    checkpoint.save(encoder, folder, extra_config={**extra, "architectures": [name]}, heads=state)
    (folder / f"{MODULE}.py").unlink(missing_ok=True)  # of an earlier export
    return ExportedClassifier(name, remote_code=False, pooling_layer=added)


def load_classifier(folder: Path) -> tuple[Encoder, ClassificationHead]:
    """What `save_classifier` wrote, to compute with our own layers what the exported class computes."""
    loaded = checkpoint.load(folder, pooling_layer=True)
    encoder, config = loaded.encoder, json.loads((folder / checkpoint.CONFIG).read_text(encoding="utf-8"))
    if config["model_type"] == "bertie":
        weights = load_file(folder / checkpoint.WEIGHTS)
        pooling, activation = config["bertie_pooling"], config["bertie_pooler_activation"]
    else:
        weights = {f"pooling.{name.removeprefix('pooler.')}": tensor for name, tensor in loaded.heads.items()}
        weights |= {f"output.{p}": loaded.heads[f"classifier.{p}"] for p in ("weight", "bias")}
        pooling, activation = "pooler", FAMILIES[encoder.config.family].pooler_activation
    head = ClassificationHead(
        encoder.config.hidden_size,
        len(weights["output.bias"]),
        pooling=pooling,
        normalise=config.get("bertie_normalise", False),
        activation=activation,
    )
    head.load_state_dict({name: weights[name] for name in head.state_dict()})
    return encoder, head.eval()


def _needs_pooling_layer(encoder: Encoder, head: ClassificationHead) -> bool:
    """Whether the head is the normalised mean, on an encoder that can say it with one more layer."""
    config = encoder.config
    post = config.norm == "post" and config.unique_layers is None and config.norm_bias and config.attention_bias
    return post and head.pooling_name == "mean" and head.normalise


def with_pooling_layer(encoder: Encoder) -> Encoder:
    """The same encoder with one more layer, after which every token holds `normalised(mean_pool(states, mask))`.

    Shares the weights of `encoder`; meant for inference.
    """
    with torch.device("meta"):
        longer = Encoder(replace(encoder.config, layers=encoder.config.layers + 1))
    state = encoder.state_dict()
    lost = sorted(state.keys() - longer.state_dict().keys())
    if lost:
        raise ModelError(f"the encoder holds {', '.join(lost[:5])}, which no class knows; merge adapters first")
    added = _pooling_layer(longer.config).state_dict()
    last = {f"layers.{encoder.config.layers}.{name}": tensor for name, tensor in added.items()}
    longer.load_state_dict({**state, **last}, assign=True)
    return longer.eval()


@torch.no_grad()
def _pooling_layer(config: EncoderConfig) -> Block:
    """A block that puts the normalised mean of the states on every token.

    Queries and keys are zero, so that each token attends alike to all that are not padding, and what it attends to is
    the mean of the states. Times `LARGE` it drowns the token's own state in the residual sum, and the norm takes
    `LARGE` away again. The feed-forward part adds nothing.
    """
    block = Block(config)
    for parameter in block.parameters():
        parameter.zero_()
    attention, first_norm, second_norm = block.attention, block.attention_norm, block.feed_forward_norm
    assert isinstance(attention.value, nn.Linear) and isinstance(attention.output, nn.Linear)
    assert isinstance(first_norm, nn.LayerNorm)
    attention.value.weight.copy_(torch.eye(config.hidden_size))  # (D, D)
    attention.output.weight.copy_(torch.eye(config.hidden_size) * LARGE)  # (D, D)
    first_norm.weight.fill_(1.0)
    second_norm.weight.fill_(math.sqrt(1.0 + config.norm_eps))  # comes in with variance 1; eps is seen in digit six
    return block


def classification_state(
    encoder: Encoder, head: ClassificationHead, *, pooled: bool = False
) -> dict[str, Tensor] | None:
    """The head as weights of the family's stock ...ForSequenceClassification, named as `LoadedEncoder.heads`.

    None where that class can not give the same logits. `pooled`: the encoder's last layer did the pooling.
    """
    activation = FAMILIES[encoder.config.family].pooler_activation
    weight, bias = head.output.weight.detach(), head.output.bias.detach()  # (C, D), (C,)
    if activation is None or (head.normalise and not pooled):
        return None
    if head.pooling_name == "pooler" and head.activation_name == activation:
        dense = {name: tensor.detach() for name, tensor in head.pooling.state_dict().items()}
        return {f"pooler.{name}": tensor for name, tensor in dense.items()} | {
            "classifier.weight": weight,
            "classifier.bias": bias,
        }
    if pooled or head.pooling_name == "first":
        return _idle_dense(encoder, weight, bias, activation)
    return None


def _idle_dense(encoder: Encoder, weight: Tensor, bias: Tensor, activation: str) -> dict[str, Tensor]:
    """A dense layer after which the non-linearity does nothing, undone by the output layer.

    tanh is the identity for small values, so the states are made small; ReLU and GELU are for large ones, so the
    states are shifted up by more than a normalised state can be low. Equal to about 1e-5; meant for inference.
    """
    identity = torch.eye(weight.shape[1], device=weight.device)  # (D, D)
    scale, shift = (SMALL, 0.0) if activation == "tanh" else (1.0, _above(encoder))
    return {
        "pooler.dense.weight": identity * scale,
        "pooler.dense.bias": weight.new_full((weight.shape[1],), shift),
        "classifier.weight": weight / scale,
        "classifier.bias": bias - weight.sum(dim=1) * shift,
    }


@torch.no_grad()
def _above(encoder: Encoder) -> float:
    """A power of two above any state: a normalised vector of width D has no entry beyond sqrt(D - 1)."""
    last = encoder.layers[-1]
    assert isinstance(last, Block)
    norm = last.feed_forward_norm
    bias = 0.0 if norm.bias is None else float(norm.bias.abs().max())
    bound = float(norm.weight.abs().max()) * math.sqrt(encoder.config.hidden_size) + bias
    return 2.0 ** math.ceil(math.log2(bound + 8.0))  # GELU is the identity, to fp32, from 6 on


def _save_with_code(
    encoder: Encoder, head: ClassificationHead, folder: Path, extra: Mapping[str, object]
) -> ExportedClassifier:
    family = FAMILIES[encoder.config.family]
    config = {
        **extra,
        "model_type": "bertie",
        "bertie_family": family.name,
        "bertie_pooling": head.pooling_name,
        "bertie_normalise": head.normalise,
        "bertie_pooler_activation": head.activation_name,
        "bertie_dropout": head.dropout.p,
        "architectures": [CLASS],
        "auto_map": {
            "AutoConfig": f"{MODULE}.BertieConfig",
            "AutoModelForSequenceClassification": f"{MODULE}.{CLASS}",
        },
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{MODULE}.py").write_text(modeling_source(family), encoding="utf-8")
    checkpoint.save(encoder, folder, extra_config=config, beside=head.state_dict())
    return ExportedClassifier(CLASS, remote_code=True)
