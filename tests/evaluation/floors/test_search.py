"""Search without training: where a text stands in the file says nothing, whatever shares no word with the query."""

from __future__ import annotations

from pathlib import Path

from bertie.data.rows import Rows
from bertie.evaluation.floors.base import Ground
from bertie.evaluation.floors.search import Bm25
from bertie.nn import checkpoint
from bertie.tasks.embedding import Embedding
from bertie.text.tokenizer import Tokenizer

ASKED = {"cheap flights": "flights for little", "如何修改密码": "请修改密码"}


def test_of_two_languages_both_are_found_and_the_rest_is_in_no_order(tiny_model: Path) -> None:
    others = [{"query": f"酒店{chr(0x4E00 + i)}", "positive": f"answer number {i}"} for i in range(60)]
    rows = Rows([*others, *({"query": query, "positive": text} for query, text in ASKED.items())])
    task = Embedding.from_rows(rows, {})
    ground = Ground(task, checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model), 32)
    answers = Bm25().predict(rows, ground)
    assert answers == Bm25().predict(rows, ground)
    assert [answer["ranked"][0] for answer in answers[60:]] == list(ASKED.values())
    assert all(len(set(answer["ranked"])) == 62 for answer in answers)
    assert len({answer["ranked"][0] for answer in answers[:60]}) > 20
    scores = task.score(answers, rows)
    assert scores.per_row["recall_at_10"][60:] == [1.0, 1.0] and sum(scores.per_row["recall_at_10"][:10]) < 6
