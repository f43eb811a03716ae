"""What a person asks for in pre-training: the request, the recipe, the sizes of encoders that start from nothing.

In:  plain values from the command line or from Python
Out: typed, checked dataclasses
Knows nothing of how the work is done.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bertie.core.errors import UsageError
from bertie.nn.config import EncoderConfig
from bertie.training.settings import Optimizer, Schedule, Training
from bertie.workflow.request import RunRequest, folder_name

Preset = Literal["tiny", "mini", "small", "base"]
SHAPES: dict[str, tuple[int, int]] = {"tiny": (2, 128), "mini": (4, 256), "small": (4, 512), "base": (12, 768)}
"""Layers and width (Turc et al. 2019, table 1; Devlin et al. 2019); heads of 64, a feed-forward part of 4 widths."""


def shape(preset: str, vocabulary: int, pad_id: int, dropout: float) -> EncoderConfig:
    """An encoder that starts from nothing."""
    if preset not in SHAPES:
        raise UsageError(f"--preset {preset!r}: there are {', '.join(SHAPES)}")
    layers, width = SHAPES[preset]
    return EncoderConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        layers=layers,
        heads=width // 64,
        intermediate_size=4 * width,
        dropout=dropout,
        attention_dropout=0.0,
        pad_id=pad_id,
    )


def _training() -> Training:
    """Of a small budget (Izsak et al. 2021, section 4): one high peak, then straight down to zero at the end of it."""
    return Training(
        rows_per_batch=64,
        tokens_per_batch=2048,
        keep="last",
        optimizer=Optimizer(betas=(0.9, 0.98), epsilon=1e-6, head_rate_factor=1.0, layer_decay=1.0),
        schedule=Schedule(warmup=0.08),
    )


@dataclass(frozen=True, kw_only=True)
class PretrainRecipe:
    """Every setting of a pre-training; `recipe.toml` in its bundle is one of these."""

    max_length: int = 128
    """Tokens of a passage, specials included."""
    short_length: int = 64
    """Tokens of a passage in the first part of the training, where most is learned and attention costs less (Devlin et
    al. 2019, section A.2)."""
    short_share: float = 0.6
    """That part, 0 to 1."""
    dropout: float = 0.0
    """Dropout in the encoder; a model that sees its text only a few times needs none (Izsak et al. 2021)."""
    layers: int = 0
    """Layers of `model` that are kept, evenly spaced; 0: all."""
    vocabulary: int = 8000
    """Pieces of the vocabulary that is trained on the corpus, where no tokenizer is given."""
    word_vectors: Literal["cooccurrence", "random"] = "cooccurrence"
    """First word vectors of an encoder that starts from nothing: counted from which pieces stand together in the
    corpus, or random, as BERT's were."""
    attention: Literal["neighbours", "random"] = "neighbours"
    """First attention of an encoder that starts from nothing: heads of the first block that see the neighbours of each
    token, or random, as BERT's were."""
    held_out: float = 0.02
    """Part of the documents that is never trained on; at least 8 documents, or half of them where there are fewer than
    16. The model is judged on about 60,000 tokens of them."""
    replay: float = 0.0
    """Part of the passages of each round that is general text, against forgetting; with `--model`."""
    task: dict[str, Any] = field(default_factory=dict)
    """Settings of the objectives: rate, unit."""
    training: Training = field(default_factory=_training)
    """Settings of the loop. `epochs` counts rounds, each a part of a pass over the corpus; 0: as many as the time
    holds."""

    def __post_init__(self) -> None:
        for name in ("short_share", "dropout", "held_out", "replay"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 to below 1")
        for name in ("max_length", "short_length"):
            if getattr(self, name) < 8:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 8 tokens")
        if self.layers < 0:
            raise ValueError(f"layers is {self.layers}, expected a number of layers to keep, or 0 for all")


@dataclass(frozen=True, kw_only=True)
class PretrainRequest(RunRequest):
    """A pre-training as a person asks for it."""

    corpus: tuple[str, ...]
    """Files, folders, or hub:name."""
    objective: str = "masked_lm"
    """Names with weights, `masked_lm:1,next_sentence:1`."""
    model: str | None = None
    """An encoder to go on with: alias, folder or hub name; otherwise one starts from nothing."""
    general: tuple[str, ...] = ()
    """General text, as files or folders, by which it is seen what an encoder that goes on forgets; otherwise what the
    packages carry."""
    task: str | None = None
    """A file or folder with one label a row, on which the encoder is probed before and after."""
    preset: str = "mini"
    """Size of an encoder that starts from nothing."""
    tokenizer: Path | None = None
    """Folder of a tokenizer; otherwise the model's, or one is trained on the corpus. Of a `model` the word vectors are
    made anew for it."""
    new_vocabulary: int | None = None
    """Pieces of a vocabulary that is trained on the corpus and takes the place of the model's."""
    teacher: str | None = None
    """An encoder whose states are learned, by `distillation`: alias, folder or hub name. Random weights take its
    tokenizer."""
    words: Path | None = None
    """A file with a word a line that are hidden as a whole, beside those of the dictionary."""
    text_column: str | None = None
    """Column that holds the text, in JSON lines and Parquet."""
    encoding: str | None = None
    """Encoding of the files, where it is not recognised."""

    def __post_init__(self) -> None:
        if not self.corpus:
            raise UsageError("no corpus: name text files, folders or hub:name")
        super().__post_init__()
        if self.new_vocabulary is not None and (self.model is None or self.tokenizer is not None):
            raise UsageError(
                "--new-vocabulary takes the place of the vocabulary of --model; without a model say how many pieces "
                "with --set vocabulary=8000, and beside --tokenizer leave it out"
            )
        alone = [name for name in ("general", "task") if getattr(self, name)] if self.model is None else []
        if alone:
            raise UsageError(
                f"--{alone[0]}: an encoder that starts from nothing has nothing to forget; name the one to go on with "
                f"as --model, or leave --{alone[0]} out"
            )

    @property
    def name(self) -> str:
        return f"pretrain-{folder_name(self.corpus[0], 'corpus')}"

    @property
    def renews_vocabulary(self) -> bool:
        """Whether a model that has learned gets another vocabulary."""
        return self.model is not None and (self.tokenizer is not None or self.new_vocabulary is not None)

    def settings(self) -> PretrainRecipe:
        """The recipe file with the overrides on top."""
        return self.settings_of(PretrainRecipe)
