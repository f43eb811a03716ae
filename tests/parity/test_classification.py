"""An exported classifier gives the same logits in transformers, with and without code of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from bertie.core.errors import ModelError
from bertie.nn import checkpoint
from bertie.nn.families import FAMILIES
from bertie.nn.heads import POOLINGS, ClassificationHead
from bertie.nn.hf_classification import ExportedClassifier, load_classifier, save_classifier
from tests.parity.families import CASES, batch, saved

pytestmark = pytest.mark.parity
STOCK = [case for case in CASES if not case.startswith("modernbert")]
LONGER = [case for case in STOCK if not case.startswith("albert")]
"""Where one more layer can compute the mean."""
LABELS = ("bad", "fair", "good")


def export(
    case: str,
    folder: Path,
    pooling: str,
    *,
    normalise: bool = False,
    activation: str = "tanh",
    attention: str = "eager",
) -> tuple[Tensor, Tensor, ExportedClassifier]:
    """Our logits, theirs, and how theirs were loaded; three rows padded, and the first row again without a mask."""
    inputs = batch(saved(case, folder / "theirs"))
    encoder = checkpoint.load(folder / "theirs").encoder
    torch.manual_seed(5)
    head = ClassificationHead(
        encoder.config.hidden_size, 3, pooling=pooling, normalise=normalise, activation=activation
    ).eval()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_(0.0, 0.3)
    how = save_classifier(encoder, head, folder / "ours", labels=LABELS)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder / "ours", trust_remote_code=how.remote_code, attn_implementation=attention
    ).eval()
    assert type(model).__name__ == how.class_name
    assert model.config.id2label == dict(enumerate(LABELS))
    whole = inputs["input_ids"][:1]
    with torch.no_grad():
        ours = torch.cat([head(encoder(**inputs), inputs["attention_mask"]), head(encoder(whole))])
        return ours, torch.cat([model(**inputs).logits, model(input_ids=whole).logits]), how


@pytest.mark.parametrize("case", STOCK)
def test_pooler_is_the_stock_class(case: str, tmp_path: Path) -> None:
    family = FAMILIES[case.split(maxsplit=1)[0]]
    ours, theirs, how = export(case, tmp_path, "pooler", activation=family.pooler_activation or "")
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert not how.remote_code


@pytest.mark.parametrize("case", STOCK)
def test_first_token_is_the_stock_class(case: str, tmp_path: Path) -> None:
    ours, theirs, how = export(case, tmp_path, "first")
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert not how.remote_code


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("case", LONGER)
def test_the_normalised_mean_is_the_stock_class_with_one_more_layer(case: str, attention: str, tmp_path: Path) -> None:
    ours, theirs, how = export(case, tmp_path, "mean", normalise=True, attention=attention)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert how.pooling_layer and not how.remote_code


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("case", ["bert", "albert", "modernbert"])
def test_any_pooling_may_be_normalised(case: str, pooling: str, tmp_path: Path) -> None:
    ours, theirs, how = export(case, tmp_path, pooling, normalise=True)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert how.remote_code == (case != "bert" or pooling != "mean")


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("case", ["bert", "roberta", "distilbert", "electra", "albert", "modernbert"])
def test_an_export_comes_back_with_its_head(case: str, normalise: bool, pooling: str, tmp_path: Path) -> None:
    ours, _, how = export(case, tmp_path, pooling, normalise=normalise)
    inputs = batch(saved(case, tmp_path / "theirs"))
    encoder, head = load_classifier(tmp_path / "ours")
    with torch.no_grad():
        logits = head(encoder(**inputs), inputs["attention_mask"])
    torch.testing.assert_close(logits, ours[:3], atol=1e-4, rtol=1e-4)
    started = checkpoint.load(tmp_path / "theirs").encoder.config
    assert encoder.config.layers == started.layers + how.pooling_layer


@pytest.mark.parametrize("case", LONGER)
def test_training_starts_from_an_export_without_its_pooling_layer(case: str, tmp_path: Path) -> None:
    export(case, tmp_path, "mean", normalise=True)
    before, after = (checkpoint.load(tmp_path / name).encoder for name in ("theirs", "ours"))
    assert after.config == before.config == checkpoint.load_config(tmp_path / "ours")
    for name, tensor in before.state_dict().items():
        assert torch.equal(tensor, after.state_dict()[name]), name


@pytest.mark.parametrize("pooling", ["mean", "attention"])
@pytest.mark.parametrize("case", CASES)
def test_other_poolings_bring_their_code(case: str, pooling: str, tmp_path: Path) -> None:
    ours, theirs, how = export(case, tmp_path, pooling)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert how.remote_code


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


def test_adapters_have_to_be_merged_first(tmp_path: Path) -> None:
    saved("bert", tmp_path)
    encoder = checkpoint.load(tmp_path).encoder
    encoder.layers[0].attention.query.adapter = torch.nn.Linear(24, 2)
    with pytest.raises(ModelError, match=r"query\.adapter\.bias.* merge adapters first"):
        save_classifier(encoder, ClassificationHead(24, 3, normalise=True), tmp_path / "out", labels=LABELS)
