"""What a pre-training starts from: what is chosen where nothing is said."""

from __future__ import annotations

from pathlib import Path

import torch

from bertie.training.run import RunFolder
from bertie.workflow.preparation import Notes
from bertie.workflow.pretrain_request import PretrainRequest
from bertie.workflow.pretrain_start import Ready, prepare
from tests.data.corpora import corpus_file

SMALL = ("vocabulary=150", "max_length=32", "held_out=0.1")


def started(folder: Path, *overrides: str, model: Path | None = None) -> Ready:
    request = PretrainRequest(
        corpus=(str(corpus_file(folder / "corpus.txt", 80)),),
        model=None if model is None else str(model),
        preset="tiny",
        out=folder / "out",
        overrides=(*SMALL, *overrides),
    )
    with RunFolder(folder / "out" / "run") as run:
        return prepare(request, request.settings(), run, Notes(lambda line: None))


def test_from_nothing_more_is_hidden_and_judged_is_as_ever(tmp_path: Path) -> None:
    ready = started(tmp_path)
    assert (ready.how.rate, ready.how.unit) == (0.3, "mixed")
    judged = ready.judging(ready.corpus, 1000).how
    assert (judged.rate, judged.unit) == (0.15, "token")


def test_what_the_recipe_says_goes_first(tmp_path: Path) -> None:
    ready = started(tmp_path, "task.rate=0.1", "task.unit=span")
    assert (ready.how.rate, ready.how.unit) == (0.1, "span")
    assert ready.judging(ready.corpus, 1000).how.rate == 0.1


def test_an_encoder_that_goes_on_hides_as_bert_did(tmp_path: Path, tiny_model: Path) -> None:
    ready = started(tmp_path, model=tiny_model)
    assert (ready.how.rate, ready.how.unit) == (0.15, "word")


def test_the_first_heads_see_neighbours_unless_random_ones_are_asked_for(tmp_path: Path) -> None:
    ids = torch.randint(10, 100, (8, 30))
    seen = {}
    for name in ("neighbours", "random"):
        folder = tmp_path / name
        folder.mkdir()
        encoder = started(folder, f"attention={name}").encoder.eval()
        with torch.no_grad():
            seen[name] = float(encoder.attentions(ids)[0][:, 0].diagonal(-1, 1, 2).mean())
    assert seen["neighbours"] > 5 * seen["random"]
