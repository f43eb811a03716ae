"""What trials share: settings that cannot be are refused at once, what a person has named stays, copies cannot help."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bertie.core.errors import UsageError
from bertie.trials.field import Field
from bertie.trials.publication import Finished, _build, _costs
from bertie.trials.request import SearchRequest
from bertie.trials.space import Variation
from bertie.trials.trial import room
from bertie.workflow.preparation import Notes
from tests.workflow.rows import write


def field_of(data: Path, model: Path, *overrides: str, said: list[str] | None = None) -> Field:
    request = SearchRequest(data=str(data), model=str(model), overrides=overrides)
    field = Field.of(request, Notes([].append if said is None else said.append))
    field.settle([str(model)], [str(model)], "float32")
    return field


def test_wrong_settings_are_refused_before_any_trial(tiny_model: Path, tmp_path: Path) -> None:
    data, said = write(tmp_path / "data.csv", 60), list[str]()
    with pytest.raises(UsageError, match="typo"):
        field_of(data, tiny_model, "training.regularization.name=typo")
    with pytest.raises(UsageError, match="mixup"):
        field_of(write(tmp_path / "several.csv", 60, "several"), tiny_model, "training.regularization.name=mixup")
    deep = field_of(data, tiny_model, "method=lora", "tuning.rank=64")
    with pytest.raises(UsageError, match=r"tuning.rank is 64, the encoder's matrices have a rank of at most 32"):
        deep.ground(str(tiny_model))
    field_of(data, tiny_model, "training.regularization.name=fgm", said=said)
    assert any("fgm" in line for line in said)


@pytest.mark.parametrize(
    ("override", "fixed"), [("task.dropout=0.3", "dropout"), ("task.loss=focal", "label_smoothing")]
)
def test_what_a_person_has_named_is_not_varied(override: str, fixed: str, tiny_model: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "data.csv", 60)
    usual, named = (field_of(data, tiny_model, *more).varied for more in ((), (override,)))
    assert {"dropout", "label_smoothing"} <= set(usual)
    assert fixed not in named and {"dropout", "label_smoothing"} - {fixed} <= set(named)


def test_copies_of_a_row_leave_no_less_room(tiny_model: Path, tmp_path: Path) -> None:
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghij", k=8)) for _ in range(80)]
    lines = [f"{word},{rng.choice(['yes', 'no'])}" for word in words]
    (tmp_path / "data.csv").write_text("\n".join(["text,label", *lines, *lines]), encoding="utf-8")
    found = room(field_of(tmp_path / "data.csv", tiny_model))
    assert found is not None and found.value < 0.7, "labels at random cannot be told"
    assert room(field_of(tmp_path / "data.csv", tiny_model, "training.metric=macro_f1")) is None


def test_what_cannot_be_merged_is_measured_with_it(tiny_model: Path, tmp_path: Path) -> None:
    field = field_of(write(tmp_path / "data.csv", 60), tiny_model, "method=houlsby")
    name = str(tiny_model)
    variations = [Variation(model=name), Variation(model=name, method="lora"), Variation(kind="frozen", model=name)]
    builds = [_build(field, one) for one in variations]
    assert builds == [(name, "houlsby"), (name, ""), (name, "")]
    finished = [
        Finished(one, build, tmp_path, None, None)  # type: ignore[arg-type]
        for one, build in zip(variations, builds, strict=True)
    ]
    costs = _costs(field, finished)
    assert costs[name, "houlsby"][1] > costs[name, ""][1]
