"""Classification: labels, losses, answers, the linear start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bertie.core.errors import ConfigError, DataError, UsageError
from bertie.data.batches import Example
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.nn.heads import normalised
from bertie.tasks.classification import Classification
from bertie.text.tokenizer import Encoded, Tokenizer

ONE = Rows([{"text": "good food", "label": "b"}, {"text": "bad", "label": "a"}, {"text": "服务很好", "label": "b"}])
SEVERAL = Rows([{"text": "good", "label": ["x", "y"]}, {"text": "bad", "label": []}, {"text": "slow", "label": ["z"]}])
PAIR = Rows([{"text_a": "good", "text_b": "bad", "label": "no"}, {"text_a": "a", "text_b": "a", "label": "yes"}])


def made(rows: Rows, **settings: object) -> Classification:
    task = Classification.from_rows(rows, dict(settings))
    task.build_head(32)
    return task.eval()


def test_the_columns_and_labels_come_from_the_rows() -> None:
    assert (made(ONE).labels, made(ONE).columns, made(ONE).several) == (["a", "b"], ("text",), False)
    assert (made(SEVERAL).labels, made(SEVERAL).several) == (["x", "y", "z"], True)
    assert made(PAIR).columns == ("text_a", "text_b")


def test_one_label_only_is_an_error() -> None:
    with pytest.raises(DataError, match=r"rows: found 1 label \('a'\); classification needs at least two"):
        Classification.from_rows(Rows([{"text": "x", "label": "a"}]), {})
    with pytest.raises(ConfigError, match="unknown setting 'poling'"):
        Classification.from_rows(ONE, {"poling": "mean"})


def test_the_labels_of_another_file_get_the_shape_of_the_task() -> None:
    single = Rows([{"text": "good", "label": "x"}], "new.csv", [2])
    assert made(SEVERAL).accept(single).column("label") == [["x"]]
    assert made(SEVERAL).accept(SEVERAL) == SEVERAL
    assert made(ONE).accept(ONE) == ONE
    lists = Rows([{"text": "t", "label": label} for label in (["a"], ["a", "b"], ["b"], [])], "new.csv", [2, 3, 4, 5])
    assert made(ONE).accept(lists.take([0, 2])).column("label") == ["a", "b"]
    with pytest.raises(DataError) as caught:
        made(ONE).accept(lists)
    assert [problem.split(",")[0] for problem in caught.value.problems] == [
        "new.csv:3: found 2 labels (a",
        "new.csv:5: found no label",
    ]


def test_balanced_weights_are_those_of_the_kind() -> None:
    counts = {"a": 1, "b": 2}
    assert made(ONE, class_weights="balanced").class_weights.tolist() == [3 / (2 * n) for n in counts.values()]
    several = Rows(
        [{"text": "t", "label": ["x"]}, *[{"text": "t", "label": ["x", "y"]}] * 2, {"text": "t", "label": []}]
    )
    task = made(several, class_weights="balanced")
    torch.testing.assert_close(task.class_weights, torch.tensor([1 / 3, 2 / 2]))
    assert made(several).class_weights is None


def shares(**counts: int) -> Rows:
    return Rows([{"text": "t", "label": label} for label, count in counts.items() for _ in range(count)])


def test_the_shares_of_dev_are_expected_and_the_loss_stays_that_of_the_training_shares() -> None:
    train, dev = shares(a=90, b=10), shares(a=50, b=50)
    told, plain = Classification.from_rows(train, {}), Classification.from_rows(train, {})
    [note] = told.expect(train, dev)
    assert "'b' 50.0%" in note and "train (10.0%)" in note and "task.shares=train" in note
    for task in (told, plain):
        task.build_head(32)
        task.start_from(torch.zeros(2, 32), torch.tensor([0.9, 0.1]).log())
        task.eval()
    states, mask = torch.zeros(1, 3, 32), torch.ones(1, 3, dtype=torch.bool)
    batch = told.collate([Example((Encoded([2, 3], [0, 0], [(0, 0), (0, 0)], [None, None], False),), target=1)], 0)
    output = {"told": told.head(states, mask), "plain": plain.head(states, mask)}
    torch.testing.assert_close(told.loss(output["told"], batch), plain.loss(output["plain"], batch))
    assert plain.answer(output["plain"], batch)[0]["scores"]["b"] == pytest.approx(0.1, abs=1e-4)
    assert told.answer(output["told"], batch)[0]["scores"]["b"] == pytest.approx(0.5, abs=0.02)


def test_a_head_at_random_begins_with_the_expected_shares() -> None:
    train = shares(a=90, b=10)
    heads = []
    for dev in (shares(a=50, b=50), train):
        task = Classification.from_rows(train, {})
        task.expect(train, dev)
        torch.manual_seed(0)
        task.build_head(32)
        heads.append(task.head.output.bias.detach())
    moved = heads[0] - heads[1]
    assert moved[1] > 1.0 and moved[0] < 0.0


def test_shares_are_left_alone_where_they_do_not_differ_or_somebody_decided() -> None:
    train, dev = shares(a=90, b=10), shares(a=50, b=50)
    assert Classification.from_rows(train, {}).expect(train, shares(a=44, b=6)) == []
    for chosen in ({"shares": "train"}, {"class_weights": "balanced"}, {"loss": "focal"}):
        assert Classification.from_rows(train, dict(chosen)).expect(train, dev) == []
    assert Classification.from_rows(SEVERAL, {}).expect(SEVERAL, SEVERAL) == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"dropout": 1.5}, "dropout is 1.5, expected 0 to below 1"),
        ({"label_smoothing": 2}, "label_smoothing is 2.0, expected 0 to below 1"),
        ({"label_smoothing": -0.1}, "label_smoothing is -0.1"),
        ({"threshold": 1.0}, "threshold is 1.0, expected a probability between 0 and 1"),
        ({"threshold": -0.1}, "threshold is -0.1"),
        ({"focal_gamma": -1}, "focal_gamma is -1.0, expected 0 or more"),
        ({"loss": "focal", "label_smoothing": 0.1}, "label_smoothing is no part of the focal loss"),
    ],
)
def test_impossible_settings_are_refused_by_name(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=f"task: {says}"):
        Classification.from_rows(ONE, wrong)


@pytest.mark.parametrize("rows", [ONE, SEVERAL, PAIR], ids=["one label", "several labels", "pair"])
@pytest.mark.parametrize("pooling", ["mean", "first", "attention", "pooler"])
def test_loss_falls_and_every_head_weight_gets_a_gradient(rows: Rows, pooling: str, tiny_model: Path) -> None:
    encoder, tokenizer = checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model)
    task = made(rows, pooling=pooling)
    batch = task.collate(task.encode(list(rows), tokenizer, 32), tokenizer.pad_id)
    optimizer = torch.optim.Adam([*encoder.parameters(), *task.parameters()], 1e-2)
    losses = []
    for _ in range(30):
        loss = task.loss(task(encoder, batch), batch)
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in task.parameters())


@pytest.mark.parametrize(
    "settings",
    [{"loss": "focal"}, {"class_weights": "balanced"}, {"label_smoothing": 0.1}],
    ids=lambda s: next(iter(s)),
)
def test_each_loss_setting_changes_the_loss(settings: dict[str, object]) -> None:
    output = torch.tensor([[2.0, 0.5], [0.3, 0.1], [-1.0, 1.0]])
    plain, changed = made(ONE), made(ONE, **settings)
    example = Example((Encoded([2, 3], [0, 0], [(0, 0), (0, 0)], [None, None], False),), target=0)
    batch = replace(plain.collate([example] * 3, 0), targets=torch.tensor([1, 0, 1]))
    assert plain.loss(output, batch) != changed.loss(output, batch)


def test_the_description_makes_the_same_task() -> None:
    for rows in (ONE, SEVERAL, PAIR):
        task = made(rows, class_weights="balanced", dropout=0.3)
        again = Classification.from_description(task.description())
        assert again.description() == task.description()
        assert again.settings == task.settings


def test_a_linear_start_gives_the_linear_models_scores(tiny_model: Path) -> None:
    encoder, tokenizer = checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model)
    task = made(ONE)
    weight, bias = torch.randn(2, 32), torch.randn(2)
    task.start_from(weight, bias)
    task.eval()
    batch = task.collate(task.encode([ONE[0]], tokenizer, 32), tokenizer.pad_id)
    states = encoder(batch.input_ids)
    assert torch.allclose(task(encoder, batch), normalised(states.mean(1)) @ weight.T + bias, atol=1e-5)
    with pytest.raises(UsageError, match="needs pooling 'mean'"):
        made(ONE, pooling="first").start_from(weight, bias)
    with pytest.raises(UsageError, match="and normalise true, found 'mean' and false; leave both"):
        made(ONE, normalise=False).start_from(weight, bias)


def test_answers_have_one_score_a_label() -> None:
    answer = made(ONE).answer_from([0.2, 0.8])
    assert answer == {"label": "b", "score": 0.8, "scores": {"a": 0.2, "b": 0.8}}
    assert made(SEVERAL).answer_from([0.6, 0.1, 0.9]) == {
        "labels": ["z", "x"],
        "scores": {"x": 0.6, "y": 0.1, "z": 0.9},
    }


def test_a_label_that_training_never_saw_is_counted_and_wrong() -> None:
    task = made(ONE)
    rows = Rows([{"text": "good", "label": "b"}, {"text": "bad", "label": "new"}])
    scores = task.score([task.answer_from([0.1, 0.9])] * 2, rows)
    assert scores.metrics["unseen_labels"] == 1
    assert (scores.value, scores.per_row) == (0.5, {"accuracy": [1.0, 0.0]})
    assert task.encode([rows[1]], _Words(), 8)[0].target is None


class _Words:
    """A tokenizer that only counts words."""

    def encode_batch(self, texts: list[str], pairs: object, max_length: int) -> list[list[str]]:
        return [text.split()[:max_length] for text in texts]
