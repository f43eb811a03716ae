"""Classification by filling a gap: which of the label words would a masked language model put there?

    The food was cold. -> The food was cold. It was [MASK]. -> great / bad -> positive / negative

In:  rows with `text`, `label` a string; a pattern, a word for each label; the head of a masked language model
Out: `{"label", "score", "scores"}`
Knows nothing of files, of the training loop or of how a model is stored.

Schick and Schuetze 2021 (PET). The head knows words already, so a few examples only have to say which are meant.
"""

# R rows, T tokens, D width, C labels, V pieces of the vocabulary, E width of the word vectors

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from bertie.core.config import from_dict, to_dict
from bertie.core.errors import DataError, ModelError, UsageError
from bertie.data.batches import Batch, Example, stack_numbers
from bertie.data.rows import Rows
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.nn.language_head import LanguageHead
from bertie.tasks.base import Answer, Mistake, Scores, Task
from bertie.tasks.one_label import OneLabel
from bertie.text.tokenizer import Encoded, Tokenizer

HOLE, MASK = "{text}", "{mask}"
HEAD = "masked_lm."
CLOSE = 0.06
"""As in `classification`: probabilities nearer to each other may change places in bfloat16."""
SPARE = 2
"""Pieces that a text may grow by where it meets the pattern."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """The pattern of a task and what fills its gap."""

    text: str
    """With `{text}` and `{mask}` in it."""
    words: dict[str, str]
    """Label to word, in the order of the labels."""
    pieces: dict[str, int]
    """Label to the piece that the word is."""
    mask: str
    """How the tokenizer writes the gap."""
    mask_id: int

    @classmethod
    def of(cls, text: str, words: Mapping[str, str], tokenizer: Tokenizer) -> Gap:
        """UsageError where the vocabulary has no mask, or not every word as one piece of its own."""
        if tokenizer.mask_id is None:
            raise UsageError("the tokenizer has no mask token, which a pattern needs; take another --model")
        pieces = {label: _piece(label, word, tokenizer) for label, word in words.items()}
        for label, piece in pieces.items():
            twin = next((other for other in pieces if other != label and pieces[other] == piece), None)
            if twin is not None:
                raise UsageError(
                    f"the labels {label!r} and {twin!r} have the same word, {words[label]!r}; expected one each, give "
                    f"another with --set pattern.words.{label}=WORD"
                )
        mask = tokenizer.specials["mask"]
        return cls(text=text, words=dict(words), pieces=pieces, mask=mask, mask_id=tokenizer.mask_id)

    def fill(self, text: str) -> str:
        """A text in the pattern; a gap of its own would be taken for the pattern's."""
        return self.text.replace(MASK, self.mask).replace(HOLE, text.replace(self.mask, " "))


class PatternTask(Task):
    """The head of a masked language model, asked for the label words alone."""

    name = "pattern"
    columns = ("text",)

    def __init__(self, gap: Gap, shape: EncoderConfig) -> None:
        """`shape` is the encoder's."""
        super().__init__()
        self.gap, self.shape, self.labels = gap, shape, OneLabel(list(gap.words))
        self.register_buffer("pieces", torch.tensor(list(gap.pieces.values())), persistent=False)  # (C,)
        self.pieces: Tensor

    @classmethod
    def from_rows(cls, rows: Rows, settings: dict[str, Any]) -> PatternTask:
        """Refused: what it needs to know is not in rows alone."""
        raise UsageError("a pattern is learned by `bertie fewshot --by pattern`, with an encoder that has the head")

    def accept(self, rows: Rows) -> Rows:
        """As classification does."""
        return self.labels.accept(rows)

    def description(self) -> dict[str, Any]:
        return {"gap": to_dict(self.gap), "shape": asdict(self.shape)}

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> PatternTask:
        return cls(from_dict(Gap, description["gap"], "task"), EncoderConfig(**description["shape"]))

    def build_head(self, hidden_size: int) -> None:
        self.head = LanguageHead(self.shape)

    def take_head(self, heads: Mapping[str, Tensor], model: str) -> None:
        """Puts in the head that came with the checkpoint `model`, `LoadedEncoder.heads`; ModelError without one."""
        own = {name: weight.shape for name, weight in self.head.state_dict().items()}
        found = {name.removeprefix(HEAD): weight for name, weight in heads.items() if name.startswith(HEAD)}
        # One with a weight more, such as a bias that its config knows nothing of, would give other guesses.
        if {name: weight.shape for name, weight in found.items()} != own:
            raise ModelError(
                f"{model}: has no masked-LM head that fits its config.json; the head fills the gap of a pattern, so "
                "take a bundle of `bertie pretrain --objective masked_lm` or a checkpoint that came with the head, or "
                "learn by --by contrastive"
            )
        self.head.load_state_dict(found)

    def heads(self) -> dict[str, Tensor]:
        return {HEAD + name: weight for name, weight in self.head.state_dict().items()}

    def encode(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        """A text that is too long is cut, the pattern never."""
        room = max_length - len(tokenizer.encode(self.gap.fill(""))) - SPARE
        if room < 1:
            raise UsageError(f"max_length {max_length} leaves no room for a text beside the pattern; give more")
        texts = [row["text"] for row in rows]
        alone = tokenizer.encode_batch(texts, None, room + 2)  # without the pattern: two specials
        kept = [text[: max(end for _, end in one.offsets)] for text, one in zip(texts, alone, strict=True)]
        filled = tokenizer.encode_batch([self.gap.fill(text) for text in kept], None, max_length)
        problems = [row for row, one in zip(rows, filled, strict=True) if one.ids.count(self.gap.mask_id) != 1]
        if problems:
            raise DataError(f"the text {problems[0]['text'][:80]!r} cannot be read with the pattern; shorten it")
        return [
            Example((_marked(one, cut),), self.labels.target(row))
            for one, cut, row in zip(filled, alone, rows, strict=True)
        ]

    def collate(self, examples: Sequence[Example], pad_id: int) -> Batch:
        return stack_numbers(examples, pad_id)

    def forward(self, encoder: Encoder, batch: Batch) -> Tensor:
        """Logits of the label words (R, C) at the gap."""
        states = encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)  # (R, T, D)
        gaps = states[batch.input_ids == self.gap.mask_id]  # (R, D)
        return self.head.of_pieces(gaps, encoder.embeddings.word_embeddings.weight, self.pieces)

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        return self.labels.loss(output.float(), batch.targets, 0.0)

    def answer(self, output: Tensor, batch: Batch) -> list[Answer]:
        return self.labels.answers(output.float())

    def unsure(self, answer: Answer) -> bool:
        scores = sorted(answer["scores"].values(), reverse=True)
        return bool(scores[0] - scores[1] < CLOSE)

    def kept(self, answer: Answer) -> Answer:
        return {"label": answer["label"]}

    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        return self.labels.score(answers, rows)

    def tie_break(self, answers: Sequence[Answer], rows: Rows) -> float:
        return self.labels.tie_break(answers, rows)

    def mistake(self, row: Mapping[str, Any], answer: Answer) -> Mistake | None:
        right = answer["label"] == row["label"]
        return None if right else Mistake(row["text"], row["label"], answer["label"], float(answer["score"]))

    def counts(self, rows: Rows) -> dict[str, int]:
        labels = rows.column("label")
        return {label: labels.count(label) for label in sorted(set(labels), key=lambda one: -labels.count(one))}


def _piece(label: str, word: str, tokenizer: Tokenizer) -> int:
    """The one piece that the word is, as it stands behind a space or at the beginning."""
    tried = []
    for written in (f" {word}", word):
        one = tokenizer.encode(written)
        inside = [
            i for i, side in enumerate(one.sequence) if side is not None and one.offsets[i][0] < one.offsets[i][1]
        ]
        tried = [one.ids[i] for i in inside]
        if len(tried) == 1 and tried[0] != tokenizer.unk_id:
            return tried[0]
    pieces = ", ".join(map(tokenizer.token, tried)) or "nothing"
    raise UsageError(
        f"the word {word!r} for the label {label!r} is not in the vocabulary, which writes it as {pieces}; expected "
        f"one piece, give a commoner word with --set pattern.words.{label}=WORD"
    )


def _marked(filled: Encoded, alone: Encoded) -> Encoded:
    """Says of the row that its text was cut, where it was."""
    return replace(filled, truncated=filled.truncated or alone.truncated)
