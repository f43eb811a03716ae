"""Pre-training of an encoder that has learned with another vocabulary: its own, or one that is given."""

from __future__ import annotations

from pathlib import Path

import pytest

import bertie
from bertie.nn import checkpoint
from bertie.text.tokenizer import Tokenizer
from bertie.workflow.pretrain import run_pretraining
from bertie.workflow.pretrain_request import PretrainRequest
from tests.workflow.test_pretrain import corpus, other

FAST = ("training.epochs=1", "max_length=32", "held_out=0.1")


@pytest.mark.parametrize("given", [False, True])
def test_a_model_with_a_new_vocabulary_fills_in_and_is_trained_on(
    given: bool, tiny_model: Path, tmp_path: Path
) -> None:
    text, said = corpus(tmp_path, 30), list[str]()
    start: dict[str, object] = {"new_vocabulary": 150}
    if given:
        bertie.train_tokenizer(text, out=tmp_path / "t", size=150)
        start = {"tokenizer": tmp_path / "t"}
    request = PretrainRequest(
        corpus=(str(text),),
        model=str(tiny_model),
        general=(str(other(tmp_path)),),
        out=tmp_path / "out",
        overrides=FAST,
        **start,  # type: ignore[arg-type]
    )
    result = run_pretraining(request, said.append)
    [told] = [line for line in said if "word vectors for" in line]
    assert "150 new pieces" in told and "composed of several" in told and "drawn at random" in told
    made, before = (checkpoint.load(folder).encoder.config for folder in (result.folder / "model", tiny_model))
    assert (made.vocab_size, made.layers, made.hidden_size) == (150, before.layers, before.hidden_size)
    assert Tokenizer.from_folder(result.folder / "model").vocab_size == 150
    assert bertie.load(result.folder).predict(["今天的[MASK]非常好。"])[0]["candidates"]
    if not given:
        assert_it_is_trained_on(result.folder, tmp_path)


def assert_it_is_trained_on(folder: Path, tmp_path: Path) -> None:
    rows = "".join(f"the {w} was good,x\nwe did not like the {w},y\n" for w in ("phone", "room", "tea", "bus") * 3)
    (tmp_path / "rows.csv").write_text("text,label\n" + rows, encoding="utf-8")
    settings = {"training.epochs": 1}
    tuned = bertie.train(tmp_path / "rows.csv", model=str(folder), out=tmp_path / "m", settings=settings)
    assert tuned.evaluation["rows"] > 0
