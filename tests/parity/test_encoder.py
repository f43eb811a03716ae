"""Our encoder against transformers: states, gradients, attention weights, and the way there and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from torch import Tensor

from bertie.nn import checkpoint
from bertie.nn.encoder import Encoder
from bertie.nn.families import FAMILIES
from bertie.nn.translation import to_foreign
from tests.parity.families import CASES, LENGTH, batch, saved

SEGMENTED = ("bert", "electra", "albert", "ernie")
pytestmark = pytest.mark.parity
every_case = pytest.mark.parametrize("case", CASES)


def segments(case: str) -> dict[str, Tensor]:
    """Segment ids for the families that have them."""
    if not case.startswith(SEGMENTED):
        return {}
    ids = torch.zeros(3, LENGTH, dtype=torch.long)
    ids[:, 3:] = 1
    return {"token_type_ids": ids}


def close(ours: Tensor, theirs: Tensor, within: float = 1e-4) -> None:
    torch.testing.assert_close(ours, theirs, atol=within, rtol=within)


@every_case
def test_states_equal_on_padded_batches(case: str, tmp_path: Path) -> None:
    theirs = saved(case, tmp_path)
    inputs = batch(theirs) | segments(case)
    loaded = checkpoint.load(tmp_path)
    assert loaded.report.unknown == ()
    with torch.no_grad():
        close(loaded.encoder(**inputs), theirs(**inputs).last_hidden_state)
        whole = {"input_ids": inputs["input_ids"][:1]}
        close(loaded.encoder(**whole), theirs(**whole).last_hidden_state)


@every_case
def test_all_states_and_attention_weights_equal(case: str, tmp_path: Path) -> None:
    theirs = saved(case, tmp_path)
    inputs = batch(theirs)
    ours = checkpoint.load(tmp_path).encoder
    with torch.no_grad():
        expected = theirs(**inputs, output_attentions=True, output_hidden_states=True)
        states, weights = ours.hidden_states(**inputs), ours.attentions(**inputs)
    assert len(weights) == len(expected.attentions)
    for mine, other in zip(weights, expected.attentions, strict=True):
        close(mine, other)
    assert len(states) == ours.config.layers + 1
    for mine, other in zip(states[:-1], expected.hidden_states[-len(states) : -1], strict=True):
        close(mine, other)
    close(states[-1], expected.last_hidden_state)


@every_case
def test_gradients_equal(case: str, tmp_path: Path) -> None:
    theirs = saved(case, tmp_path)
    inputs = batch(theirs)
    ours = checkpoint.load(tmp_path).encoder
    direction = torch.randn(3, LENGTH, ours.config.hidden_size, generator=torch.Generator().manual_seed(1))
    real = inputs["attention_mask"][..., None]
    (ours(**inputs) * direction * real).sum().backward()
    (theirs(**inputs).last_hidden_state * direction * real).sum().backward()
    mine = {name: parameter.grad for name, parameter in ours.named_parameters() if parameter.grad is not None}
    foreign = to_foreign(FAMILIES[ours.config.family], mine, prefixed=False)
    compared = [(foreign[name], other.grad) for name, other in theirs.named_parameters() if other.grad is not None]
    assert len(compared) == len(foreign)
    for gradient, other in compared:
        close(gradient, other, within=1e-3)


@every_case
def test_there_and_back_is_equal(case: str, tmp_path: Path) -> None:
    theirs = saved(case, tmp_path / "theirs")
    loaded = checkpoint.load(tmp_path / "theirs")
    checkpoint.save(loaded.encoder, tmp_path / "ours", heads=loaded.heads)
    back = transformers.AutoModel.from_pretrained(tmp_path / "ours", attn_implementation="eager").eval()
    assert type(back) is type(theirs)
    inputs = batch(theirs) | segments(case)
    with torch.no_grad():
        close(back(**inputs).last_hidden_state, theirs(**inputs).last_hidden_state, within=1e-5)
    before, after = theirs.state_dict(), back.state_dict()
    assert before.keys() == after.keys()
    for name in before:
        assert torch.equal(before[name], after[name]), name
    assert checkpoint.load_config(tmp_path / "ours") == loaded.encoder.config


@every_case
@pytest.mark.parametrize("kind", ["ForMaskedLM", "ForSequenceClassification"])
def test_encoder_is_found_under_a_head(case: str, kind: str, tmp_path: Path) -> None:
    theirs = saved(case, tmp_path, kind)
    inputs = batch(theirs)
    loaded = checkpoint.load(tmp_path)
    assert loaded.report.unknown == ()
    assert any(name.startswith("masked_lm" if kind == "ForMaskedLM" else "classifier") for name in loaded.heads)
    with torch.no_grad():
        close(loaded.encoder(**inputs), theirs.base_model(**inputs).last_hidden_state)


@every_case
def test_a_random_encoder_of_ours_loads_there(case: str, tmp_path: Path) -> None:
    saved(case, tmp_path / "theirs")
    torch.manual_seed(0)
    ours = Encoder(checkpoint.load_config(tmp_path / "theirs")).eval()
    checkpoint.save(ours, tmp_path / "ours", extra_config={"id2label": {"0": "no", "1": "yes"}})
    theirs = transformers.AutoModel.from_pretrained(tmp_path / "ours", attn_implementation="eager").eval()
    inputs = batch(theirs)
    with torch.no_grad():
        close(ours(**inputs), theirs(**inputs).last_hidden_state)
    assert theirs.config.id2label == {0: "no", 1: "yes"}
