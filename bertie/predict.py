"""The Predictor: texts to answers. The only way in for everything above it: evaluation, serving, the applications.

In:  a bundle of any engine, or an encoder, a task with its head and a tokenizer; then rows, or plain texts
Out: one answer per row, in the order of the rows, with a note where a text was empty or was cut
Knows nothing of training or of where rows come from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from bertie.bundle import checksums, golden, linear
from bertie.bundle import folder as bundle
from bertie.bundle.folder import Model
from bertie.bundle.linear import LinearModel
from bertie.core.errors import DataError, UsageError
from bertie.core.runtime import autocast, choose_device, choose_dtype
from bertie.data.batches import Example, pack
from bertie.data.rows import blocks, check_several, column_of_text
from bertie.tasks.base import Answer, Task
from bertie.text.tokenizer import Encoded

ROWS_PER_BATCH = 64
TOKENS_PER_BATCH = 4096
"""Padded tokens a batch: larger ones fall out of the processor's cache and gain nothing."""


class BasePredictor(ABC):
    """What answers rows, whatever its engine is. Safe to call from one thread at a time."""

    name: str

    @property
    @abstractmethod
    def task(self) -> Task:
        """The task, for its columns and its labels."""

    @abstractmethod
    def _block(self, rows: list[dict[str, Any]]) -> list[Answer]:
        """One answer per row that has been checked, in order."""

    def predict(self, rows: Sequence[str | Mapping[str, Any]]) -> list[Answer]:
        """One answer per row, in order. A row is a text, or has the task's columns; DataError says what lacks, or that
        there is no list of rows.
        """
        return list(self.stream(rows))

    def stream(self, rows: Iterable[str | Mapping[str, Any]]) -> Iterator[Answer]:
        """Answers in order, a block of rows at a time: memory does not grow with the number of rows."""
        check_several(rows)
        done = 0
        for block in blocks(rows):
            yield from self._block([self._row(row, done + i) for i, row in enumerate(block)])
            done += len(block)

    def _row(self, row: object, index: int) -> dict[str, Any]:
        columns, bare = self.task.columns, isinstance(row, str)
        lacking = f"found one text, expected the columns {', '.join(columns)}"
        if isinstance(row, str):
            column = column_of_text(columns)
            if column is None:
                raise DataError(f"row {index + 1}: {lacking}")
            row = {column: row}
        if not isinstance(row, Mapping):
            wanted = "a text, or a mapping" if len(columns) == 1 else "a mapping"
            found = type(row).__name__
            raise DataError(
                f"row {index + 1}: found a {found}, expected {wanted} with the columns {', '.join(columns)}"
            )
        try:
            return self.task.asked(row)
        except DataError as error:
            why = f"{lacking}; {error}" if bare and len(columns) > 1 else str(error)
            raise DataError(f"row {index + 1}: {why}") from error


class Predictor(BasePredictor):
    """Answers rows with an encoder.

    In bfloat16 it is faster where the processor can, and what rounding could have changed is answered again in float32
    (`Task.unsure`): the same labels, probabilities within a hundredth or two.
    """

    def __init__(
        self, model: Model, name: str = "model", dtype: torch.dtype = torch.float32, *, exact: bool = True
    ) -> None:
        """Without `exact` nothing is answered again: for comparing two states of a model, where time counts."""
        self.model, self.name, self.dtype, self.exact = model, name, dtype, exact
        self.members = [Predictor(member, name, dtype, exact=exact) for member in model.members]
        model.encoder.eval()
        model.task.eval()

    @property
    def task(self) -> Task:
        return self.model.task

    def encode(self, rows: Sequence[dict[str, Any]]) -> list[Example]:
        """Rows as the model sees them."""
        return self.task.encode(rows, self.model.tokenizer, self.model.max_length)

    def answers(self, examples: Sequence[Example]) -> list[Answer]:
        """One answer per example, for who has encoded them; in float32."""
        found = self._answers(examples, range(len(examples)), torch.float32)
        return [found[i] for i in range(len(examples))]

    def _block(self, rows: list[dict[str, Any]]) -> list[Answer]:
        if self.members:
            return self._together(rows)
        examples = self.encode(rows)
        # A task that cannot tell what rounding changed would have every row computed twice.
        dtype = torch.float32 if self.exact and type(self.task).unsure is Task.unsure else self.dtype
        answers = self._answers(examples, range(len(rows)), dtype)
        if self.exact and dtype is not torch.float32:
            answers |= self._answers(examples, [i for i in answers if self.task.unsure(answers[i])], torch.float32)
        return [self._noted(answers[i], rows[i], examples[i]) for i in range(len(rows))]

    def _together(self, rows: list[dict[str, Any]]) -> list[Answer]:
        """The answers of an ensemble: each of its members', combined; the notes are the first one's."""
        combine, task = self.model.combination, self.task
        assert combine is not None, "an ensemble knows how its members' answers become one"
        answered = zip(*(member._block(rows) for member in self.members), strict=True)
        made = []
        for row, answers in zip(rows, answered, strict=True):
            note = {"note": answers[0]["note"]} if "note" in answers[0] else {}
            made.append({**combine(task, answers, row), **note})
        return made

    def _answers(self, examples: Sequence[Example], places: Sequence[int], dtype: torch.dtype) -> dict[int, Answer]:
        """The answers to the examples at these places, computed in `dtype`, texts of similar length together."""
        costs = [example.cost for example in examples]
        answers: dict[int, Answer] = {}
        for indices in pack(sorted(places, key=lambda i: costs[i]), costs, ROWS_PER_BATCH, TOKENS_PER_BATCH):
            answers |= zip(indices, self._answer([examples[i] for i in indices], dtype), strict=True)
        return answers

    def _answer(self, examples: Sequence[Example], dtype: torch.dtype) -> list[Answer]:
        """The answers to one batch of examples."""
        device = next(self.model.encoder.parameters()).device
        batch = self.task.collate(examples, self.model.tokenizer.pad_id).to(device)
        with torch.inference_mode(), autocast(device, dtype):
            output = self.task(self.model.encoder, batch)
            return self.task.answer(output, batch)

    def _noted(self, answer: Answer, row: dict[str, Any], example: Example) -> Answer:
        notes = []
        if not any(text.strip() for text in self.task.texts(row)):
            notes.append("the text is empty")
        elif all(self._unknown(sequence) for sequence in example.sequences):
            notes.append("no part of the text is in the model's vocabulary")
        if any(sequence.truncated for sequence in example.sequences):
            notes.append(self._cut(row, example))
        return {**answer, "note": "; ".join(notes)} if notes else answer

    def _cut(self, row: dict[str, Any], example: Example) -> str:
        """What a person should know of a row that was not read whole."""
        windows = self.task.description().get("settings", {}).get("long_texts") == "windows"
        if not windows or len(example.sequences) == 1 or len(self.task.texts(row)) > 1:
            return f"the text was cut at {self.model.max_length} tokens"
        read = max(end for sequence in example.sequences for _, end in sequence.offsets) - len(self.task.prefix)
        return f"only the first {read:,} characters were read"

    def _unknown(self, sequence: Encoded) -> bool:
        """Whether every piece of the text is the unknown one: emoji or a script that the vocabulary lacks."""
        pairs = zip(sequence.ids, sequence.sequence, strict=True)
        return {piece for piece, text in pairs if text is not None} <= {self.model.tokenizer.unk_id}


class LinearPredictor(BasePredictor):
    """Answers rows by counting words; in float32, on the processor."""

    def __init__(self, model: LinearModel, name: str = "model") -> None:
        self.model, self.name = model, name

    @property
    def task(self) -> Task:
        return self.model.task

    def _block(self, rows: list[dict[str, Any]]) -> list[Answer]:
        answers, known = self.model.answers(rows)
        return [self._noted(*one) for one in zip(answers, rows, known, strict=True)]

    def _noted(self, answer: Answer, row: dict[str, Any], known: bool) -> Answer:
        if not any(text.strip() for text in self.task.texts(row)):
            return {**answer, "note": "the text is empty"}
        return answer if known else {**answer, "note": "no part of the text is in the model's vocabulary"}


def load(folder: str | Path, dtype: str = "float32", device: str = "auto") -> BasePredictor:
    """A predictor from a bundle of any engine: sums checked, golden examples answered again.

    Args:
        folder: the bundle.
        dtype: float32; bfloat16; or auto, bfloat16 where a self-test sees that this machine is faster in it.
        device: what computes, as `choose_device` names it: auto, cpu, cuda, cuda:1, mps.

    Raises:
        UsageError: there is no such device.
        BundleError: a sum or a golden example differs; the message names which.
    """
    path = Path(folder)
    checksums.verify(path)
    place = choose_device(device)
    number, _ = choose_dtype(place, dtype)
    if bundle.described(path)["engine"] != linear.ENGINE:
        return _load_torch(path, place, number)
    predictor = LinearPredictor(linear.read(path), path.resolve().name)
    golden.check(predictor.predict, predictor.model.golden, linear.ENGINE, str(path))
    return predictor


def load_torch(folder: str | Path, dtype: str = "float32", device: str = "auto") -> Predictor:
    """The same, for what needs the encoder of a bundle; UsageError where it has none."""
    predictor = load(folder, dtype, device)
    if not isinstance(predictor, Predictor):
        raise UsageError(f"{folder}: counts words and has no encoder, which is needed here; take a bundle that has one")
    return predictor


def _load_torch(path: Path, device: torch.device, dtype: torch.dtype) -> Predictor:
    model = bundle.read(path)
    for part in model.together:
        part.encoder.to(device)
        part.task.to(device)
    predictor = Predictor(model, path.resolve().name, dtype)
    kind = model.engine.partition("/")[0]
    engine = model.engine if dtype is torch.float32 else f"{kind}/{str(dtype).removeprefix('torch.')}"
    golden.check(predictor.predict, model.golden, engine, str(path))
    return predictor
