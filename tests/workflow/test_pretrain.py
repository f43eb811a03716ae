"""Pre-training from text to a bundle: made, judged, used, gone on with."""

from __future__ import annotations

import json
import random
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

import bertie
from bertie.core.errors import BertieError, DataError, UsageError
from bertie.data import demo
from bertie.objectives.pretraining import OBJECTIVES
from bertie.training.run import RunFolder
from bertie.training.settings import Training
from bertie.workflow.evaluate import run_evaluation
from bertie.workflow.pretrain import as_asked, run_pretraining
from bertie.workflow.pretrain_request import PretrainRequest
from bertie.workflow.request import Loading
from bertie.workflow.train import TrainResult
from tests.bundle.making import ROWS, save_tiny

FAST = ("training.epochs=3", "max_length=32", "short_length=16", "vocabulary=400", "held_out=0.1")


def quiet(line: str) -> None:
    """Nobody listens."""


def corpus(folder: Path, documents: int = 60) -> Path:
    """Made-up notes about goods and weather in two languages."""
    draw = random.Random(0)
    things = ["phone", "room", "coffee", "train", "river", "手机", "房间", "咖啡", "火车", "河水"]
    english = ["The {} was very good today.", "We did not like the {} at all.", "A {} costs more than last year."]
    chinese = ["今天的{}非常好。", "我们不太喜欢这个{}。", "{}比去年贵了一些。"]
    lines = []
    for number in range(documents):
        thing = draw.choice(things)
        patterns = english if thing.isascii() else chinese
        lines += [draw.choice(patterns).format(thing) for _ in range(draw.randint(3, 9))] + [
            f"No. {number} {thing}",
            "",
        ]
    path = folder / "corpus.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def other(folder: Path) -> Path:
    """A little general text, where what the packages carry would take half a minute."""
    path = folder / "general.txt"
    stories = (
        f"In the year {n} the {w} went far away.\nNobody has seen it since.\n\n" for n in range(40) for w in "abc"
    )
    path.write_text("".join(stories), encoding="utf-8")
    return path


def run(text: Path, out: Path, **options: Any) -> TrainResult:
    options.setdefault("overrides", FAST)
    return run_pretraining(PretrainRequest(corpus=(str(text),), preset="tiny", out=out, **options), quiet)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainResult]:
    folder = tmp_path_factory.mktemp("pretrain")
    text = corpus(folder)
    return text, run(text, folder / "out", objective="masked_lm:1,next_sentence:0.5")


def test_a_bundle_is_left_that_says_what_was_learned(made: tuple[Path, TrainResult]) -> None:
    _, result = made
    metrics = result.evaluation["metrics"]
    assert {"masked_accuracy", "loss", "perplexity", "unigram_entropy"} <= set(metrics)
    assert metrics["loss"] > 0.0 and metrics["unigram_entropy"] > 0.0
    assert set(result.evaluation["floors"]) == {"unigrams"}
    recipe = tomllib.loads((result.folder / "recipe.toml").read_text(encoding="utf-8"))
    assert recipe["training"]["epochs"] == 3 and "seconds" not in recipe["training"]
    kept = json.loads((result.folder / "metrics.json").read_text(encoding="utf-8"))
    assert "next_sentence_accuracy" in kept["held_out"] and "probe_accuracy" in kept["held_out"]
    assert "unigrams" in (result.folder / "report.html").read_text(encoding="utf-8")


def test_what_a_budget_decided_is_no_part_of_the_recipe() -> None:
    decided = Training(epochs=40, seconds=812.5, rows_per_batch=16)
    assert as_asked(decided, Training(epochs=3, seconds=900.0)) == replace(decided, epochs=3, seconds=900.0)
    assert as_asked(decided, Training()) == replace(decided, epochs=0, seconds=None)


def test_it_fills_in_and_is_judged_on_a_text_file(made: tuple[Path, TrainResult]) -> None:
    text, result = made
    [answer] = bertie.load(result.folder).predict(["今天的[MASK]非常好。"])
    assert len(answer["candidates"]) == 5
    judged = run_evaluation(Loading(result.folder), str(text), say=quiet)
    assert judged["task"] == "pretraining" and judged["rows"] == 60
    assert judged["metrics"]["positions"] > 300


def test_transformers_reads_its_encoder_and_its_masked_language_model(made: tuple[Path, TrainResult]) -> None:
    _, result = made
    theirs = AutoModelForMaskedLM.from_pretrained(result.folder / "model").eval()
    tokenizer = AutoTokenizer.from_pretrained(result.folder / "model")
    inputs = tokenizer("今天的[MASK]非常好。", return_tensors="pt")
    place = int((inputs["input_ids"][0] == tokenizer.mask_token_id).nonzero())
    with torch.no_grad():
        shares = theirs(**inputs).logits[0, place].softmax(-1)
    [answer] = bertie.load(result.folder).predict(["今天的[MASK]非常好。"])
    best = answer["candidates"][0]
    assert float(shares.max()) == pytest.approx(best["score"], abs=1e-4)
    assert tokenizer.convert_ids_to_tokens(int(shares.argmax())) == best["token"]


def test_a_classifier_starts_from_it(made: tuple[Path, TrainResult], tmp_path: Path) -> None:
    rows = "".join(
        f"the {w} was good,x\nwe did not like the {w},y\n" for w in ("phone", "room", "tea", "bus", "sea") * 3
    )
    (tmp_path / "rows.csv").write_text("text,label\n" + rows, encoding="utf-8")
    options: dict[str, Any] = {"method": "frozen", "settings": {"training.epochs": 1}}
    result = bertie.train(tmp_path / "rows.csv", model=str(made[1].folder), out=tmp_path / "m", **options)
    learned, kept = (one.predictor.model.encoder.state_dict() for one in (made[1], result))
    assert kept.keys() == learned.keys()
    assert [name for name in learned if not torch.equal(kept[name], learned[name])] == []
    assert result.predictor.model.origin == str(made[1].folder)


def test_pre_training_goes_on_from_a_bundle_with_its_output_layer(
    made: tuple[Path, TrainResult], tmp_path: Path
) -> None:
    text, before = made
    settings = {"training.epochs": 1, "max_length": 32, "held_out": 0.1}
    after = bertie.pretrain(text, model=before.folder, out=tmp_path / "on", settings=settings, say=quiet)
    with RunFolder(tmp_path / "on" / "run") as went:
        judged = [entry["masked_lm_loss"] for entry in went.entries() if "score" in entry]
    # Without its output layer it would begin above 5.9, the logarithm of 400 pieces.
    assert judged[0] < after.evaluation["metrics"]["unigram_entropy"] + 0.5
    assert judged[-1] < judged[0]


def test_from_python(tmp_path: Path) -> None:
    settings = {"training.epochs": 1, "max_length": 32, "vocabulary": 400, "held_out": 0.1}
    text = corpus(tmp_path, 30)
    result = bertie.pretrain(
        text,
        objective="masked_lm:1,causal_lm:0.5",
        preset="tiny",
        out=str(tmp_path / "p"),
        settings=settings,
        say=quiet,
    )
    assert result.predictor.predict(["手机[MASK]"])[0]["candidates"]


def test_a_bundle_that_reads_from_the_left_says_what_comes_next(tmp_path: Path) -> None:
    overrides = ("training.epochs=1", "max_length=32", "vocabulary=400", "held_out=0.1")
    result = run(corpus(tmp_path, 30), tmp_path / "c", objective="causal_lm", overrides=overrides)
    [answer] = bertie.load(result.folder).predict(["今天的手机非常"])
    assert len(answer["next"]) == 5 and {"loss", "perplexity"} <= set(answer)
    assert "next_piece_accuracy" in result.evaluation["metrics"]


def test_a_finished_bundle_is_replaced_by_one_with_a_vocabulary_of_its_own(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "package_folder", lambda module: None)  # no probe, which takes the longest
    save_tiny(ROWS, tiny_model, tmp_path / "out")
    overrides = ("training.epochs=1", "max_length=32", "vocabulary=140", "held_out=0.1")
    run(corpus(tmp_path, 30), tmp_path / "out", overrides=overrides, overwrite=True)
    found = bertie.load(tmp_path / "out")
    assert found.task.name == "pretraining" and found.model.tokenizer.vocab_size == 140


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    text = corpus(tmp_path, 30)
    first, second = run(text, tmp_path / "a"), run(text, tmp_path / "b")
    weights = [(one.folder / "model" / "model.safetensors").read_bytes() for one in (first, second)]
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    ("content", "error"), [(b"", DataError), (b"one line\n", DataError), (b"\x00\x01\x02\xff" * 50, DataError)]
)
def test_a_corpus_that_is_none_is_refused(content: bytes, error: type[BertieError], tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_bytes(content)
    with pytest.raises(error) as caught:
        run(tmp_path / "c.txt", tmp_path / "out")
    assert "c.txt" in str(caught.value)


OWN = """
import torch
from bertie.objectives.base import Objective, Outcome

class Length(Objective):
    '''Is a passage long?'''
    name = "length"

    def __init__(self, config):
        super().__init__(config)
        self.output = torch.nn.Linear(config.hidden_size, 1)

    def outcome(self, views):
        long = views.mask.sum(dim=1) > 20
        return Outcome.yes_or_no(self.output(views.states.mean(dim=1)).squeeze(-1), long)
"""


def test_an_objective_of_ones_own_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OBJECTIVES, "_classes", OBJECTIVES.classes())  # for this test alone
    (tmp_path / "length.py").write_text(OWN, encoding="utf-8")
    assert bertie.extend(tmp_path / "length.py") == ["length"]
    result = run(corpus(tmp_path, 30), tmp_path / "own", objective="masked_lm:1,length:0.2")
    kept = json.loads((result.folder / "metrics.json").read_text(encoding="utf-8"))
    assert "length_accuracy" in kept["held_out"]


def test_documents_too_short_to_read_are_refused_and_among_others_left_out(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "package_folder", lambda module: None)  # no probe, which takes the longest
    (tmp_path / "short.txt").write_text("好\n\n坏\n\n中\n\n大\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"short.txt: of the 2 documents to learn from none has 4 pieces"):
        run(tmp_path / "short.txt", tmp_path / "out")
    text, mixed = corpus(tmp_path), tmp_path / "mixed.txt"
    characters = (f"\n\n{chr(0x4E00 + number)}\n" for number in range(40))  # each its own: copies are left out anyway
    mixed.write_text(text.read_text(encoding="utf-8") + "".join(characters), encoding="utf-8")
    found = []
    for source in (text, mixed):
        lines: list[str] = []
        overrides = ("training.epochs=1", "max_length=32", "held_out=0.3")  # so many that chance alone holds them out
        options: dict[str, Any] = {"tokenizer": tiny_model, "preset": "tiny", "overrides": overrides}
        result = run_pretraining(
            PretrainRequest(corpus=(str(source),), out=tmp_path / source.stem, **options), lines.append
        )
        [trained] = [line.partition(" passages ")[0] for line in lines if line.startswith("trained ")]
        found.append((trained, result.evaluation["rows"]))
        assert any(f" of {60 if source is text else 100} documents kept" in line for line in lines)
    assert found[0] == found[1]


def test_what_is_wrong_whatever_the_corpus_holds_is_said_before_it_is_read(tmp_path: Path) -> None:
    for options, says in (
        ({"preset": "huge"}, "--preset 'huge'"),
        ({"objective": "填空"}, "objective '填空' does not exist"),
        ({"overrides": ("task.rate=2",)}, "rate is 2.0"),
    ):
        request = PretrainRequest(corpus=(str(tmp_path / "nowhere.txt"),), out=tmp_path / "o", **options)
        with pytest.raises(BertieError, match=says):
            run_pretraining(request, quiet)


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    for options in ({"model": "minilm", "tokenizer": tmp_path}, {}):
        with pytest.raises(UsageError, match="--new-vocabulary takes the place of the vocabulary of --model"):
            PretrainRequest(corpus=("x",), new_vocabulary=400, **options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="--preset 'huge': there are tiny, mini, small, base"):
        run_pretraining(
            PretrainRequest(corpus=(str(corpus(tmp_path)),), preset="huge", out=tmp_path / "o", overrides=FAST), quiet
        )
    with pytest.raises(UsageError, match="--objective next_sentence: guesses no pieces; add masked_lm or causal_lm"):
        run(corpus(tmp_path), tmp_path / "n", objective="next_sentence")
    with pytest.raises(UsageError, match="task 'pretraining' does not exist"):
        (tmp_path / "r.csv").write_text("text,label\na,x\nb,y\nc,x\nd,y\n", encoding="utf-8")
        bertie.train(tmp_path / "r.csv", task="pretraining", out=tmp_path / "q")
