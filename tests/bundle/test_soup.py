"""A soup is one model, its weights the mean of the members'; what does not fit is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bertie.bundle import folder as bundle
from bertie.bundle.folder import Model
from bertie.bundle.soup import soup
from bertie.core.errors import UsageError
from bertie.data.rows import Rows
from bertie.predict import Predictor, load
from bertie.tuning.base import Method, additions
from bertie.tuning.full import Full
from bertie.tuning.houlsby import Houlsby
from bertie.tuning.lora import Lora
from tests.bundle.making import ROWS, tiny_model_of


def trained(model: Path, seed: int, method: Method | None = None) -> Model:
    """As after a training: every weight that the method trains has moved."""
    made = tiny_model_of(ROWS, model)
    method = method or Full()
    method.apply(made.encoder)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in [p for p in [*made.encoder.parameters(), *made.task.parameters()] if p.requires_grad]:
            weight.add_(0.05 * torch.randn(weight.shape, generator=generator))
    return replace(made, tuning=method, golden=[])


def scores(model: Model, rows: Sequence[dict[str, str]] = ROWS) -> torch.Tensor:
    return torch.tensor([list(a["scores"].values()) for a in Predictor(model).predict(list(rows))])


def test_each_weight_is_the_mean(tiny_model: Path) -> None:
    members = [trained(tiny_model, seed) for seed in range(3)]
    states = [{**m.encoder.state_dict(), **m.task.state_dict()} for m in members]
    expected = {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}
    mixed = soup(members)
    found = {**mixed.encoder.state_dict(), **mixed.task.state_dict()}
    assert found.keys() == expected.keys()
    assert all(torch.allclose(found[name], expected[name], atol=1e-6) for name in found)


def test_of_one_model_thrice_it_is_that_model(tiny_model: Path) -> None:
    alone = scores(trained(tiny_model, 1))
    assert torch.allclose(scores(soup(trained(tiny_model, 1) for _ in range(3))), alone, atol=1e-6)


def test_low_rank_products_are_merged_before(tiny_model: Path, tmp_path: Path) -> None:
    members = [trained(tiny_model, seed, Lora()) for seed in range(2)]
    name = "layers.0.attention.query"
    merged = [member.encoder.get_submodule(name).merged() for member in members]  # type: ignore[operator]
    mixed = soup(members)
    layer = mixed.encoder.get_submodule(name)
    assert type(layer) is torch.nn.Linear
    assert torch.allclose(layer.weight, (merged[0] + merged[1]) / 2, atol=1e-6)
    before = scores(mixed)
    bundle.save(mixed, tmp_path / "m", {})
    assert torch.allclose(scores(load(tmp_path / "m").model), before, atol=1e-6)


def test_what_was_added_and_cannot_be_merged_is_averaged_too(tiny_model: Path, tmp_path: Path) -> None:
    members = [trained(tiny_model, seed, Houlsby(size=4)) for seed in range(2)]
    added = [{name: t.clone() for name, t in additions(member.encoder).items()} for member in members]
    mixed = soup(members)
    found = additions(mixed.encoder)
    assert found and not torch.equal(*(next(iter(one.values())) for one in added))
    assert all(torch.allclose(found[name], (added[0][name] + added[1][name]) / 2, atol=1e-6) for name in found)
    before = scores(mixed)
    bundle.save(mixed, tmp_path / "m", {})
    assert torch.allclose(scores(load(tmp_path / "m").model), before, atol=1e-6)


def test_models_of_other_labels_or_methods_are_refused(tiny_model: Path) -> None:
    others = Rows([{**row, "label": f"{row['label']}!"} for row in ROWS])
    with pytest.raises(UsageError, match=r"what they answer differ: .*negative"):
        soup([trained(tiny_model, 0), tiny_model_of(others, tiny_model)])
    with pytest.raises(UsageError, match=r"the tuning methods differ: Full.*Lora"):
        soup([trained(tiny_model, 0), trained(tiny_model, 0, Lora())])
