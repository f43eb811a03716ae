"""By what a pre-training is judged: passages of all held-out documents, and perplexities of what is foretold alone."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bertie.core.errors import DataError
from bertie.data.passages import Passages
from bertie.objectives.pretraining import Pretraining
from bertie.text.tokenizer import Tokenizer
from bertie.training.model import TrainingModel
from bertie.training.settings import Training
from bertie.workflow import pretrain_start
from bertie.workflow.pretrain_checks import check_text
from bertie.workflow.pretrain_judging import evaluation
from bertie.workflow.pretrain_request import PretrainRecipe
from bertie.workflow.pretrain_start import Ready
from tests.data.test_passages import Texts as Numbered
from tests.objectives.test_pretraining import TEXTS, Texts, made

RECIPE = PretrainRecipe(max_length=32, training=Training(dtype="float32"))


class HeldOut(Numbered):
    """Documents of a corpus."""

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def tokens(self) -> int:
        return int(self.lengths.sum())


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Tokenizer:
    return Tokenizer.from_folder(tiny_model)


def ready(model: TrainingModel, tokenizer: Tokenizer, lengths: list[int]) -> Ready:
    corpus: Any = SimpleNamespace(held_out=HeldOut(lengths))
    assert isinstance(model.task, Pretraining)
    return Ready(model.encoder, tokenizer, model.task, corpus, RECIPE, "tiny", chinese=False)


def read(passages: Passages) -> int:
    """Tokens without specials."""
    return sum(len(example.target[0].plain) - 2 for example in passages[:])


def test_of_much_held_out_text_passages_of_all_documents_are_taken(
    tiny_model: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ready(made(tiny_model, tokenizer, "masked_lm"), tokenizer, [3000, *[20] * 50, 3000])
    assert read(one.held_out()) == one.corpus.held_out.tokens == 7000
    monkeypatch.setattr(pretrain_start, "JUDGED_TOKENS", 700)
    some = one.held_out()
    assert read(some) == pytest.approx(700, rel=0.1)
    documents = [chunk.document for chunk in some.chunks]
    assert documents.count(0) == documents.count(51) == 10 and len(set(documents)) == 7
    assert {chunk.start // 30 % 10 for chunk in some.chunks if chunk.document == 0} != {0}, "not beginnings alone"
    assert some.chunks == one.held_out().chunks


@pytest.mark.parametrize(
    ("objective", "foretelling"),
    [
        ("masked_lm", "masked_lm"),
        ("causal_lm", "causal_lm"),
        ("replaced_token,masked_lm", "masked_lm"),
        ("replaced_token", None),
        ("replaced_token,causal_lm", None),  # which pieces are hidden is asked, and causal_lm does not see them
    ],
)
def test_a_perplexity_is_that_of_foretold_pieces(
    objective: str, foretelling: str | None, tiny_model: Path, tokenizer: Tokenizer
) -> None:
    model = made(tiny_model, tokenizer, objective)
    one = ready(model, tokenizer, [])
    how = replace(one.how, judging=True)
    with torch.no_grad():
        metrics = evaluation(one, model, None, Passages(Texts(tokenizer, TEXTS), range(4), how, (1,)))().metrics
    assert one.task.foretelling == foretelling
    if foretelling is None:
        assert "perplexity" not in metrics
    else:
        assert metrics["perplexity"] == pytest.approx(math.exp(metrics[f"{foretelling}_loss"]))


def test_what_nobody_was_asked_has_no_figure(tiny_model: Path, tokenizer: Tokenizer) -> None:
    model = made(tiny_model, tokenizer, "masked_lm,next_sentence")
    one = ready(model, tokenizer, [])
    how = replace(one.how, judging=True, join=None)  # no passage has two parts
    with torch.no_grad():
        found = evaluation(one, model, None, Passages(Texts(tokenizer, TEXTS), range(4), how, (1,)))()
    assert set(found.metrics) == {"masked_lm_loss", "masked_lm_accuracy", "perplexity"}
    assert found.score == pytest.approx(-found.metrics["masked_lm_loss"])


@pytest.mark.parametrize(("objective", "refused"), [("masked_lm", True), ("causal_lm,contrastive", False)])
def test_held_out_text_of_which_nothing_is_hidden_is_refused_before_the_training(
    objective: str, refused: bool, tiny_model: Path, tokenizer: Tokenizer
) -> None:
    model = made(tiny_model, tokenizer, objective)
    assert isinstance(model.task, Pretraining)
    model.task.settings = replace(model.task.settings, rate=1e-9)
    if not refused:
        check_text(ready(model, tokenizer, [20, 5]), "c.txt")
        return
    with pytest.raises(DataError, match=r"c.txt: in 2 held-out passages of 29 tokens no piece happens to be hidden"):
        check_text(ready(model, tokenizer, [20, 5]), "c.txt")


@pytest.mark.parametrize(
    ("train", "held_out", "says"), [([90, 3], [60] * 2, "to learn from"), ([90] * 2, [60], "held")]
)
def test_next_sentence_needs_two_documents(
    train: list[int], held_out: list[int], says: str, tiny_model: Path, tokenizer: Tokenizer
) -> None:
    one = ready(made(tiny_model, tokenizer, "masked_lm,next_sentence"), tokenizer, held_out)
    one.corpus.train = HeldOut(train)  # type: ignore[misc]
    with pytest.raises(DataError, match=rf"c.txt: of the [12] documents {says}.* expected 2 or more"):
        check_text(one, "c.txt")
