"""The demo trains on files that stay, and names them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bertie.cli.app import run
from bertie.core.errors import UsageError
from bertie.data.demo import Split
from bertie.data.rows import Rows
from bertie.data.sources import load_splits
from bertie.workflow import demo
from bertie.workflow.choose import load_start
from bertie.workflow.request import TrainRequest


def rows(count: int, side: str) -> Rows:
    return Rows([{"text": f"{side} 文本 {i}", "label": "ab"[i % 2]} for i in range(count)])


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What reading the demo's files says; training itself is left out."""
    said: list[str] = []

    def read_only(request: TrainRequest, say: Any) -> Any:
        splits = load_splits(request.data)
        assert splits.train[0]["text"].startswith("train 文本")
        assert splits.test is not None
        said.extend([*splits.notes, splits.train.where(0), splits.test.where(0)])
        predictor = SimpleNamespace(predict=lambda texts: [{"label": "a"} for _ in texts])
        return SimpleNamespace(folder=request.folder, evaluation={}, predictor=predictor)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "news_en", lambda train: Split(rows(train, "train"), rows(1200, "test")))
    monkeypatch.setattr(demo, "run_training", read_only)
    monkeypatch.setattr(demo, "load_start", lambda name, offline: None)
    monkeypatch.setattr(demo, "seconds_per_text", lambda start, rows, length: 0.01)
    return said


def test_the_files_stay_in_the_output_and_are_what_messages_name(notes: list[str]) -> None:
    result = demo.run_demo("en", None, print)
    data = Path("runs/demo-en/run/data")
    assert [path.name for path in sorted(data.iterdir())] == ["test.jsonl", "train.jsonl"]
    assert any(note.startswith(f"{data}/train.jsonl: split into 180 train, 20 dev") for note in notes)
    assert not any(tempfile.gettempdir() + "/tmp" in note for note in notes)
    assert len(result.predictions) == len(demo.TEXTS["en"])
    demo.run_demo("en", None, print)


def test_rows_that_judge_meanwhile_are_not_learned_from(tmp_path: Path) -> None:
    demo.write(Split(rows(20, "train"), rows(5, "test")), tmp_path, dev=6)
    found = load_splits(str(tmp_path))
    assert found.test is not None
    assert [len(part) for part in (found.train, found.dev, found.test)] == [14, 6, 5]
    assert not set(found.train.column("text")) & set(found.dev.column("text"))


def test_it_replaces_its_own_folder_and_no_other_model(notes: list[str], tmp_path: Path) -> None:
    for place in (Path("my-model"), Path("runs/demo-en")):
        place.mkdir(parents=True)
        (place / "checksums.json").write_text("{}")
    with pytest.raises(UsageError, match="my-model: holds a model or a run, the demo replaces only its own runs/demo-"):
        demo.run_demo("en", Path("my-model"), print)
    assert [path.name for path in Path("my-model").iterdir()] == ["checksums.json"]
    demo.run_demo("en", Path.cwd() / "runs" / "demo-en", print)
    demo.run_demo("en", tmp_path / "new", print)


def test_it_writes_into_no_folder_of_somebody_else(
    notes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "fitting", lambda lang, say: pytest.fail("timed the machine for what is refused"))
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.md").write_text("x")
    with pytest.raises(UsageError, match=r"holds chapter\.md and is no bundle"):
        demo.run_demo("en", tmp_path / "thesis", print)
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.md"]


@pytest.mark.parametrize(("seconds", "length", "reviews"), [(0.001, 512, 9000), (0.09, 256, 2000), (9.0, 256, 2000)])
def test_a_slow_machine_gets_less_to_do(
    notes: list[str], seconds: float, length: int, reviews: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[TrainRequest, int]] = []
    said: list[str] = []
    learn = demo.run_training

    def remember(request: TrainRequest, say: Any) -> Any:
        asked.append((request, len(load_splits(request.data).train)))
        return learn(request, say)

    monkeypatch.setattr(demo, "reviews_zh", lambda train, test: Split(rows(train, "train"), rows(test, "test")))
    monkeypatch.setattr(demo, "run_training", remember)
    monkeypatch.setattr(demo, "seconds_per_text", lambda start, rows, length: seconds)
    for lang in ("en", "zh"):
        demo.run_demo(lang, None, said.append)
    (news, _), (shopping, learned) = asked
    assert f"max_length={length}" in news.overrides
    assert learned == reviews - 300, "the rows that judge meanwhile"
    assert {"training.epochs=1", *demo.ONCE} <= set(shopping.overrides)
    assert said == [
        f"demo: {1000 * seconds:.0f} ms a text: 200 of them to learn from, cut at {length} tokens",
        f"demo: {1000 * seconds:.0f} ms a text: {reviews} of them to learn from, cut at 128 tokens",
    ]


def test_what_does_not_fit_is_timed_once_more(notes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside another job a text took twice as long, and the demo read half of each."""
    times = iter([9.0, 0.001])
    said: list[str] = []
    monkeypatch.setattr(demo, "seconds_per_text", lambda start, rows, length: next(times))
    demo.run_demo("en", None, said.append)
    assert said == ["demo: 1 ms a text: 200 of them to learn from, cut at 512 tokens"]


def test_the_timing_is_part_of_what_the_demo_may_take(notes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[TrainRequest] = []
    learn = demo.run_training
    monkeypatch.setattr(demo, "run_training", lambda request, say: (asked.append(request), learn(request, say))[1])
    monkeypatch.setattr(demo, "time", SimpleNamespace(monotonic=iter([100.0, 120.4]).__next__))
    demo.run_demo("en", None, print)
    assert asked[0].budget == demo.BUDGET - 20


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_plans_go_from_the_most_to_the_least(lang: str) -> None:
    work = [plan.passes() * plan.max_length for plan in demo.PLANS[lang]]
    assert work == sorted(work, reverse=True)
    assert {plan.test for plan in demo.PLANS[lang]} == {1000}


def test_a_text_is_timed_with_the_model_that_learns(tiny_model: Path) -> None:
    assert 0.0 < demo.seconds_per_text(load_start(str(tiny_model)), rows(40, "train"), 16) < 10.0


def test_where_only_results_are_wanted_there_is_no_bar(notes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[TrainRequest] = []
    learn = demo.run_training
    monkeypatch.setattr(demo, "run_training", lambda request, say: (asked.append(request), learn(request, say))[1])
    assert run(["demo", "--json"]) == 0
    demo.run_demo("en", None, print)
    assert [request.settings().training.progress for request in asked] == ["never", "auto"]
