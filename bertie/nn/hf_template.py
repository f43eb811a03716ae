"""The text of modeling_bertie.py, which travels with an exported classifier that no stock class can express.

In:  a family
Out: Python source that needs torch and transformers and nothing of ours
Knows nothing of weights. It is text, because transformers is no dependency of the package; a test runs it.
"""

from __future__ import annotations

from bertie.nn.families import Family

MODULE = "modeling_bertie"
# Families whose model classes make a pooler unless told otherwise.
WITH_POOLER = ("bert", "ernie", "roberta", "xlm-roberta", "camembert", "albert")

_SOURCE = '''\
"""A @CLASS@ encoder with one of Bertie's classification heads. Written by `bertie export`; needs only transformers.

    model = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True)
"""

import torch
from torch import nn
from transformers import @CLASS@Config, @CLASS@Model, @CLASS@PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

ACTIVATIONS = {"tanh": torch.tanh, "gelu": nn.functional.gelu, "relu": torch.relu, "silu": nn.functional.silu}


class BertieConfig(@CLASS@Config):
    model_type = "bertie"


class Pooling(nn.Module):
    """States (B, T, D) and a mask (B, T) to one vector a text (B, D)."""

    def __init__(self, config):
        super().__init__()
        self.kind, self.normalise = config.bertie_pooling, config.bertie_normalise
        self.activation = ACTIVATIONS.get(config.bertie_pooler_activation, torch.tanh)
        if self.kind in ("pooler", "attention"):
            self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        if self.kind == "attention":
            self.score = nn.Linear(config.hidden_size, 1, bias=False)

    def forward(self, states, attention_mask):
        pooled = self.pooled(states, attention_mask)
        return nn.functional.layer_norm(pooled, pooled.shape[-1:], eps=1e-12) if self.normalise else pooled

    def pooled(self, states, attention_mask):
        if self.kind == "first":
            return states[:, 0]
        if self.kind == "pooler":
            return self.activation(self.dense(states[:, 0]))
        real = attention_mask.to(states.dtype).unsqueeze(-1)
        if self.kind == "attention":
            scores = self.score(torch.tanh(self.dense(states)))
            scores = scores.masked_fill(real == 0, torch.finfo(scores.dtype).min)
            return (scores.softmax(dim=1) * states).sum(dim=1)
        return (states * real).sum(dim=1) / real.sum(dim=1).clamp(min=1.0)


class BertieForSequenceClassification(@CLASS@PreTrainedModel):
    config_class = BertieConfig

    def __init__(self, config):
        super().__init__(config)
        self.@PREFIX@ = @CLASS@Model(config@ARGUMENTS@)
        self.pooling = Pooling(config)
        self.dropout = nn.Dropout(config.bertie_dropout)
        self.output = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, labels=None, return_dict=True, **kwargs):
        encoded = self.@PREFIX@(input_ids=input_ids, attention_mask=attention_mask, **kwargs)
        if attention_mask is None:
            attention_mask = torch.ones(encoded[0].shape[:2], device=encoded[0].device)
        logits = self.output(self.dropout(self.pooling(encoded[0], attention_mask)))
        loss = None if labels is None else self.loss(logits, labels)
        if not return_dict:
            return (logits,) if loss is None else (loss, logits)
        return SequenceClassifierOutput(
            loss=loss, logits=logits, hidden_states=encoded.hidden_states, attentions=encoded.attentions
        )

    def loss(self, logits, labels):
        if self.config.problem_type == "regression":
            return nn.functional.mse_loss(logits, labels.view_as(logits).to(logits.dtype))
        if self.config.problem_type == "multi_label_classification":
            return nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
        return nn.functional.cross_entropy(logits, labels)
'''


def modeling_source(family: Family) -> str:
    """modeling_bertie.py for one family."""
    arguments = ", add_pooling_layer=False" if family.name in WITH_POOLER else ""
    words = {"@CLASS@": family.class_prefix, "@PREFIX@": family.prefix.rstrip("."), "@ARGUMENTS@": arguments}
    source = _SOURCE
    for place, word in words.items():
        source = source.replace(place, word)
    return source
