"""A task of one's own is one file with one class: written here, it trains, answers, is saved and found again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import bertie
from bertie.bundle.folder import TASKS
from bertie.cli.app import run
from bertie.core.errors import UsageError
from bertie.evaluation.floor_files import FLOORS
from tests.workflow.rows import write

TOY = '''
"""Which of two labels, told from the first token."""

from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional as F

from bertie.data.batches import Example, stack
from bertie.tasks.base import Scores, Task


class Toy(Task):
    name = "toy"
    columns = ("text",)

    def __init__(self, labels):
        super().__init__()
        self.labels = labels

    @classmethod
    def from_rows(cls, rows, settings):
        return cls(sorted(set(rows.column("label"))))

    def description(self):
        return {"labels": self.labels}

    @classmethod
    def from_description(cls, description):
        return cls(**description)

    def build_head(self, hidden_size):
        self.head = nn.Linear(hidden_size, len(self.labels))

    def encode(self, rows, tokenizer, max_length):
        encoded = tokenizer.encode_batch([row["text"] for row in rows], None, max_length)
        targets = [self.labels.index(row["label"]) if row.get("label") in self.labels else None for row in rows]
        return [Example((one,), target) for one, target in zip(encoded, targets)]

    def collate(self, examples, pad_id):
        targets = [example.target for example in examples]
        batch = stack(examples, pad_id)
        return batch if None in targets else replace(batch, targets=torch.tensor(targets))

    def forward(self, encoder, batch):
        states = encoder(batch.input_ids, batch.attention_mask, batch.token_type_ids)
        return self.head(states[:, 0])

    def loss(self, output, batch):
        return F.cross_entropy(output, batch.targets)

    def answer(self, output, batch):
        return [{"toy": self.labels[i]} for i in output.argmax(-1).tolist()]

    def score(self, answers, rows):
        right = [float(answer["toy"] == row["label"]) for answer, row in zip(answers, rows)]
        return Scores("accuracy", {"accuracy": sum(right) / len(right)}, {"accuracy": right})
'''
FLOOR = """

from bertie.evaluation.floors.base import Floor


class AlwaysFirst(Floor):
    name, tasks = "always_first", ("toy",)

    @classmethod
    def fit(cls, train, ground):
        return cls()

    def predict(self, rows, ground):
        return [{"toy": ground.task.labels[0]}] * len(rows)
"""


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is added in a test is gone behind it."""
    for registry in (TASKS, FLOORS):
        monkeypatch.setattr(registry, "_classes", registry.classes())


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    path = tmp_path / "toy_task.py"
    path.write_text(TOY, encoding="utf-8")
    return path


def test_it_trains_is_judged_saved_and_found_again(
    registries: None, toy: Path, tiny_model: Path, tmp_path: Path
) -> None:
    assert bertie.extend(toy) == ["toy"] == bertie.extend(toy)
    data, out = write(tmp_path / "data.csv", 160), tmp_path / "model"
    settings = {"training.epochs": 6, "training.optimizer.rate": 3e-3}
    result = bertie.train(data, task="toy", model=str(tiny_model), out=out, settings=settings, say=lambda line: None)
    assert result.evaluation["task"] == "toy" and result.evaluation["primary"]["value"] > 0.8
    assert bertie.evaluate(out, data)["primary"]["value"] > 0.8
    texts = ["the food was good the film great 1", "手机 慢 服务 坏 2"]
    assert bertie.load(out).predict(texts) == [{"toy": "positive"}, {"toy": "negative"}]


def test_the_command_finds_it_by_its_file_and_without_it_says_so(
    registries: None, toy: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bundle names the task and not the file: nothing is run that the person has not named."""
    toy.write_text(TOY + FLOOR, encoding="utf-8")
    data, out = str(write(tmp_path / "data.csv", 60)), str(tmp_path / "model")
    options = ["--task", "toy", "--model", str(tiny_model), "--out", out, "--set", "training.epochs=1", "--json"]
    assert run(["--with", str(toy), "train", data, *options]) == 0
    assert list(json.loads(capsys.readouterr().out)["floors"]) == ["always_first"]
    words = [sys.executable, "-c", "from bertie.cli.app import main; main()"]
    for extension, code in ([], 2), (["--with", str(toy)], 0):
        call = [*words, *extension, "predict", out, "--text", "好"]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert code == 0 or ("task 'toy' does not exist" in done.stderr and "bertie --with FILE" in done.stderr)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\n", r"toy_task\.py: holds no task and no floor; give a subclass of Task or Floor a `name`"),
        (TOY.replace('"toy"', '"classification"', 1), "there is a task 'classification' already; give yours another"),
    ],
)
def test_a_file_that_cannot_be_one_is_refused(registries: None, toy: Path, text: str, expected: str) -> None:
    toy.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=expected):
        bertie.extend(toy)
    assert "toy" not in TASKS.classes()


@pytest.mark.parametrize("name", ["missing.py", "rows.csv"])
def test_what_is_no_python_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\n", encoding="utf-8")
    with pytest.raises(UsageError, match="is no Python file, expected one with a class of a task or of a floor"):
        bertie.extend(tmp_path / name)
