"""The contract of a task: five verbs in the order of the flow.

    rows --encode--> examples --collate--> Batch --forward--> output --loss----> number
                                                              output --answer--> answers --score--> metrics

In:  rows with canonical columns, a tokenizer, an encoder
Out: what each verb gives
Knows nothing of files, of the training loop or of how a model is stored.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from bertie.core.errors import DataError, UsageError
from bertie.data.batches import Batch, Example
from bertie.data.mining import Vectors
from bertie.data.rows import Rows
from bertie.metrics.samples import Sample
from bertie.nn.encoder import Encoder
from bertie.text.tokenizer import Encoded, Tokenizer, Windowed

Answer = dict[str, Any]
"""What a person reads, as JSON: for classification `{"label", "score", "scores"}`; any may carry "note"."""

VectorPooling = Literal["mean", "first"]
"""The mean of the states of a text, or its first token's."""


@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """What a recipe may say about every task."""

    long_texts: Literal["cut", "windows"] = "cut"
    """A text longer than the model: `cut` reads its beginning, `windows` all of it in overlapping parts, whose answers
    are merged."""
    overlap: float = 0.25
    """Part of a window that the next one reads again, 0 to below 1."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.overlap < 1.0:
            raise ValueError(f"overlap is {self.overlap}, expected 0 to below 1")

    def sequences(
        self,
        tokenizer: Tokenizer,
        texts: Sequence[str],
        pairs: Sequence[str] | None,
        max_length: int,
        windowed: Windowed = "longer",
    ) -> list[tuple[Encoded, ...]]:
        """The sequences of each row: one, or with `windows` as many as it takes."""
        if self.long_texts == "cut":
            return [(one,) for one in tokenizer.encode_batch(texts, pairs, max_length)]
        made = tokenizer.encode_windows(texts, pairs, max_length, overlap=self.overlap, windowed=windowed)
        return [tuple(one) for one in made]


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """What a training of a task takes where the recipe leaves it open."""

    rate_factor: float = 1.0
    """Times the learning rate that rows and layers suggest."""
    head_rate_factor: float = 1.0
    """The head's rate as a multiple of the encoder's; a head that starts at random wants 5 to 20."""
    most_rows: int = 32
    """Most rows a batch; short ones where a row teaches many things at once."""
    max_length: int = 256
    """Tokens of a sequence."""
    layer_decay: float | None = None
    """From layer to layer of a deep encoder, downwards; None: as for every task."""
    fewest_epochs: int = 4
    """Epochs of a training at least, where there are not few rows."""
    minutes: float = 15.0
    """Time for the whole command, where nobody says how long it may take."""


UNIT_DEFAULTS = Defaults(rate_factor=2.0, head_rate_factor=20.0, most_rows=16, minutes=25.0)
"""Of tasks that tag units: a row teaches many of them at once, and which tags follow each other begins at nothing."""


@dataclass(frozen=True, kw_only=True)
class UnitSettings(TaskSettings):
    """The same about a task that finds entities, which are runs of the text's units (`data/units.py`)."""

    long_texts: Literal["cut", "windows"] = "windows"
    """A text longer than the model: `windows` reads all of it in overlapping parts and takes each entity from the one
    in which it stands furthest from an edge, `cut` reads its beginning."""
    misaligned: Literal["error", "widen"] = "error"
    """An entity that does not begin and end with whole words, Han characters or marks: `error` names its row, `widen`
    learns it as the whole words that it touches."""
    shapes: bool = True
    """Show the head how a word and its neighbours are written (Capital, UPPER, digits, ...), which a vocabulary without
    capitals loses."""
    dropout: float = 0.1
    """Share of the features that is dropped in training."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout is {self.dropout}, expected 0 to below 1")


@dataclass(frozen=True)
class Scores:
    """Metrics of answers against rows."""

    primary: str
    """Name of the one metric by which the best model is kept; larger is better."""
    metrics: dict[str, float]
    per_row: dict[str, list[float]]
    """Each row's share of the metrics that are a mean over rows, for intervals and paired tests."""
    sample: Sample | None = None
    """What the metrics that are no mean over rows are computed from, for the same."""
    details: dict[str, Any] = field(default_factory=dict)
    """Per-class table, confusion matrix and the like, as plain JSON."""
    errors: Collection[str] = ()
    """Metrics of which the smaller is better; the task's own primary one is none of them."""

    @property
    def value(self) -> float:
        """The primary metric."""
        return self.metrics[self.primary]

    @property
    def comparable(self) -> list[str]:
        """The metrics that have an interval."""
        sampled = self.sample.names if self.sample else ()
        return [name for name in self.metrics if name in self.per_row or name in sampled]

    def by(self, metric: str) -> Scores:
        """The same with another primary metric; UsageError where none that has an interval is called so."""
        if metric not in self.comparable:
            raise UsageError(f"metric {metric!r} does not exist; choose one of {', '.join(self.comparable)}")
        return replace(self, primary=metric)


@dataclass(frozen=True)
class Mistake:
    """A wrong answer, in words."""

    text: str
    gold: str
    predicted: str
    confidence: float
    """How sure the model was of what is wrong, 0 to 1."""


class Task(nn.Module, ABC):
    """A task holds its settings, its labels and its head; the encoder is handed in.

    Its parameters are the head's. A subclass with a `name`, in a file of this folder, is a task that a user can name.
    """

    name: ClassVar[str]
    kind: ClassVar[str] = "labels"
    """Kind of rows that it reads, of `data/kinds.py`."""
    labelled: ClassVar[bool] = True
    """Whether it is judged by what rows say of a text; else by the text itself."""
    han_isolated: ClassVar[bool] = False
    """Whether its answers are places in a text, so that a piece must not reach over several Han characters."""
    defaults: ClassVar[Defaults] = Defaults()
    """What a training takes where the recipe leaves it open."""
    columns: tuple[str, ...]
    """Columns that a row must have to be answered; the label is not among them."""
    prefix: str = ""
    """What stands before a text whose vector is wanted."""
    pooling_name: VectorPooling = "mean"
    """How the states of such a text become one vector."""
    gives_vectors: ClassVar[bool] = False
    """Whether its answer is that vector at length one, and so the encoder's alone."""
    compares_rows: bool = False
    """Whether its loss compares rows of a batch with each other: then none is cut for several processes."""
    first_choice: int | None = None
    """The number of a row's first choice, where the training's file showed it and its answers are numbers."""
    metric: str | None = None
    """Metric by which a person wants it judged; otherwise the one that `score` holds for the primary one."""

    @classmethod
    @abstractmethod
    def from_rows(cls, rows: Rows, settings: dict[str, Any]) -> Task:
        """Learns what must be known before the head is made (the labels); DataError names the rows that do not fit."""

    def accept(self, rows: Rows) -> Rows:
        """Labelled rows as `score` takes them, whatever their file made of the labels; DataError names those that do
        not fit. Unchanged where a task says nothing else.
        """
        return rows

    def expect(self, rows: Rows, judged: Rows) -> list[str]:
        """Told once, before training, the training rows and those by which the model is judged meanwhile, which stand
        for its use; returns what a person should know of what that changes.
        """
        return []

    def settle(self, prefix: str, pooling: VectorPooling = "mean") -> None:
        """Told once, before training, what the chosen model wants before a text whose vector is wanted, and how it was
        trained to make it.
        """

    def study(self, rows: Rows, vectors: Vectors) -> Rows:
        """Training rows as `encode` takes them, asked for once before training; unchanged where a task says nothing
        else. `vectors` makes of texts what the encoder sees in them that nobody has tuned.
        """
        return rows

    def asked(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What of a row is needed to answer it; DataError, without the place, where it is missing or of another form.

        Columns of text, where a task says nothing else.
        """
        for column in self.columns:
            if not isinstance(row.get(column), str):
                raise DataError(f"column {column!r} is missing or no text; the model needs {', '.join(self.columns)}")
        return {column: row[column] for column in self.columns}

    def texts(self, row: Mapping[str, Any]) -> list[str]:
        """The texts of a row, as a person would read them."""
        return [row[column] for column in self.columns]

    @abstractmethod
    def description(self) -> dict[str, Any]:
        """Plain JSON from which `from_description` makes the same task, without weights.

        Under `settings` stands, where a task has any, what a recipe may say about it.
        """

    @classmethod
    @abstractmethod
    def from_description(cls, description: dict[str, Any]) -> Task:
        """The inverse of `description`."""

    @abstractmethod
    def build_head(self, hidden_size: int) -> None:
        """Makes the head's parameters for an encoder of this width."""

    def heads(self) -> dict[str, Tensor]:
        """Weights of its head that other programs know, by the names of `LoadedEncoder.heads`; they are stored beside
        the encoder too.
        """
        return {}

    @abstractmethod
    def encode(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        """Rows to examples; a row without a label gets target None."""

    @abstractmethod
    def collate(self, examples: Sequence[Example], pad_id: int) -> Batch:
        """Examples to one Batch with targets (None where any example has none)."""

    @abstractmethod
    def forward(self, encoder: Encoder, batch: Batch) -> Any:
        """The batch through encoder and head. Output (R, ...) in the order of the rows, a tensor in nearly all tasks:
        whatever `loss` and `answer` take.
        """

    @abstractmethod
    def loss(self, output: Any, batch: Batch) -> Tensor:
        """One number, the mean over the rows of the batch."""

    def means(self, output: Any, batch: Batch) -> list[tuple[Tensor, int | Tensor]]:
        """The means of which `loss` is the sum, each with the number that it is the mean over: where several processes
        share a batch, each mean weighs by it. Rows, where a task says nothing else.
        """
        return [(self.loss(output, batch), batch.rows)]

    @abstractmethod
    def answer(self, output: Any, batch: Batch) -> list[Answer]:
        """One answer per row."""

    def averaged(self, answers: Sequence[Answer], row: Mapping[str, Any]) -> Answer:
        """One answer out of those of several models to a row, whose numbers are averaged; UsageError where a task gives
        none that mean the same in each of them.
        """
        raise UsageError(
            f"answers of {self.name} are no numbers that could be averaged over models; take --combine soup, which "
            "averages weights"
        )

    def unsure(self, answer: Answer) -> bool:
        """Whether rounding to bfloat16 could change what is answered: such rows are computed again in float32.

        A task that does not know says always.
        """
        return True

    def kept(self, answer: Answer) -> Answer:
        """What `score` reads of an answer, which is all that is held of each where many rows are judged."""
        return answer

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics of `score` by which models may be chosen, its own first; empty where the rows decide which."""
        return ()

    def metrics_on(self, rows: Rows) -> tuple[str, ...]:
        """The same of rows that judge, as `accept` gives them; empty where nothing is known of that before `score`."""
        return self.metrics

    @abstractmethod
    def score(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        """Answers against the labels of the rows. A label never seen in training is counted and scored wrong."""

    def evaluate(self, answers: Sequence[Answer], rows: Rows) -> Scores:
        """`score`, with the metric that was asked for as the primary one; UsageError where it cannot choose."""
        found = self.score(answers, rows)
        if self.metric in found.errors:
            raise UsageError(f"training.metric is {self.metric!r}, of which the smaller is better; name another one")
        return found.by(self.metric) if self.metric else found

    def tie_break(self, answers: Sequence[Answer], rows: Rows) -> float:
        """0 to 1, larger is better: tells two models apart whose scores are equal. 0 where a task cannot."""
        return 0.0

    @property
    def chooses(self) -> bool:
        """Whether its output is scores (R, C), by softmax the probabilities of classes one of which a row has."""
        return False

    @property
    def calibrates(self) -> bool:
        """Whether its probabilities can be set right on rows that it did not learn from."""
        return False

    def recalibrated(self, answers: Sequence[Answer], rows: Rows) -> list[Answer]:
        """Answers to the judged rows as they would be after `calibrate`; so models are compared while they train."""
        return list(answers)

    def calibrate(self, answers: Sequence[Answer], rows: Rows) -> list[str]:
        """Told once, after training, its answers to the judged rows: sets its probabilities right on them and returns
        what a person should know of that.
        """
        return []

    def mistake(self, row: Mapping[str, Any], answer: Answer) -> Mistake | None:
        """What is wrong about an answer; None where it is right. A task that has no words for that leaves it out."""
        return None

    @property
    def names_mistakes(self) -> bool:
        """Whether it has words for what is wrong about an answer."""
        return type(self).mistake is not Task.mistake

    def counts(self, rows: Rows) -> dict[str, int]:
        """How often each label stands in labelled rows, most frequent first; empty where there are none to count."""
        return {}
