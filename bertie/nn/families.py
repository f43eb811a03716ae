"""What foreign checkpoints call things: one complete two-way table a family.

In:  nothing
Out: `FAMILIES`, records of config keys and weight names; `family_of` by model_type
Knows nothing of files or tensors; `translation` reads these tables.

In a pattern `{n}` is a layer's number and `{p}` is weight or bias. A tuple on the right: the foreign tensor is those
tensors one above the other. `None`: dropped on purpose. Names that start with `heads.` do not belong to the encoder;
they come back beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bertie.core.errors import ModelError

Keys = Mapping[str, tuple[str, object]]
Names = Mapping[str, str | tuple[str, ...] | None]


@dataclass(frozen=True, kw_only=True)
class Family:
    """One family's words for what we have."""

    name: str
    """Its `model_type`."""
    class_prefix: str
    """How the family's classes begin: Bert in BertForSequenceClassification."""
    prefix: str
    """What stands before an encoder weight when a head stands beside it."""
    keys: Keys
    """Config key to (our field, the family's default)."""
    weights: Names
    """Encoder weights, foreign pattern to ours."""
    heads: Names
    """Weights beside the encoder, foreign pattern to `heads.` names."""
    constants: Mapping[str, object] = field(default_factory=dict)
    """Our fields that are the same in every checkpoint of the family."""
    demanded: Mapping[str, object] = field(default_factory=dict)
    """Config keys that may hold nothing else, because we would compute something else."""
    counts_from_pad: bool = False
    """Whether positions begin at pad_id + 1 and skip padding (RoBERTa)."""
    pooler_activation: str | None = "tanh"
    """Between the two matrices of ...ForSequenceClassification; None: that class has no such head."""


_KEYS: dict[str, tuple[str, object]] = {
    "vocab_size": ("vocab_size", 30_522),
    "hidden_size": ("hidden_size", 768),
    "num_hidden_layers": ("layers", 12),
    "num_attention_heads": ("heads", 12),
    "intermediate_size": ("intermediate_size", 3_072),
    "hidden_act": ("activation", "gelu"),
    "hidden_dropout_prob": ("dropout", 0.1),
    "attention_probs_dropout_prob": ("attention_dropout", 0.1),
    "max_position_embeddings": ("max_positions", 512),
    "type_vocab_size": ("type_vocab_size", 2),
    "layer_norm_eps": ("norm_eps", 1e-12),
    "initializer_range": ("initializer_range", 0.02),
    "pad_token_id": ("pad_id", 0),
    "classifier_dropout": ("classifier_dropout", None),
}
_DEMANDED: dict[str, object] = {
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
}
_EMBEDDINGS: dict[str, str | None] = {
    "embeddings.word_embeddings.weight": "embeddings.word_embeddings.weight",
    "embeddings.position_embeddings.weight": "embeddings.position_embeddings.weight",
    "embeddings.token_type_embeddings.weight": "embeddings.token_type_embeddings.weight",
    "embeddings.LayerNorm.{p}": "embeddings.norm.{p}",
    "embeddings.position_ids": None,
    "embeddings.token_type_ids": None,
}
_LAYERS: dict[str, str] = {
    "encoder.layer.{n}.attention.self.query.{p}": "layers.{n}.attention.query.{p}",
    "encoder.layer.{n}.attention.self.key.{p}": "layers.{n}.attention.key.{p}",
    "encoder.layer.{n}.attention.self.value.{p}": "layers.{n}.attention.value.{p}",
    "encoder.layer.{n}.attention.output.dense.{p}": "layers.{n}.attention.output.{p}",
    "encoder.layer.{n}.attention.output.LayerNorm.{p}": "layers.{n}.attention_norm.{p}",
    "encoder.layer.{n}.intermediate.dense.{p}": "layers.{n}.feed_forward.input.{p}",
    "encoder.layer.{n}.output.dense.{p}": "layers.{n}.feed_forward.output.{p}",
    "encoder.layer.{n}.output.LayerNorm.{p}": "layers.{n}.feed_forward_norm.{p}",
}
_BERT_HEADS: dict[str, str | None] = {
    "pooler.dense.{p}": "heads.pooler.dense.{p}",
    "classifier.{p}": "heads.classifier.{p}",
    "cls.predictions.transform.dense.{p}": "heads.masked_lm.dense.{p}",
    "cls.predictions.transform.LayerNorm.{p}": "heads.masked_lm.norm.{p}",
    "cls.predictions.bias": "heads.masked_lm.bias",
    "cls.predictions.decoder.{p}": None,  # tied to the word embeddings and to the bias above
    "cls.seq_relationship.{p}": "heads.next_sentence.{p}",
    "qa_outputs.{p}": "heads.span.{p}",
}
_ROBERTA_HEADS: dict[str, str | None] = {
    "pooler.dense.{p}": "heads.model_pooler.dense.{p}",  # its classification head brings another one
    "classifier.dense.{p}": "heads.pooler.dense.{p}",
    "classifier.out_proj.{p}": "heads.classifier.{p}",
    "classifier.{p}": "heads.token_classifier.{p}",
    "lm_head.dense.{p}": "heads.masked_lm.dense.{p}",
    "lm_head.layer_norm.{p}": "heads.masked_lm.norm.{p}",
    "lm_head.bias": "heads.masked_lm.bias",
    "lm_head.decoder.{p}": None,  # tied to the word embeddings and to the bias above
    "qa_outputs.{p}": "heads.span.{p}",
}
_ROBERTA_KEYS = {**_KEYS, "pad_token_id": ("pad_id", 1)}


def _roberta(name: str, class_prefix: str, vocab_size: int) -> Family:
    """RoBERTa (Liu et al. 2019), and those that are it with another vocabulary."""
    return Family(
        name=name,
        class_prefix=class_prefix,
        prefix="roberta.",
        keys={**_ROBERTA_KEYS, "vocab_size": ("vocab_size", vocab_size)},
        weights={**_EMBEDDINGS, **_LAYERS},
        heads=_ROBERTA_HEADS,
        constants={"language_activation": "gelu"},
        demanded=_DEMANDED,
        counts_from_pad=True,
    )


BERT = Family(
    name="bert",
    class_prefix="Bert",
    prefix="bert.",
    keys=_KEYS,
    weights={**_EMBEDDINGS, **_LAYERS},
    heads=_BERT_HEADS,
    demanded=_DEMANDED,
)
ERNIE = Family(
    name="ernie",
    class_prefix="Ernie",
    prefix="ernie.",
    keys={**_KEYS, "task_type_vocab_size": ("task_type_vocab_size", 3)},
    weights={
        **_EMBEDDINGS,
        "embeddings.task_type_embeddings.weight": "embeddings.task_type_embeddings.weight",
        **_LAYERS,
    },
    heads=_BERT_HEADS,
    demanded=_DEMANDED,
)
ELECTRA = Family(
    name="electra",
    class_prefix="Electra",
    prefix="electra.",
    keys={
        **_KEYS,
        "embedding_size": ("embedding_size", 128),
        "hidden_size": ("hidden_size", 256),
        "num_attention_heads": ("heads", 4),
        "intermediate_size": ("intermediate_size", 1_024),
    },
    weights={**_EMBEDDINGS, "embeddings_project.{p}": "embeddings.projection.{p}", **_LAYERS},
    heads={
        "classifier.dense.{p}": "heads.pooler.dense.{p}",
        "classifier.out_proj.{p}": "heads.classifier.{p}",
        "classifier.{p}": "heads.token_classifier.{p}",
        "discriminator_predictions.dense.{p}": "heads.replaced_token.dense.{p}",
        "discriminator_predictions.dense_prediction.{p}": "heads.replaced_token.output.{p}",
        "generator_predictions.dense.{p}": "heads.masked_lm.dense.{p}",
        "generator_predictions.LayerNorm.{p}": "heads.masked_lm.norm.{p}",
        "generator_lm_head.bias": "heads.masked_lm.bias",
        "generator_lm_head.weight": None,  # tied to the word embeddings
        "qa_outputs.{p}": "heads.span.{p}",
    },
    constants={"language_activation": "gelu"},
    demanded=_DEMANDED,
    pooler_activation="gelu",
)
DISTILBERT = Family(
    name="distilbert",
    class_prefix="DistilBert",
    prefix="distilbert.",
    keys={
        "vocab_size": ("vocab_size", 30_522),
        "dim": ("hidden_size", 768),
        "n_layers": ("layers", 6),
        "n_heads": ("heads", 12),
        "hidden_dim": ("intermediate_size", 3_072),
        "activation": ("activation", "gelu"),
        "dropout": ("dropout", 0.1),
        "attention_dropout": ("attention_dropout", 0.1),
        "seq_classif_dropout": ("classifier_dropout", 0.2),
        "max_position_embeddings": ("max_positions", 512),
        "initializer_range": ("initializer_range", 0.02),
        "pad_token_id": ("pad_id", 0),
    },
    constants={"type_vocab_size": 0, "norm_eps": 1e-12},
    weights={
        "embeddings.word_embeddings.weight": "embeddings.word_embeddings.weight",
        "embeddings.position_embeddings.weight": "embeddings.position_embeddings.weight",
        "embeddings.LayerNorm.{p}": "embeddings.norm.{p}",
        "embeddings.position_ids": None,
        "transformer.layer.{n}.attention.q_lin.{p}": "layers.{n}.attention.query.{p}",
        "transformer.layer.{n}.attention.k_lin.{p}": "layers.{n}.attention.key.{p}",
        "transformer.layer.{n}.attention.v_lin.{p}": "layers.{n}.attention.value.{p}",
        "transformer.layer.{n}.attention.out_lin.{p}": "layers.{n}.attention.output.{p}",
        "transformer.layer.{n}.sa_layer_norm.{p}": "layers.{n}.attention_norm.{p}",
        "transformer.layer.{n}.ffn.lin1.{p}": "layers.{n}.feed_forward.input.{p}",
        "transformer.layer.{n}.ffn.lin2.{p}": "layers.{n}.feed_forward.output.{p}",
        "transformer.layer.{n}.output_layer_norm.{p}": "layers.{n}.feed_forward_norm.{p}",
    },
    heads={
        "pre_classifier.{p}": "heads.pooler.dense.{p}",
        "classifier.{p}": "heads.classifier.{p}",
        "vocab_transform.{p}": "heads.masked_lm.dense.{p}",
        "vocab_layer_norm.{p}": "heads.masked_lm.norm.{p}",
        "vocab_projector.bias": "heads.masked_lm.bias",
        "vocab_projector.weight": None,  # tied to the word embeddings
        "qa_outputs.{p}": "heads.span.{p}",
    },
    pooler_activation="relu",
)
_SHARED = "encoder.albert_layer_groups.{n}.albert_layers.0."
ALBERT = Family(
    name="albert",
    class_prefix="Albert",
    prefix="albert.",
    keys={
        **{key: value for key, value in _KEYS.items() if key != "classifier_dropout"},
        "vocab_size": ("vocab_size", 30_000),
        "embedding_size": ("embedding_size", 128),
        "hidden_size": ("hidden_size", 4_096),
        "num_attention_heads": ("heads", 64),
        "intermediate_size": ("intermediate_size", 16_384),
        "num_hidden_groups": ("unique_layers", 1),
        "hidden_act": ("activation", "gelu_new"),
        "hidden_dropout_prob": ("dropout", 0.0),
        "attention_probs_dropout_prob": ("attention_dropout", 0.0),
        "classifier_dropout_prob": ("classifier_dropout", 0.1),
    },
    demanded={**_DEMANDED, "inner_group_num": 1},
    weights={
        **_EMBEDDINGS,
        "encoder.embedding_hidden_mapping_in.{p}": "embeddings.projection.{p}",
        _SHARED + "attention.query.{p}": "layers.{n}.attention.query.{p}",
        _SHARED + "attention.key.{p}": "layers.{n}.attention.key.{p}",
        _SHARED + "attention.value.{p}": "layers.{n}.attention.value.{p}",
        _SHARED + "attention.dense.{p}": "layers.{n}.attention.output.{p}",
        _SHARED + "attention.LayerNorm.{p}": "layers.{n}.attention_norm.{p}",
        _SHARED + "ffn.{p}": "layers.{n}.feed_forward.input.{p}",
        _SHARED + "ffn_output.{p}": "layers.{n}.feed_forward.output.{p}",
        _SHARED + "full_layer_layer_norm.{p}": "layers.{n}.feed_forward_norm.{p}",
    },
    heads={
        "pooler.{p}": "heads.pooler.dense.{p}",
        "classifier.{p}": "heads.classifier.{p}",
        "predictions.dense.{p}": "heads.masked_lm.dense.{p}",
        "predictions.LayerNorm.{p}": "heads.masked_lm.norm.{p}",
        "predictions.bias": "heads.masked_lm.bias",
        "predictions.decoder.{p}": None,  # tied to the word embeddings and to the bias above
        "sop_classifier.classifier.{p}": "heads.sentence_order.{p}",
        "qa_outputs.{p}": "heads.span.{p}",
    },
)
MODERNBERT = Family(
    name="modernbert",
    class_prefix="ModernBert",
    prefix="model.",
    keys={
        "vocab_size": ("vocab_size", 50_368),
        "hidden_size": ("hidden_size", 768),
        "num_hidden_layers": ("layers", 22),
        "num_attention_heads": ("heads", 12),
        "intermediate_size": ("intermediate_size", 1_152),
        "hidden_activation": ("activation", "gelu"),
        "max_position_embeddings": ("max_positions", 8_192),
        "norm_eps": ("norm_eps", 1e-5),
        "norm_bias": ("norm_bias", False),
        "attention_bias": ("attention_bias", False),
        "mlp_bias": ("feed_forward_bias", False),
        "mlp_dropout": ("dropout", 0.0),
        "embedding_dropout": ("embedding_dropout", 0.0),
        "attention_dropout": ("attention_dropout", 0.0),
        "classifier_dropout": ("classifier_dropout", 0.0),
        "classifier_activation": ("language_activation", "gelu"),
        "classifier_bias": ("language_dense_bias", False),
        "local_attention": ("local_window", 128),
        "global_attn_every_n_layers": ("global_every", 3),
        "global_rope_theta": ("rope_theta_global", 160_000.0),
        "local_rope_theta": ("rope_theta_local", 10_000.0),
        "initializer_range": ("initializer_range", 0.02),
        "pad_token_id": ("pad_id", 50_283),
    },
    constants={"norm": "pre", "gated": True, "positions": "rotary", "type_vocab_size": 0},
    demanded={"rope_scaling": None},
    weights={
        "embeddings.tok_embeddings.weight": "embeddings.word_embeddings.weight",
        "embeddings.norm.{p}": "embeddings.norm.{p}",
        "layers.{n}.attn_norm.{p}": "layers.{n}.attention_norm.{p}",
        "layers.{n}.attn.Wqkv.{p}": (
            "layers.{n}.attention.query.{p}",
            "layers.{n}.attention.key.{p}",
            "layers.{n}.attention.value.{p}",
        ),
        "layers.{n}.attn.Wo.{p}": "layers.{n}.attention.output.{p}",
        "layers.{n}.mlp_norm.{p}": "layers.{n}.feed_forward_norm.{p}",
        "layers.{n}.mlp.Wi.{p}": "layers.{n}.feed_forward.input.{p}",
        "layers.{n}.mlp.Wo.{p}": "layers.{n}.feed_forward.output.{p}",
        "final_norm.{p}": "final_norm.{p}",
    },
    heads={
        "head.dense.{p}": "heads.masked_lm.dense.{p}",
        "head.norm.{p}": "heads.masked_lm.norm.{p}",
        "decoder.bias": "heads.masked_lm.bias",
        "decoder.weight": None,  # tied to the word embeddings
        "classifier.{p}": "heads.classifier.{p}",
    },
    pooler_activation=None,  # its head normalises after the activation
)

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        BERT,
        _roberta("roberta", "Roberta", 50_265),
        _roberta("xlm-roberta", "XLMRoberta", 30_522),
        _roberta("camembert", "Camembert", 30_522),
        DISTILBERT,
        ELECTRA,
        ALBERT,
        ERNIE,
        MODERNBERT,
    )
}


def family_of(model_type: object) -> Family:
    """The family by its `model_type`; raises ModelError naming those we know."""
    if isinstance(model_type, str) and model_type in FAMILIES:
        return FAMILIES[model_type]
    known = ", ".join(FAMILIES)
    raise ModelError(
        f"config.json: model_type is {model_type!r}, expected one of {known}; take a checkpoint of one of these"
    )
