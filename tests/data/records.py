"""Random records for the tests of bertie.data: JSON of any shape, with the keys and texts that readers look for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from bertie.data.rows import Rows
from bertie.data.sources import ReadOptions
from bertie.data.unlabelled import unlabelled_rows

KEYS = [
    *("text", "data", "entities", "label", "labels", "start", "end", "start_offset", "end_offset", "relations", "id"),
    *("from_id", "to_id", "type", "head", "tail", "annotations", "result", "value", "was_cancelled", "direction"),
    *("tokens", "tags", "context", "context_text", "question", "query_text", "answers", "answer", "answer_start"),
    *("choices", "choice0", "choice1", "is_impossible", "paragraphs", "qas", "document"),
]
TEXTS = [
    *(
        "",
        " ",
        "a",
        "Bob",
        "Bob met Ann.",
        "鲍勃在北京",
        "😀Bob",
        "e\u0301",
        "𠮷野",
        "\ud800",
        "a\0b",
        "\ufeffa",
        "labels",
    ),
    *("relation", "O", "B-PER", "I-PER", "E-地名", "PER", "right", "0", "2", "A", "[0, 3]", '["a"]', "{", "[" * 9000),
    *("<e1>Bob</e1> met <e2>Ann</e2>", "<e1>", "[E1] a [/E1]", "NaN", "|"),
]
NUMBERS = st.one_of(st.integers(-2, 14), st.sampled_from([10**400, -(10**18), 0.5, 2.0, float("nan"), float("inf")]))
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.sampled_from(TEXTS), st.text(max_size=4))
JSON: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
        st.tuples(NUMBERS, NUMBERS, st.sampled_from(TEXTS)).map(list),
        st.fixed_dictionaries({"start": NUMBERS, "end": NUMBERS}, optional={"label": LEAVES, "text": LEAVES}),
    ),
    max_leaves=8,
)


def records(*keys: str) -> st.SearchStrategy[dict[str, Any]]:
    """Records that often have these keys, so that a check gets past its first look."""
    with_keys = st.fixed_dictionaries({}, optional=dict.fromkeys(keys, JSON))
    return st.one_of(with_keys, st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6))


def unlabelled(path: Path, **options: Any) -> Rows:
    """All rows of a file to predict, and its notes."""
    rows = unlabelled_rows(path, ReadOptions(**options))
    return Rows(list(rows), notes=rows.notes)
