"""Tiny random models of every family in transformers, the reference that we must equal."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel

VOCABULARY, LENGTH = 90, 13

BERT_LIKE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "max_position_embeddings": 40,
    "initializer_range": 0.2,
}
MODERN_LIKE = {
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "cls_token_id": 1,
    "sep_token_id": 2,
    "num_hidden_layers": 4,
    "local_attention": 6,
    "global_attn_every_n_layers": 3,
}
DISTIL_LIKE = {
    "vocab_size": VOCABULARY,
    "dim": 24,
    "n_layers": 3,
    "n_heads": 3,
    "hidden_dim": 40,
    "max_position_embeddings": 40,
    "initializer_range": 0.2,
}
# Name of the case to (prefix of the classes, sizes). More cases than families: each switch of a family is one.
CASES: dict[str, tuple[str, dict[str, object]]] = {
    "bert": ("Bert", BERT_LIKE),
    "bert relu": ("Bert", BERT_LIKE | {"hidden_act": "relu", "layer_norm_eps": 1e-5}),
    "roberta": ("Roberta", BERT_LIKE | {"type_vocab_size": 1}),
    "roberta relu": ("Roberta", BERT_LIKE | {"type_vocab_size": 1, "hidden_act": "relu"}),
    "xlm-roberta": ("XLMRoberta", BERT_LIKE | {"type_vocab_size": 1}),
    "camembert": ("Camembert", BERT_LIKE | {"type_vocab_size": 1}),
    "distilbert": ("DistilBert", DISTIL_LIKE),
    "electra": ("Electra", BERT_LIKE | {"embedding_size": 16}),
    "electra relu": ("Electra", BERT_LIKE | {"embedding_size": 16, "hidden_act": "relu"}),
    "electra unprojected": ("Electra", BERT_LIKE | {"embedding_size": 24}),
    "albert": ("Albert", BERT_LIKE | {"embedding_size": 16}),
    "albert two groups": ("Albert", BERT_LIKE | {"embedding_size": 16, "num_hidden_groups": 2, "hidden_act": "gelu"}),
    "ernie": ("Ernie", BERT_LIKE),
    "ernie tasks": ("Ernie", BERT_LIKE | {"use_task_id": True, "task_type_vocab_size": 4}),
    "modernbert": ("ModernBert", BERT_LIKE | MODERN_LIKE),
    "modernbert biased": (
        "ModernBert",
        BERT_LIKE
        | MODERN_LIKE
        | {"attention_bias": True, "mlp_bias": True, "norm_bias": True, "classifier_bias": True}
        | {"hidden_activation": "relu", "classifier_activation": "gelu_new"},
    ),
}


def reference(case: str, kind: str = "Model", **more: object) -> PreTrainedModel:
    """A random model of transformers without dropout, every weight random (biases and norms too)."""
    prefix, sizes = CASES[case]
    config: PreTrainedConfig = getattr(transformers, f"{prefix}Config")(**sizes, **more)
    for key in list(config.to_dict()):
        if "dropout" in key:
            setattr(config, key, 0.0)
    config._attn_implementation = "eager"
    torch.manual_seed(7)
    model: PreTrainedModel = getattr(transformers, f"{prefix}{kind}")(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()


def saved(case: str, folder: Path, kind: str = "Model", **more: object) -> PreTrainedModel:
    """The same, written to `folder`."""
    model = reference(case, kind, **more)
    model.save_pretrained(folder)
    return model


def batch(model: PreTrainedModel) -> dict[str, Tensor]:
    """Three texts of different lengths, padded with the model's own pad id."""
    pad = int(model.config.pad_token_id or 0)
    generator = torch.Generator().manual_seed(3)
    ids = torch.randint(5, VOCABULARY, (3, LENGTH), generator=generator)
    mask = torch.ones(3, LENGTH, dtype=torch.long)
    for row, length in enumerate((LENGTH, 9, 4)):
        ids[row, length:], mask[row, length:] = pad, 0
    return {"input_ids": ids, "attention_mask": mask}
