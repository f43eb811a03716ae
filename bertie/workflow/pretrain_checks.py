"""What a corpus must have for the objectives: text by which one could not be learned or judged is refused.

In:  Ready, the name of the corpus
Out: nothing, or a DataError before the first step
Knows nothing of the loop, of rounds or of how a corpus was made.
"""

from __future__ import annotations

from bertie.core.errors import DataError
from bertie.data.corpus import Corpus
from bertie.data.passages import FEWEST, Passages, readable
from bertie.workflow.pretrain_start import JUDGED_TOKENS, Ready


def check_text(ready: Ready, source: str) -> None:
    """DataError where a second part could never be another document's, or where no held-out piece is asked for."""
    if ready.task.join == "next":
        refuse_alone(ready.corpus, source)
    if ready.task.fills:
        refuse_unasked(ready.held_out(), source)
        if ready.general is not None:
            refuse_unasked(ready.judging(ready.general, JUDGED_TOKENS), "the general text")


def refuse_alone(corpus: Corpus, source: str) -> None:
    """DataError where a part has one readable document: all second parts would be those that follow."""
    for name, part in (("to learn from", corpus.train), ("held out", corpus.held_out)):
        if len(readable(part)) < 2:
            raise DataError(
                f"{source}: of the {len(part)} documents {name} 1 has {FEWEST} pieces, expected 2 or more: "
                "next_sentence takes parts that do not follow from other documents; put an empty line between "
                "documents, give more of them, or take sentence_order"
            )


def refuse_unasked(passages: Passages, source: str) -> None:
    """DataError where the lots that hide pieces have hidden none, so that nothing could be judged."""
    if not any(len(passages[i].target[0].places) for i in range(len(passages))):
        raise DataError(
            f"{source}: in {len(passages)} held-out passages of {sum(passages.costs)} tokens no piece happens to be "
            "hidden, expected one or more to judge by; give more text, or hold out a larger part, --set held_out=0.1"
        )
