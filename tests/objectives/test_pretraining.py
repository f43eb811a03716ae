"""Pre-training as a task: objectives read and composed, learned by heart, answers to a person's texts."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bertie.bundle.folder import Model
from bertie.core.errors import UsageError
from bertie.data.batches import Example, stack
from bertie.data.passages import Passages
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.objectives import pretraining
from bertie.objectives.pretraining import OBJECTIVES, Pretraining, needs_teacher, read_objectives
from bertie.predict import Predictor
from bertie.text.tokenizer import Tokenizer
from bertie.training.model import TrainingModel
from bertie.training.regularizing import regularized
from bertie.training.settings import Training
from tests.data.test_passages import Text

TEXTS = [
    "the service was very good",
    "the food was not good, very slow service",
    "这手机很好，送货快",
    "房间不是很满意，失望",
]


class Texts:
    """Our texts, tokenised; each piece is a word, each text has two sentences."""

    def __init__(self, tokenizer: Tokenizer, texts: list[str]) -> None:
        self.ids = [tokenizer.encode(text).ids[1:-1] for text in texts]
        self.lengths = torch.tensor([len(ids) for ids in self.ids]).numpy()

    def __getitem__(self, index: int, /) -> Text:
        ids = torch.tensor(self.ids[index], dtype=torch.int32).numpy()
        marks = torch.ones(len(ids), dtype=torch.uint8).numpy()
        marks[[0, len(ids) // 2]] = 3
        return Text(ids, marks)


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Tokenizer:
    return Tokenizer.from_folder(tiny_model)


def larger(shape: EncoderConfig) -> Encoder:
    """A teacher of more layers and another width."""
    teacher = Encoder(replace(shape, hidden_size=48, layers=3, dropout=0.3))
    return teacher.train()


def made(tiny_model: Path, tokenizer: Tokenizer, objective: str) -> TrainingModel:
    torch.manual_seed(0)
    encoder = checkpoint.load(tiny_model).encoder
    encoder.set_dropout(0.0)
    task = Pretraining.of(objective, encoder, tokenizer, {})
    if needs_teacher(task.weights):
        task.learn_from(larger(encoder.config))
    task.build_head(32)
    return TrainingModel(encoder, task, whole_vocabulary=True)


def batch_of(model: TrainingModel, tokenizer: Tokenizer) -> list[Example]:
    task = model.task
    assert isinstance(task, Pretraining)
    return Passages(Texts(tokenizer, TEXTS), range(4), task.arrangement(tokenizer, 32), (1,))[:]


def test_names_and_weights_are_read() -> None:
    assert read_objectives("masked_lm") == {"masked_lm": 1.0}
    assert read_objectives("masked_lm:1, next_sentence:0.5") == {"masked_lm": 1.0, "next_sentence": 0.5}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("masked", "objective 'masked' does not exist; choose one of causal_lm, contrastive, distillation, masked_lm"),
        ("masked_lm:x", "the weight is 'x', expected a number above 0"),
        ("masked_lm:-1", "expected a number above 0"),
        ("masked_lm,masked_lm", "is named twice"),
    ],
)
def test_a_wrong_objective_is_named(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        read_objectives(text)


def test_two_ways_of_joining_are_refused(tiny_model: Path, tokenizer: Tokenizer) -> None:
    with pytest.raises(UsageError, match="next_sentence and sentence_order want passages joined in two ways"):
        made(tiny_model, tokenizer, "masked_lm,next_sentence,sentence_order")


@pytest.mark.parametrize("name", ["fgm", "pgd", "freelb"])
@pytest.mark.parametrize("objective", [*OBJECTIVES.classes(), "masked_lm:1,causal_lm:0.5"])
def test_adversarial_steps_train_what_plain_ones_do(
    name: str, objective: str, tiny_model: Path, tokenizer: Tokenizer
) -> None:
    """Also where the output layer is tied to the word vectors, and where a step reads its passages several times."""
    plain = made(tiny_model, tokenizer, objective)
    batch = plain.collate(batch_of(plain, tokenizer))
    plain(batch).backward()
    settings = Training(regularization={"name": name})
    model = TrainingModel(plain.encoder, plain.task, regularized(settings, plain.task), whole_vocabulary=True)
    given = [p for p in model.parameters() if p.grad is not None]
    before = [p.grad for p in given]
    model.zero_grad(set_to_none=True)
    model(batch).backward()
    assert [p for p in model.parameters() if p.grad is not None] == given
    assert any(not torch.allclose(p.grad, was) for p, was in zip(given, before, strict=True) if p.grad is not None)


@pytest.mark.parametrize(
    "objective", [*OBJECTIVES.classes(), "masked_lm:1,next_sentence:1", "masked_lm:1,causal_lm:0.5"]
)
def test_passages_are_learned_by_heart(objective: str, tiny_model: Path, tokenizer: Tokenizer) -> None:
    model = made(tiny_model, tokenizer, objective)
    examples = batch_of(model, tokenizer)
    batch = model.collate(examples)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    first = float(model(batch).detach())
    for _ in range(150):
        optimizer.zero_grad()
        model(batch).backward()
        optimizer.step()
    task = model.task
    assert isinstance(task, Pretraining)
    outcomes = task.outcomes(task(model.encoder, batch))
    assert set(outcomes) == set(task.weights)
    # Nothing tells which text begins, so of what comes next not all can be known; the generator's pieces go by lot.
    enough = {name: {"causal_lm": 0.7, "replaced_token": 0.9}.get(name, 1.0) for name in outcomes}
    assert all(outcome.right.float().mean() >= enough[name] for name, outcome in outcomes.items()), first
    assert all(p.grad is not None for p in task.parameters())


def test_a_batch_that_processes_share_loses_what_the_whole_one_does(tiny_model: Path, tokenizer: Tokenizer) -> None:
    """Each objective by the questions that it asked in each part: one of them has no hidden piece, one no pair."""
    model = made(tiny_model, tokenizer, "masked_lm:1,causal_lm:0.5,next_sentence:0.3")
    task, examples = model.task, batch_of(model, tokenizer)
    bare = replace(examples[0].target[0], places=examples[0].target[0].places[:0], joined=-1)
    examples[0] = replace(examples[0], target=(bare,))
    with torch.no_grad():
        loss = float(model(model.collate(examples)))
        means = [
            task.means(task(model.encoder, batch), batch) for batch in map(model.collate, (examples[:1], examples[1:]))
        ]
    assert [int(number) for _, number in means[0]][::2] == [0, 0]
    shared = sum(float(sum(m * n for m, n in same)) / sum(int(n) for _, n in same) for same in zip(*means, strict=True))
    assert shared == pytest.approx(loss, rel=1e-5)


def test_only_a_contrast_keeps_batches_whole(tiny_model: Path, tokenizer: Tokenizer) -> None:
    assert made(tiny_model, tokenizer, "masked_lm,contrastive").task.compares_rows
    assert not made(tiny_model, tokenizer, "masked_lm,next_sentence,replaced_token").task.compares_rows


def test_the_loss_is_the_weighted_sum(tiny_model: Path, tokenizer: Tokenizer) -> None:
    model = made(tiny_model, tokenizer, "masked_lm:2,next_sentence:0.5")
    batch = model.collate(batch_of(model, tokenizer))
    task = model.task
    assert isinstance(task, Pretraining)
    means = {name: outcome.nats.mean() for name, outcome in task.outcomes(task(model.encoder, batch)).items()}
    torch.testing.assert_close(model(batch), 2 * means["masked_lm"] + 0.5 * means["next_sentence"])


def test_an_output_layer_with_a_weight_more_is_not_taken(tiny_model: Path, tokenizer: Tokenizer) -> None:
    task = made(tiny_model, tokenizer, "masked_lm,next_sentence").task
    assert isinstance(task, Pretraining)
    heads = {name: weight.detach().clone() for name, weight in task.heads().items()}
    assert task.take_heads(heads | {"pooler.dense.bias": torch.ones(32)}) == ["masked_lm"]
    assert task.take_heads(heads | {"masked_lm.more.bias": torch.ones(32)}) == []
    assert task.take_heads({name: heads[name] for name in heads if name != "masked_lm.dense.bias"}) == []


def test_the_causal_model_sees_nothing_of_what_comes(tiny_model: Path, tokenizer: Tokenizer) -> None:
    encoder = checkpoint.load(tiny_model).encoder
    ids = torch.tensor([tokenizer.encode(TEXTS[1]).ids])
    changed = ids.clone()
    changed[0, 6:] = 9
    with torch.no_grad():
        one, other = encoder(ids, causal=True), encoder(changed, causal=True)
        torch.testing.assert_close(one[:, :6], other[:, :6])
        assert not torch.allclose(encoder(ids)[:, :6], encoder(changed)[:, :6])


def predictor(tiny_model: Path, tokenizer: Tokenizer, objective: str) -> Predictor:
    model = made(tiny_model, tokenizer, objective)
    return Predictor(Model(model.encoder, model.task, tokenizer, 32))


@pytest.mark.parametrize("objective", ["masked_lm", "causal_lm"])
def test_a_text_is_foretold_alike_alone_and_in_company(objective: str, tiny_model: Path, tokenizer: Tokenizer) -> None:
    ready = predictor(tiny_model, tokenizer, objective)
    together = ready.predict([*TEXTS, "", "good " * 100])
    for text, answer in zip(TEXTS, together, strict=False):
        [alone] = ready.predict([text])
        assert alone["positions"] == answer["positions"] > 0
        assert alone["loss"] == pytest.approx(answer["loss"], abs=1e-4)
    assert together[4]["positions"] <= 1 and together[4]["note"] == "the text is empty"
    assert together[5]["positions"] > (10 if objective == "masked_lm" else 90)  # read to its end


@pytest.mark.parametrize("objective", ["masked_lm", "causal_lm", "replaced_token"])
def test_a_text_of_any_length_is_answered_in_blocks(
    objective: str, tiny_model: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = predictor(tiny_model, tokenizer, objective)
    texts = ["good food " * 200, TEXTS[0], "the [MASK] was " + "very " * 100 + "[MASK]"]
    whole = ready.predict(texts)
    sizes: list[torch.Size] = []
    scores = OBJECTIVES.get(objective).scores

    def watched(*parts: Any) -> torch.Tensor:
        found = scores(*parts)
        sizes.append(found.shape)
        return found

    monkeypatch.setattr(OBJECTIVES.get(objective), "scores", watched)
    for name, number, most in (("SCORES", 40 * tokenizer.vocab_size, 40), ("TOKENS", 64, 62)):
        monkeypatch.setattr(pretraining, name, number)
        sizes.clear()
        parts = ready.predict(texts)
        assert len(sizes) > 1 and max(places for places, _ in sizes) <= most
        assert [one.keys() for one in parts] == [one.keys() for one in whole]
        for one, other in zip(parts, whole, strict=True):
            for figure in ("loss", "positions", "right", "unigram"):
                assert one.get(figure, 0) == pytest.approx(other.get(figure, 0), abs=1e-5)
            for named in ("candidates", "next"):
                assert [c["token"] for c in one.get(named, ())] == [c["token"] for c in other.get(named, ())]


def test_what_stands_at_the_mask_is_guessed(tiny_model: Path, tokenizer: Tokenizer) -> None:
    ready = predictor(tiny_model, tokenizer, "masked_lm")
    one, two = ready.predict(["the [MASK] was good", "[MASK]货很[MASK]"])
    assert len(one["candidates"]) == 5 and all(isinstance(one["token"], str) for one in one["candidates"])
    scores = [candidate["score"] for candidate in one["candidates"]]
    assert scores == sorted(scores, reverse=True) and 0.0 < scores[0] < 1.0
    assert len(two["masks"]) == 2 and two["masks"][0]["candidates"] == two["candidates"]


def test_either_spelling_of_the_mask_asks_whichever_the_vocabulary_has(tiny_model: Path, tmp_path: Path) -> None:
    other = shutil.copytree(tiny_model, tmp_path / "other")
    pieces = (other / "vocab.txt").read_text(encoding="utf-8")
    (other / "vocab.txt").write_text(pieces.replace("[MASK]", "<mask>"), encoding="utf-8")
    (other / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True, "mask_token": "<mask>"}))
    texts = ["the [MASK] was good", "the <mask> was good", "好[MASK]<mask>"]
    for folder in (tiny_model, other):
        one, two, several = predictor(folder, Tokenizer.from_folder(folder), "masked_lm").predict(texts)
        assert one == two and len(one["candidates"]) == 5 and len(several["masks"]) == 2


def test_what_comes_next_is_told_where_a_text_is_read_from_the_left(tiny_model: Path, tokenizer: Tokenizer) -> None:
    model = made(tiny_model, tokenizer, "causal_lm")
    batch = model.collate(batch_of(model, tokenizer))
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        model(batch).backward()
        optimizer.step()
    ready = Predictor(Model(model.encoder.eval(), model.task.eval(), tokenizer, 32))
    english, chinese, empty = ready.predict(["the service was very", "这手机很", ""])
    assert [english["next"][0]["token"], chinese["next"][0]["token"]] == ["good", "好"]
    assert english["next"][0]["score"] > 0.5 and english["positions"] == 4 and len(empty["next"]) == 5
    masked = predictor(tiny_model, tokenizer, "causal_lm,masked_lm").predict(["the service", "the [MASK]"])
    assert ["next" in masked[0], "candidates" in masked[1]] == [False, True]


@pytest.mark.parametrize("objective", ["causal_lm", "causal_lm,next_sentence"])
def test_a_causal_model_is_asked_for_pieces_and_not_for_where_a_passage_is_cut(
    objective: str, tiny_model: Path, tokenizer: Tokenizer
) -> None:
    model = made(tiny_model, tokenizer, objective)
    task = model.task
    assert isinstance(task, Pretraining)
    examples = batch_of(model, tokenizer)
    batch = model.collate(examples)
    task.know(torch.ones(tokenizer.vocab_size, dtype=torch.long).numpy())
    with torch.no_grad():
        views = task(model.encoder, batch)
        outcome, answers = task.outcomes(views)["causal_lm"], task.answer(views, batch)
    pieces = sum(side is not None for one in examples for side in one.sequences[0].sequence)
    assert len(outcome.nats) == pieces == sum(answer["positions"] for answer in answers)
    assert float(outcome.nats.sum()) == pytest.approx(sum(a["loss"] * a["positions"] for a in answers), rel=1e-4)


def test_beside_a_contrast_a_causal_model_still_goes_on(tiny_model: Path, tokenizer: Tokenizer) -> None:
    ready = predictor(tiny_model, tokenizer, "causal_lm,contrastive")
    answers = ready.predict(["the service", "the [MASK] was good"])
    alone = predictor(tiny_model, tokenizer, "causal_lm").predict(["the service", "the [MASK] was good"])
    assert [set(answer) for answer in answers] == [set(answer) for answer in alone]
    assert all(len(answer["next"]) == 5 for answer in answers)
    assert ready.task.score(answers, Rows([{"text": "x"}] * 2, "texts")).primary == "next_piece_accuracy"


@pytest.mark.parametrize(
    "objective",
    ["causal_lm,masked_lm", "masked_lm,causal_lm", "replaced_token,masked_lm", "masked_lm,replaced_token"],
)
def test_the_masked_language_model_fills_in_whatever_order_they_are_named_in(
    objective: str, tiny_model: Path, tokenizer: Tokenizer
) -> None:
    task = Pretraining.of(objective, checkpoint.load(tiny_model).encoder, tokenizer, {})
    assert (task.asking, task.foretelling) == ("masked_lm", "masked_lm")


def test_an_objective_that_guesses_nothing_says_so(tiny_model: Path, tokenizer: Tokenizer) -> None:
    with pytest.raises(UsageError, match="next_sentence: guesses no pieces; pre-train with masked_lm or causal_lm too"):
        predictor(tiny_model, tokenizer, "next_sentence").predict(["good"])


def test_the_task_comes_back_from_its_description(tiny_model: Path, tokenizer: Tokenizer) -> None:
    model = made(tiny_model, tokenizer, "masked_lm:1,causal_lm:0.5")
    again = Pretraining.from_description(model.task.description())
    again.build_head(32)
    again.load_state_dict(model.task.state_dict())
    assert again.description() == model.task.description()
    batch = stack(batch_of(model, tokenizer), 0)
    torch.testing.assert_close(again.loss(again(model.encoder, batch), batch), model(batch))
