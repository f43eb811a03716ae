"""Augmentation in a training: only training rows grow, a resume is exact, a language model fills blanks."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import bertie
from bertie.bundle import folder as bundle
from bertie.bundle.folder import TASKS, Model
from bertie.cli.app import run
from bertie.core.errors import ConfigError, DataError, UsageError
from bertie.data.augmentation import WAYS, Augmentation, AugmentedRounds
from bertie.data.batches import of_epoch
from bertie.data.readers import read_rows
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.objectives.pretraining import Pretraining
from bertie.text.tokenizer import Tokenizer
from bertie.training.hooks import Hook, Step
from bertie.training.run import RunFolder
from bertie.workflow import train
from bertie.workflow.augmentation import fill_of, make_augmenter, read_synonyms
from bertie.workflow.preparation import Notes, Prepared, prepare
from bertie.workflow.request import TrainRequest
from tests.bundle.making import ROWS, save_tiny
from tests.workflow.rows import write

FAST = {"training.epochs": 2, "training.dtype": "float32", "training.save_steps": 3, "training.rows_per_batch": 16}
SYNONYMS = "# mine\nfood, meal\n服务\t招待\ngood great\n"


def prepared(folder: Path, model: Path, *overrides: str, **options: Any) -> tuple[Prepared, list[str]]:
    """What a training with these settings starts from, and what it says."""
    data = write(folder / "data.csv", 80) if not (folder / "data.csv").exists() else folder / "data.csv"
    request = TrainRequest(data=str(data), model=str(model), out=folder / "m", overrides=overrides, **options)
    lines: list[str] = []
    with RunFolder(folder / "m" / "run") as entered:
        return prepare(request, request.settings(), entered, Notes(lines.append)), lines


@pytest.fixture
def guesser(tiny_model: Path, tmp_path: Path) -> Path:
    """A checkpoint with a masked-LM head that believes in a few pieces."""
    return save_guesser(tiny_model, tmp_path / "guesser")


def save_guesser(tiny_model: Path, folder: Path) -> Path:
    encoder, tokenizer = checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model)
    task = Pretraining.of("masked_lm", encoder, tokenizer, {})
    task.build_head(encoder.config.hidden_size)
    heads = {name: weight.detach().clone() for name, weight in task.heads().items()}
    for piece in ("great", "slow", "##s", "快", "好"):
        heads["masked_lm.bias"][tokenizer.pieces[piece]] = 50.0
    checkpoint.save(encoder, folder, heads=heads)
    tokenizer.save(folder)
    task.take_heads(heads)
    bundle.save(Model(encoder, task, tokenizer, 64, origin="tiny"), folder.with_name("bundle"), {})
    return folder


def test_only_training_rows_grow(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    plain, _ = prepared(tmp_path / "a", tiny_model)
    grown, lines = prepared(
        tmp_path / "b", tiny_model, 'augmentation.ways=["swap", "deletion"]', "augmentation.times=2"
    )
    for part in ("train", "dev", "test"):
        assert getattr(grown.splits, part).fingerprint() == getattr(plain.splits, part).fingerprint()
    assert grown.test.fingerprint() == plain.test.fingerprint()
    assert grown.floors.answers == plain.floors.answers  # fitted on the rows as they are
    assert grown.rows == plain.rows == len(plain.examples) == len(plain.splits.train)
    first, second = of_epoch(grown.examples, 0), of_epoch(grown.examples, 1)
    assert isinstance(grown.examples, AugmentedRounds)
    assert first[: grown.rows] == second[: grown.rows] == plain.examples
    assert 2.5 * grown.rows < len(first) <= 3 * grown.rows and first[grown.rows :] != second[grown.rows :]
    assert pickle.loads(pickle.dumps(grown.examples)).at(1) == second  # as it is sent to other processes
    (line,) = [line for line in lines if line.startswith("augmentation: ")]
    assert line.startswith(f"augmentation: {len(first) - grown.rows} rows added to {grown.rows} (deletion ")
    assert ", for example by " in line and line.endswith(
        "others in each epoch, training rows only, the floors do without"
    )
    labels = {example.target for example in first[grown.rows :]}
    assert labels == {example.target for example in plain.examples} == {0, 1}


def test_what_asks_a_model_is_made_once(tiny_model: Path, guesser: Path, tmp_path: Path) -> None:
    model = f"augmentation.model={guesser}"
    grown, lines = prepared(tmp_path, tiny_model, 'augmentation.ways=["masked_lm"]', model)
    assert isinstance(grown.examples, list) and len(grown.examples) > 1.5 * grown.rows
    assert any("; made once, training rows only" in line for line in lines)
    asked: list[str] = []

    def translated(texts: Sequence[str]) -> list[str]:
        asked.extend(texts)
        return [f"{text} again" for text in texts]

    (tmp_path / "b").mkdir()
    ways = 'augmentation.ways=["back_translation"]'
    back, _ = prepared(tmp_path / "b", tiny_model, ways, translate=(translated, translated))
    assert len(back.examples) == 2 * back.rows
    assert len(asked) == 2 * back.rows and asked[: back.rows] == back.splits.train.column("text")


def test_once_if_somebody_says_so(tiny_model: Path, tmp_path: Path) -> None:
    grown, _ = prepared(tmp_path, tiny_model, 'augmentation.ways=["swap"]', "augmentation.anew=false")
    assert isinstance(grown.examples, list) and len(grown.examples) > 1.5 * grown.rows


def test_the_rows_that_are_known_decide_the_rate(tiny_model: Path, tmp_path: Path) -> None:
    grown, _ = prepared(tmp_path, tiny_model, 'augmentation.ways=["swap"]', "augmentation.times=16")
    assert len(of_epoch(grown.examples, 0)) > 4 * grown.rows
    extent = train.Extent.of(grown)
    assert extent.rows == grown.rows
    tokens = sum(len(sequence) for one in grown.examples.at(0) for sequence in one.sequences)
    weights = sum(one.numel() for one in grown.start.encoder.layers.parameters())
    assert extent.epoch_compute == 6.0 * weights * tokens


def test_entities_are_learned_where_they_stand_now(tiny_model: Path) -> None:
    names = {"good food and very fast service": ("food", "service"), "服务很好，手机非常快，很满意": ("手机", "服务")}
    entities = {
        text: [{"start": text.index(one), "end": text.index(one) + len(one), "label": "thing"} for one in found]
        for text, found in names.items()
    }
    rows = Rows([{"text": text, "entities": found} for text, found in entities.items()], kind="tagging")
    ways = tuple(name for name, way in WAYS.classes().items() if way.local and not way.asks_model)
    maker = make_augmenter(Augmentation(ways=ways, times=8, strength=0.4), "tagging", 0)
    assert maker is not None
    added = maker.added(rows)
    task, tokenizer = TASKS.get("tagging").from_rows(rows, {}), Tokenizer.from_folder(tiny_model)
    examples = task.encode(list(added.rows), tokenizer, 64)
    assert len(examples) == 16
    for example, origin in zip(examples, added.origins, strict=True):
        offsets = example.units.offsets
        found = [example.text[offsets[span.start][0] : offsets[span.end][1]] for span in example.target]
        assert sorted(found) == sorted(names[rows[origin]["text"]])


class Cut(Hook):
    """Ends a training as a power cut does."""

    def __init__(self, after: int) -> None:
        self._after = after

    def after_step(self, step: Step) -> None:
        if step.number == self._after:
            raise InterruptedError


def test_resumed_equals_one_go(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write(tmp_path / "data.csv", 60)
    given = {**FAST, "augmentation.ways": ["swap", "deletion"]}
    options = {"model": str(tiny_model), "settings": given, "say": lambda line: None}
    whole = bertie.train(data, out=tmp_path / "whole", **options)
    steps = json.loads((tmp_path / "whole" / "run" / "log.jsonl").read_text().splitlines()[-1])["step"]
    with monkeypatch.context() as patch:
        patch.setattr(train, "reporters", lambda *given: [Cut(steps - 1)])
        with pytest.raises(InterruptedError):
            bertie.train(data, out=tmp_path / "cut", **options)
    with pytest.raises(UsageError, match=r"whose augmentation\.strength was 0\.1, now it is 0\.2"):
        other = {**given, "augmentation.strength": 0.2}
        bertie.train(data, out=tmp_path / "cut", resume=True, **{**options, "settings": other})
    resumed = bertie.train(data, out=tmp_path / "cut", resume=True, **options)
    sums = [json.loads((one.folder / "checksums.json").read_text()) for one in (whole, resumed)]
    for name in ("model/model.safetensors", "head.safetensors"):
        assert sums[0][name] == sums[1][name]
    assert "augmentation: " in (whole.folder / "report.html").read_text(encoding="utf-8")
    assert 'ways = [\n    "swap",\n    "deletion",\n]' in (whole.folder / "recipe.toml").read_text(encoding="utf-8")


def test_what_is_wrong_is_said_before_anything_is_lost(tiny_model: Path, tmp_path: Path) -> None:
    for overrides, error, match in (
        (['augmentation.ways=["spin"]'], UsageError, "way of augmentation 'spin' does not exist; choose one of"),
        (["augmentation.strength=2"], ConfigError, "strength is 2.0, expected more than 0"),
        (['augmentation.ways=["masked_lm"]'], UsageError, "name one with augmentation"),
        (['augmentation.ways=["back_translation"]'], UsageError, "give them in Python"),
        (['augmentation.ways=["synonym"]', "augmentation.synonyms=none.txt"], DataError, "none.txt: cannot be read"),
        (['augmentation.ways=["masked_lm"]', f"augmentation.model={tiny_model}"], UsageError, "has no masked-LM head"),
    ):
        with pytest.raises(error, match=match):
            prepared(tmp_path, tiny_model, *overrides)
    assert not (tmp_path / "m").exists()
    tags = tmp_path / "tags.jsonl"
    row = {"text": "good food", "entities": [{"start": 5, "end": 9, "label": "x"}]}
    tags.write_text("\n".join([json.dumps(row)] * 30), encoding="utf-8")
    request = TrainRequest(
        data=str(tags), dev=str(tags), model=str(tiny_model), out=tmp_path / "m", translate=(list, list)
    )
    recipe = TrainRequest(data="", overrides=('augmentation.ways=["back_translation"]',)).settings()
    with (
        RunFolder(tmp_path / "m" / "run") as entered,
        pytest.raises(
            UsageError, match=r"back_translation, .* tagging rows would lose their places in it; take some of"
        ),
    ):
        prepare(request, recipe, entered, Notes(lambda line: None))


def test_a_file_of_synonyms(tmp_path: Path) -> None:
    path = tmp_path / "own.txt"
    path.write_text("\ufeff" + SYNONYMS + "\n便宜、实惠，划算\na lot; many\n", encoding="utf-8")
    groups = [["food", "meal"], ["服务", "招待"], ["good", "great"], ["便宜", "实惠", "划算"], ["a lot", "many"]]
    assert read_synonyms(path) == groups
    path.write_text(SYNONYMS, encoding="gb18030")
    assert read_synonyms(path) == groups[:3]
    path.write_text("good\n服务 招待\n,\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"own\.txt:1: found 'good', expected two words or more") as caught:
        read_synonyms(path)
    assert len(caught.value.problems) == 2
    path.write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(DataError, match="found no words"):
        read_synonyms(path)
    assert make_augmenter(Augmentation(), "labels", 0) is None


def test_blanks_are_filled_with_whole_words(guesser: Path) -> None:
    asked = [["the ", " was ", ""], ["服务", "很"], ["none at all"]]
    for name in (guesser, guesser.with_name("bundle")):
        first, second, third = fill_of(str(name))(asked)
        assert (len(first), len(second), len(third)) == (2, 1, 0)
        for blank in (*first, *second):
            assert {text for text, _ in blank} == {"great", "slow", "快", "好"}  # ##s is no word
            assert all(0.0 < score < 1.0 for _, score in blank)


def test_a_bundle_that_fills_no_blanks_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    save_tiny(ROWS, tiny_model, tmp_path / "m")
    with pytest.raises(UsageError, match="is a bundle of classification, which fills no blanks"):
        fill_of(str(tmp_path / "m"))


MINE = '''"""Words in capitals."""
from bertie.text.augmentation.base import Edit, WordWay


class Louder(WordWay):
    name = "louder"
    about = "one word is shouted"

    def of(self, draft, found):
        word = draft.random.choice(found)
        return [Edit(word.start, word.end, word.text.upper())]
'''


def test_a_way_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WAYS, "_classes", dict(WAYS.classes()))  # other tests ask for all of them
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    (tmp_path / "a.csv").write_text("text,label\ngood food,a\n好吃,b\n", encoding="utf-8")
    target = tmp_path / "b.csv"
    more = ["--with", str(tmp_path / "mine.py"), "data", "augment", str(tmp_path / "a.csv"), str(target)]
    assert run([*more, "--way", "louder"]) == 0
    assert [row["text"] for row in read_rows(target)][2:] in (["GOOD food"], ["good FOOD"])


def test_a_file_with_more_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = write(tmp_path / "a.csv", 20), tmp_path / "b.jsonl"
    (tmp_path / "own.txt").write_text(SYNONYMS, encoding="utf-8")
    more = ["--way", "synonym", "--way", "homophone", "--synonyms", str(tmp_path / "own.txt"), "--times", "2"]
    assert run(["data", "augment", str(source), str(target), *more]) == 0
    said = capsys.readouterr().err
    before, after = read_rows(source), read_rows(target)
    assert list(after)[:20] == list(before) and 20 < len(after) <= 60
    assert f"{target}: {len(after) - 20} rows added to 20 (" in said and "copies would judge" in said
    assert run(["data", "augment", str(source), str(source), "--way", "swap"]) == 2
    assert run(["data", "augment", str(source), str(target)]) == 2
    assert "name one or more, such as --way synonym" in capsys.readouterr().err
    assert run(["data", "augment", str(source), str(target), "--way", "swap", "--strength", "0"]) == 2
    assert "strength is 0.0, expected more than 0" in capsys.readouterr().err


def test_a_task_says_what_rows_are_to_be_more_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "a.csv", tmp_path / "b.jsonl"
    source.write_text("text\nthe food was good\nthe film was very slow\n", encoding="utf-8")
    assert run(["data", "augment", str(source), str(target), "--way", "swap"]) == 2
    assert "no column is the label" in capsys.readouterr().err and not target.exists()
    assert run(["data", "augment", str(source), str(target), "--way", "swap", "--task", "embedding"]) == 0
    assert [list(row) for row in read_rows(target, kind="embedding")] == [["text"]] * 4
