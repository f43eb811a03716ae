"""Adapters are small folders: several on one encoder, each answers as the bundle that it came from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import bertie
from bertie.bundle import adapter
from bertie.core.errors import BundleError, ModelError, UsageError
from bertie.nn import checkpoint
from bertie.nn.low_rank import LowRankLinear
from bertie.nn.peft_files import WEIGHTS, load_adapter
from bertie.predict import Predictor
from bertie.workflow import export
from bertie.workflow.export import run_export
from tests.workflow.rows import write

METHODS = {
    "lora": {"tuning.dora": True},
    "adalora": {"tuning.rank": 1, "tuning.first_rank": 2, "tuning.every": 2},
    "houlsby": {"tuning.size": 4},
    "prompt": {},
    "bitfit": {},
}
TEXTS = ["服务很好", "the food was bad", "a very slow film 42"]


def trained(method: str, model: Path, folder: Path, **more: object) -> Predictor:
    data = write(folder / f"{method}.csv", 60)
    settings = {"training.epochs": 1, "training.optimizer.rate": 1e-2, **METHODS.get(method, {}), **more}
    out = folder / f"bundle-{method}"
    return bertie.train(
        data, model=str(model), method=method, out=out, settings=settings, say=lambda line: None
    ).predictor


def test_each_answers_as_its_bundle_and_they_share_one_encoder(tiny_model: Path, tmp_path: Path) -> None:
    whole = {method: trained(method, tiny_model, tmp_path) for method in METHODS}
    small = {}
    for method in METHODS:
        said = run_export(tmp_path / f"bundle-{method}", "adapter", tmp_path / method)
        assert f"adapter on {tiny_model}" in said
        assert not (tmp_path / method / "model").exists()
        small[method] = bertie.load(tmp_path / method)
    for _ in range(2):  # in turns, as requests come: none has touched the others
        for method, predictor in small.items():
            for mine, theirs in zip(predictor.predict(TEXTS), whole[method].predict(TEXTS), strict=True):
                assert mine["scores"] == pytest.approx(theirs["scores"], abs=1e-5)
    words = {predictor.model.encoder.embeddings.word_embeddings.weight.data_ptr() for predictor in small.values()}
    assert len(words) == 1
    expected = checkpoint.load(tiny_model).encoder.state_dict()
    shared = adapter._base(tiny_model)[0].state_dict()
    assert all(torch.equal(shared[name], tensor) for name, tensor in expected.items())


def test_that_of_lora_is_a_file_of_peft(tiny_model: Path, tmp_path: Path) -> None:
    predictor = trained("lora", tiny_model, tmp_path)
    run_export(tmp_path / "bundle-lora", "adapter", tmp_path / "small")
    encoder = checkpoint.load(tiny_model).encoder
    assert load_adapter(encoder, tmp_path / "small") == []
    assert any(isinstance(module, LowRankLinear) for module in encoder.modules())
    ids = torch.tensor([[2, 5, 6, 3]])
    torch.testing.assert_close(encoder(ids), predictor.model.encoder(ids), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("several", "file"), [({"folds": 2}, WEIGHTS), ({"seeds": 2}, adapter.WEIGHTS)])
def test_that_of_several_trainings(
    several: dict[str, int], file: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refit has what LoRA added; a soup has not: the mean of products is no product of two matrices."""
    data = write(tmp_path / "data.csv", 60)
    monkeypatch.chdir(tiny_model.parent)
    settings = {"training.epochs": 1, "training.optimizer.rate": 1e-2}
    found = bertie.train(
        data,
        model=tiny_model.name,
        method="lora",
        out=tmp_path / "m",
        settings=settings,
        **several,
        say=lambda line: None,
    )
    run_export(tmp_path / "m", "adapter", tmp_path / "small")
    assert (tmp_path / "small" / file).exists()
    monkeypatch.chdir(tmp_path)  # the encoder was named from another working directory
    for mine, theirs in zip(
        found.predictor.predict(TEXTS), bertie.load(tmp_path / "small").predict(TEXTS), strict=True
    ):
        assert mine["scores"] == pytest.approx(theirs["scores"], abs=1e-4)


def test_encoders_are_compared_on_the_processor(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is a GPU, what is read again is read there."""
    trained("bitfit", tiny_model, tmp_path)
    honest, brought = export.load_torch, list[torch.nn.Module]()

    def loaded(folder: Path) -> Predictor:
        predictor = honest(folder)
        encoder = predictor.model.encoder
        monkeypatch.setattr(encoder, "cpu", lambda: brought.append(encoder) or encoder)
        return predictor

    monkeypatch.setattr(export, "load_torch", loaded)
    run_export(tmp_path / "bundle-bitfit", "adapter", tmp_path / "small")
    assert len(brought) == 1


def test_what_changed_everything_is_no_adapter(tiny_model: Path, tmp_path: Path) -> None:
    trained("full", tiny_model, tmp_path)
    with pytest.raises(UsageError, match="as large as the bundle; take the bundle"):
        run_export(tmp_path / "bundle-full", "adapter", tmp_path / "small")
    assert not (tmp_path / "small").exists()


def test_another_encoder_or_none_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    checkpoint.save(checkpoint.load(tiny_model).encoder, base)
    for file in ("vocab.txt", "tokenizer_config.json"):
        (base / file).write_bytes((tiny_model / file).read_bytes())
    trained("bitfit", base, tmp_path)
    run_export(tmp_path / "bundle-bitfit", "adapter", tmp_path / "small")
    other = checkpoint.load(tiny_model).encoder
    with torch.no_grad():
        other.embeddings.norm.bias.add_(1e-3)
    checkpoint.save(other, base)
    adapter._base.cache_clear()
    with pytest.raises(BundleError, match="was trained on other weights than those of"):
        bertie.load(tmp_path / "small")
    base.rename(tmp_path / "away")
    with pytest.raises(ModelError, match="no such folder"):
        bertie.load(tmp_path / "small")


def test_what_cannot_be_merged_is_not_exported_to_transformers(tiny_model: Path, tmp_path: Path) -> None:
    trained("prompt", tiny_model, tmp_path)
    with pytest.raises(UsageError, match="tuned by prompt, which cannot be merged"):
        run_export(tmp_path / "bundle-prompt", "huggingface", tmp_path / "hf")
