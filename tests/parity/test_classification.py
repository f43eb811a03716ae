"""An exported classifier gives the same logits in transformers, with and without code of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from bertie.core.errors import ModelError
from bertie.nn import checkpoint
from bertie.nn.families import FAMILIES
from bertie.nn.heads import ClassificationHead
from bertie.nn.hf_classification import save_classifier
from tests.parity.families import CASES, batch, saved

pytestmark = pytest.mark.parity
STOCK = [case for case in CASES if not case.startswith("modernbert")]
LABELS = ("bad", "fair", "good")


def export(case: str, folder: Path, pooling: str, activation: str = "tanh") -> tuple[torch.Tensor, torch.Tensor, bool]:
    """Our logits, theirs, and whether code of ours had to be trusted."""
    inputs = batch(saved(case, folder / "theirs"))
    encoder = checkpoint.load(folder / "theirs").encoder
    torch.manual_seed(5)
    head = ClassificationHead(encoder.config.hidden_size, 3, pooling=pooling, activation=activation).eval()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_(0.0, 0.3)
    how = save_classifier(encoder, head, folder / "ours", labels=LABELS)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder / "ours", trust_remote_code=how.remote_code, attn_implementation="eager"
    ).eval()
    assert type(model).__name__ == how.class_name
    assert model.config.id2label == dict(enumerate(LABELS))
    with torch.no_grad():
        return head(encoder(**inputs), inputs["attention_mask"]), model(**inputs).logits, how.remote_code


@pytest.mark.parametrize("case", STOCK)
def test_pooler_is_the_stock_class(case: str, tmp_path: Path) -> None:
    family = FAMILIES[case.split(maxsplit=1)[0]]
    ours, theirs, remote = export(case, tmp_path, "pooler", family.pooler_activation or "")
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert not remote


@pytest.mark.parametrize("case", STOCK)
def test_first_token_is_the_stock_class(case: str, tmp_path: Path) -> None:
    ours, theirs, remote = export(case, tmp_path, "first")
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert not remote


@pytest.mark.parametrize("pooling", ["mean", "attention"])
@pytest.mark.parametrize("case", CASES)
def test_other_poolings_bring_their_code(case: str, pooling: str, tmp_path: Path) -> None:
    ours, theirs, remote = export(case, tmp_path, pooling)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert remote


@pytest.mark.parametrize("case", ["bert", "roberta", "electra", "distilbert", "albert"])
def test_a_stock_classifier_comes_in(case: str, tmp_path: Path) -> None:
    theirs = saved(case, tmp_path, "ForSequenceClassification", num_labels=3)
    inputs = batch(theirs)
    loaded = checkpoint.load(tmp_path)
    activation = FAMILIES[loaded.encoder.config.family].pooler_activation
    head = ClassificationHead(24, 3, pooling="pooler", activation=activation or "").eval()
    head.pooling.dense.load_state_dict({p: loaded.heads[f"pooler.dense.{p}"] for p in ("weight", "bias")})
    head.output.load_state_dict({p: loaded.heads[f"classifier.{p}"] for p in ("weight", "bias")})
    with torch.no_grad():
        torch.testing.assert_close(head(loaded.encoder(**inputs)), theirs(**inputs).logits, atol=1e-4, rtol=1e-4)


def test_code_is_not_run_unasked(tmp_path: Path) -> None:
    """The trap: a stock model_type would load a random pooler and only warn."""
    export("bert", tmp_path, "mean")
    with pytest.raises(ValueError, match="trust_remote_code"):
        AutoModelForSequenceClassification.from_pretrained(tmp_path / "ours", trust_remote_code=False)


def test_our_loader_reads_the_export(tmp_path: Path) -> None:
    export("bert", tmp_path, "mean")
    again = checkpoint.load(tmp_path / "ours")
    assert set(again.report.unknown) == {"output.weight", "output.bias"}


def test_labels_and_outputs_must_agree(tmp_path: Path) -> None:
    saved("bert", tmp_path)
    encoder = checkpoint.load(tmp_path).encoder
    with pytest.raises(ModelError, match=r"2 labels .* 3 outputs"):
        save_classifier(encoder, ClassificationHead(24, 3), tmp_path / "out", labels=("a", "b"))
