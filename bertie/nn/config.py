"""What an encoder looks like: one frozen record, the same for every family.

In:  sizes and switches, by a family's table or by hand
Out: `EncoderConfig`, checked where it is made
Knows nothing of files, of Hugging Face's key names or of tensors.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args

from bertie.core.errors import ModelError

Activation = Literal["gelu", "gelu_tanh", "relu", "silu", "tanh"]

# Lowest and highest: far above any encoder that exists, far below what fills a machine. A config.json is a stranger's.
WHOLE = {
    "vocab_size": (1, 4_000_000),
    "hidden_size": (1, 16_384),
    "layers": (1, 256),
    "heads": (1, 1_024),
    "intermediate_size": (1, 131_072),
    "max_positions": (1, 1_048_576),
    "position_offset": (0, 4_000_000),
    "type_vocab_size": (0, 4_096),
    "task_type_vocab_size": (0, 4_096),
    "embedding_size": (1, 16_384),
    "unique_layers": (1, 256),
    "local_window": (1, 1_048_576),
    "global_every": (1, 256),
    "pad_id": (0, 4_000_000),
}
CHOICES: dict[str, tuple[object, ...]] = {
    "activation": get_args(Activation),
    "language_activation": get_args(Activation),
    "norm": ("post", "pre"),
    "positions": ("absolute", "rotary", "none"),
}
OPTIONAL = {
    "embedding_size",
    "unique_layers",
    "local_window",
    "embedding_dropout",
    "classifier_dropout",
    "language_activation",
}


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """The shape and the habits of one encoder."""

    family: str = "bert"
    """Whose names and defaults the checkpoint follows: a key of `families.FAMILIES`."""
    vocab_size: int = 30_522
    """Rows of the word embeddings."""
    hidden_size: int = 768
    """Width of the states (D)."""
    layers: int = 12
    """How many blocks a text passes through."""
    heads: int = 12
    """Attention heads (H); they divide the width evenly."""
    intermediate_size: int = 3_072
    """Width between the two matrices of a feed-forward part."""
    activation: Activation = "gelu"
    """Non-linearity of the feed-forward part; gelu_tanh is what checkpoints call gelu_new."""
    gated: bool = False
    """Feed-forward with a gate, one fused input matrix of twice the width (GeGLU; Shazeer 2020)."""
    norm: Literal["post", "pre"] = "post"
    """Where a block normalises: after the residual sum (BERT), or before each part and once at the end (ModernBERT)."""
    norm_eps: float = 1e-12
    """Added to the variance in a layer norm."""
    norm_bias: bool = True
    """Whether a layer norm has a bias."""
    attention_bias: bool = True
    """Whether the four matrices of attention have a bias."""
    feed_forward_bias: bool = True
    """Whether the two matrices of a feed-forward part have a bias."""
    positions: Literal["absolute", "rotary", "none"] = "absolute"
    """How order is told: a learned row per position, a rotation of queries and keys (Su et al. 2021), or not at all."""
    max_positions: int = 512
    """Rows of the position table, the offset included; with rotary, the longest text it was trained for."""
    position_offset: int = 0
    """First row used. RoBERTa: pad_id + 1, and only tokens that are not padding are counted."""
    type_vocab_size: int = 2
    """Segment types; 0: the model knows no segments."""
    task_type_vocab_size: int = 0
    """ERNIE's task types; 0: none. Row 0 is always the one used."""
    embedding_size: int | None = None
    """Width of the embeddings (ALBERT, ELECTRA), with a projection to the states. None: as the states, without one."""
    unique_layers: int | None = None
    """Blocks with weights of their own, each used several times in a row (ALBERT: 1). None: every block has its own."""
    local_window: int | None = None
    """Width of the window that local blocks see, half on each side (ModernBERT: 128). None: all see everything."""
    global_every: int = 1
    """With a window: every n-th block, from the first on, still sees everything."""
    rope_theta_global: float = 160_000.0
    """Base of the rotary angles in blocks that see everything."""
    rope_theta_local: float = 10_000.0
    """Base of the rotary angles in blocks with a window."""
    dropout: float = 0.1
    """Part of the states zeroed after each part of a block, in training."""
    embedding_dropout: float | None = None
    """The same after the embeddings. None: as `dropout`."""
    attention_dropout: float = 0.1
    """Part of the attention weights zeroed in training. 0 is faster on a CPU: its fused kernel knows no dropout."""
    classifier_dropout: float | None = None
    """Dropout that the checkpoint proposes before an output layer. None: as `dropout`."""
    language_activation: Activation | None = None
    """Non-linearity of its language head. None: as `activation`."""
    language_dense_bias: bool = True
    """Whether the dense layer of its language head has a bias."""
    language_norm_bias: bool = True
    """Whether the layer norm of its language head has a bias."""
    pad_id: int = 0
    """Token id of padding; its embedding row is never trained."""
    initializer_range: float = 0.02
    """Standard deviation of random weights (Devlin et al. 2019)."""

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name))
        _require(
            self.hidden_size % self.heads == 0,
            f"hidden_size {self.hidden_size} is not a multiple of {self.heads} heads",
        )
        _require(
            self.positions != "rotary" or self.head_size % 2 == 0,
            f"rotary positions need an even head, not {self.head_size}",
        )
        _require(
            0 <= self.pad_id < self.vocab_size,
            f"pad_id {self.pad_id} is outside the {self.vocab_size} rows of the vocabulary",
        )
        _require(
            self.position_offset < self.max_positions,
            f"position_offset {self.position_offset} leaves no position of {self.max_positions}",
        )
        _require(
            self.position_offset in (0, self.pad_id + 1),
            f"position_offset {self.position_offset} is neither 0 nor pad_id + 1",
        )
        _require(
            (self.unique_layers or 1) <= self.layers,
            f"unique_layers {self.unique_layers} is more than {self.layers} layers",
        )

    @property
    def head_size(self) -> int:
        """Width of one head (K)."""
        return self.hidden_size // self.heads

    @property
    def embedding_width(self) -> int:
        """Width of the embedding tables (E)."""
        return self.embedding_size or self.hidden_size

    @property
    def max_length(self) -> int:
        """The longest text in tokens, special tokens included."""
        return self.max_positions - self.position_offset

    def is_local(self, layer: int) -> bool:
        """Whether block `layer` sees only a window."""
        return self.local_window is not None and layer % self.global_every != 0

    def block_of(self, layer: int) -> int:
        """Which set of weights block `layer` uses; another one for each unless weights are shared."""
        return layer * (self.unique_layers or self.layers) // self.layers


def _check(name: str, value: object) -> None:
    """Refuse sizes that no encoder has, numbers that are none, and words that mean nothing."""
    if value is None and name in OPTIONAL:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in WHOLE:
        lowest, highest = WHOLE[name]
        fits = number and isinstance(value, int) and lowest <= value <= highest
        _require(fits, f"{name} is {value!r}, expected {lowest} to {highest}")
    elif name in CHOICES:
        _require(value in CHOICES[name], f"{name} is {value!r}, expected one of {CHOICES[name]}")
    elif isinstance(getattr(EncoderConfig, name), bool):
        _require(isinstance(value, bool), f"{name} is {value!r}, expected true or false")
    elif isinstance(value, float | int) and name.endswith("dropout"):
        _require(number and 0 <= value < 1, f"{name} is {value!r}, expected 0 to below 1")
    elif name != "family":
        fits = number and isinstance(value, float | int) and 0 < value < 1e9
        _require(fits, f"{name} is {value!r}, expected a number above 0")


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise ModelError(f"encoder config: {problem}; correct config.json or take another checkpoint")
