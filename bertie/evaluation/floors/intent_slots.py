"""Intent and slots by two floors, one for each: counted words with the lexicon, and linear heads on a frozen encoder.

In:  labelled rows with an intent and slots
Out: answers in the form of the task, a linear solution that both of its heads can start from
Knows nothing of the training that follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Floor, Ground, State, together
from bertie.evaluation.floors.frozen import FrozenFloor
from bertie.evaluation.floors.frozen_tokens import FrozenTokens
from bertie.evaluation.floors.lexicon import LexiconFloor
from bertie.evaluation.floors.tfidf import TfidfFloor
from bertie.tasks.base import Answer, Task
from bertie.tasks.intent_slots import IntentSlots


@dataclass(frozen=True)
class TfidfLexicon(Floor):
    """The intent by TF-IDF and linear machines, the slots by the lexicon."""

    name: ClassVar[str] = "tfidf_lexicon"
    tasks: ClassVar[tuple[str, ...]] = ("intent_slots",)
    intents: TfidfFloor
    slots: LexiconFloor

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> TfidfLexicon:
        return cls(TfidfFloor.fit(train, ground), LexiconFloor.fit(train, ground))

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        return _joined(self.intents, self.slots, rows, ground)

    def state(self) -> State | None:
        return together({"intents": self.intents, "slots": self.slots})

    @classmethod
    def from_state(cls, state: State) -> TfidfLexicon:
        return cls(TfidfFloor.from_state(state.part("intents")), LexiconFloor.from_state(state.part("slots")))


@dataclass(frozen=True)
class FrozenHeads(Floor):
    """Logistic regression on the mean state for the intent, and on each unit's for the slots."""

    name: ClassVar[str] = "frozen_heads"
    tasks: ClassVar[tuple[str, ...]] = ("intent_slots",)
    reads_encoder: ClassVar[bool] = True
    intents: FrozenFloor
    slots: FrozenTokens

    @classmethod
    def fit(cls, train: Rows, ground: Ground) -> FrozenHeads:
        return cls(FrozenFloor.fit(train, ground), FrozenTokens.fit(train, ground))

    def predict(self, rows: Rows, ground: Ground) -> list[Answer]:
        return _joined(self.intents, self.slots, rows, ground)

    def start(self, task: Task) -> bool:
        """Kumar et al. 2022: probe, then tune; here both heads."""
        if not isinstance(task, IntentSlots):
            return False
        task.start_from(self.intents.probe.linear(), self.slots.linear())
        return True

    def state(self) -> State | None:
        return together({"intents": self.intents, "slots": self.slots})

    @classmethod
    def from_state(cls, state: State) -> FrozenHeads:
        return cls(FrozenFloor.from_state(state.part("intents")), FrozenTokens.from_state(state.part("slots")))


def _joined(intents: Floor, slots: Floor, rows: Rows, ground: Ground) -> list[Answer]:
    """The fields of both answers to each row."""
    both = zip(intents.predict(rows, ground), slots.predict(rows, ground), strict=True)
    return [{**intent, **entities} for intent, entities in both]
