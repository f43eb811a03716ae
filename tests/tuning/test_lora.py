"""LoRA with its variants: starts as what it replaces, trains only itself, merges, and travels in a bundle."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import bertie
from bertie.core.errors import ConfigError, UsageError
from bertie.tuning.base import additions, trained
from bertie.tuning.lora import Lora
from bertie.workflow.export import run_export
from tests.tuning.encoders import KINDS, batch, moved, tiny
from tests.workflow.rows import write

EVERYWHERE = ("query", "key", "value", "attention_output", "feed_forward_input", "feed_forward_output")
VARIANTS = {
    "plain": Lora(rank=3),
    "dora": Lora(rank=3, dora=True, targets=EVERYWHERE),
    "rslora": Lora(rank=4, rslora=True, targets=EVERYWHERE),
}
SILENT = {"say": lambda line: None}


@pytest.mark.parametrize("family", KINDS)
@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_it_starts_as_the_base_and_merges_to_what_it_became(variant: str, family: str) -> None:
    encoder, method, text = tiny(family), VARIANTS[variant], batch()
    before = encoder(*text)
    own = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    method.apply(encoder)
    torch.testing.assert_close(encoder(*text), before, atol=1e-5, rtol=0)
    moved(encoder)
    assert (encoder(*text) - before).abs().max() > 0.01
    torch.testing.assert_close(method.merge(encoder)(*text), encoder(*text), atol=1e-5, rtol=1e-5)
    assert all(torch.equal(encoder.state_dict()[name], tensor) for name, tensor in own.items())
    assert additions(encoder).keys() == set(trained(encoder))


def test_the_scale_is_that_of_the_papers() -> None:
    assert Lora(rank=16, alpha=8).scaling == 0.5
    assert Lora(rank=16, alpha=8, rslora=True).scaling == 2.0


def test_only_low_rank_matrices_get_gradients_and_frozen_weights_none() -> None:
    encoder = tiny("bert")
    Lora(rank=2).apply(encoder)
    moved(encoder)(*batch()).square().sum().backward()
    got = {name for name, parameter in encoder.named_parameters() if parameter.grad is not None}
    assert got == {f"layers.{n}.attention.{m}.lora_{x}" for n in range(3) for m in ("query", "value") for x in "ab"}


@pytest.mark.parametrize(
    ("method", "settings", "says"),
    [
        ("lora", {"rank": 33}, "tuning.rank is 33, the encoder's matrices have a rank of at most 32; take less"),
        ("adalora", {"rank": 8, "first_rank": 40}, "tuning.first_rank is 40, the encoder's matrices have a rank"),
        ("top_layers", {"layers": 3}, "tuning.layers is 3, the encoder has 2"),
    ],
)
def test_what_is_larger_than_the_encoder_is_refused_before_anything_is_computed(
    method: str, settings: dict[str, int], says: str, tiny_model: Path, tmp_path: Path
) -> None:
    data, said = write(tmp_path / "data.csv", 40), list[str]()
    changed = {f"tuning.{name}": value for name, value in settings.items()}
    with pytest.raises(UsageError, match=says):
        bertie.train(data, model=str(tiny_model), method=method, settings=changed, out=tmp_path / "m", say=said.append)
    assert not any("trained" in line or "tuning:" in line for line in said)
    assert not (tmp_path / "m").exists()


def test_settings_that_make_no_sense_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "data.csv", 40)
    once = {"model": str(tiny_model), "out": tmp_path / "m", **SILENT}
    with pytest.raises(ConfigError, match="rank is 0"):
        bertie.train(data, method="lora", settings={"tuning.rank": 0}, **once)
    with pytest.raises(ConfigError, match="unknown setting 'ranks'; there are alpha, dora"):
        bertie.train(data, method="lora", settings={"tuning.ranks": 4}, **once)
    with pytest.raises(UsageError, match="tuning method 'lorra' does not exist; choose one of"):
        bertie.train(data, method="lorra", **once)


def test_from_training_to_answers_and_out_again(tiny_model: Path, tmp_path: Path) -> None:
    data, lines = write(tmp_path / "data.csv", 200), list[str]()
    settings = {"training.epochs": 3, "training.optimizer.rate": 1e-2, "tuning.rank": 4, "tuning.dora": True}
    result = bertie.train(
        data, model=str(tiny_model), method="lora", out=tmp_path / "m", settings=settings, say=lines.append
    )
    said = next(line for line in lines if line.startswith("tuning: lora"))
    assert "layers.0-1.attention.query.lora_a" in said
    assert html.escape(said, quote=False).replace("'", "&#39;") in (tmp_path / "m/report.html").read_text("utf-8")
    assert result.evaluation["primary"]["value"] >= 0.8
    description = json.loads((tmp_path / "m/bundle.json").read_text("utf-8"))["tuning"]
    assert (description["name"], description["settings"]["rank"]) == ("lora", 4)
    added = load_file(tmp_path / "m/tuning.safetensors")
    assert any(tensor.abs().max() > 0 for name, tensor in added.items() if name.endswith("lora_b"))
    state = bertie.load(tmp_path / "m").model.encoder.state_dict()
    base = load_file(tiny_model / "model.safetensors")
    assert not any("lora" in name for name in state)
    changed = {
        name for name in base if not torch.equal(base[name], load_file(tmp_path / "m/model/model.safetensors")[name])
    }
    assert changed == {f"encoder.layer.{n}.attention.self.{m}.weight" for n in range(2) for m in ("query", "value")}
    assert "logits within" in run_export(tmp_path / "m", "huggingface", tmp_path / "hf")
    assert bertie.evaluate(tmp_path / "m", data)["primary"]["value"] >= 0.8


def test_a_resume_is_of_the_same_method_and_settings(tiny_model: Path, tmp_path: Path) -> None:
    data = write(tmp_path / "data.csv", 60)
    once = {"model": str(tiny_model), "out": tmp_path / "m", **SILENT}
    settings = {"training.epochs": 1, "tuning.rank": 2}
    first = bertie.train(data, method="lora", settings=settings, **once).evaluation
    with pytest.raises(UsageError, match="whose method was 'lora', now it is 'bitfit'"):
        bertie.train(data, method="bitfit", settings={"training.epochs": 1}, resume=True, **once)
    with pytest.raises(UsageError, match=r"whose tuning.rank was 2, now it is 4"):
        bertie.train(data, method="lora", settings={**settings, "tuning.rank": 4}, resume=True, **once)
    again = bertie.train(data, method="lora", settings=settings, resume=True, **once).evaluation
    assert again["metrics"] == first["metrics"]
