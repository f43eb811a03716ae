"""What labels mean, in words: given by a person, or the names themselves.

In:  the labels; rows with `text` and `label`, each a description of that label
Out: for every label its descriptions, one or more
Knows nothing of models.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bertie.core.errors import DataError
from bertie.data.rows import Rows

Descriptions = Mapping[str, list[str]]
"""Label to texts that say what it means; in the order of the labels."""
WORD_ENDS = re.compile(r"[_\-/.]+|(?<=[a-z])(?=[A-Z])")


def describe(labels: Sequence[str], given: Rows | None) -> Descriptions:
    """Each label with what was given for it, else with its name as words.

    DataError: a description of a label that there is not.
    """
    found: dict[str, list[str]] = {label: [] for label in labels}
    problems = []
    for i, row in enumerate(given or ()):
        if row["label"] in found:
            found[row["label"]].append(row["text"])
        else:
            known = ", ".join(labels[:10]) + (f" and {len(labels) - 10} more" if len(labels) > 10 else "")
            problems.append(
                f"{given.where(i) if given else ''}: describes the label {row['label']!r}, which no row to learn from "
                f"has; expected one of {known}; correct the name or leave the line out"
            )
    if problems:
        raise DataError(problems)
    return {label: texts or [in_words(label)] for label, texts in found.items()}


def in_words(label: str) -> str:
    """`card_lost` and `cardLost` as `card lost`."""
    return " ".join(WORD_ENDS.sub(" ", label).split()) or label


def says_something(descriptions: Descriptions) -> bool:
    """Whether every description has a letter in it: a number as a name means nothing to an encoder."""
    return all(any(letter.isalpha() for letter in text) for texts in descriptions.values() for text in texts)
