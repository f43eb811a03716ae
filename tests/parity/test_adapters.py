"""Adapters in the files of peft: what one writes the other reads, and both compute the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from bertie.nn import checkpoint
from bertie.nn.encoder import Encoder
from bertie.nn.low_rank import LowRankLinear
from bertie.nn.peft_files import load_adapter, save_adapter
from bertie.tuning.lora import Lora
from tests.parity.families import CASES, batch, reference
from tests.tuning.encoders import moved

peft = pytest.importorskip("peft")
pytestmark = pytest.mark.parity

VARIANTS = {"plain": {}, "dora": {"use_dora": True}, "rslora": {"use_rslora": True}}
TARGETS = {"distilbert": ["q_lin", "v_lin", "lin1"], "modernbert": ["Wqkv", "Wo"]}
ONE_OF_EACH = ["bert", "roberta", "distilbert", "electra", "albert two groups", "ernie", "modernbert biased"]
PAIRS = [(case, "dora") for case in ONE_OF_EACH] + [
    (case, variant) for case in ("bert", "modernbert biased") for variant in ("plain", "rslora")
]
"""DoRA has all parts; the others where names are plain, and where matrices are fused."""


def encoder_of(case: str, folder: Path) -> tuple[Encoder, dict[str, Tensor]]:
    """Our encoder with the reference's weights, and texts for both."""
    model = reference(case)
    model.save_pretrained(folder)
    return checkpoint.load(folder).encoder, batch(model)


def close(ours: Tensor, theirs: Tensor, mask: Tensor) -> None:
    torch.testing.assert_close(ours[mask == 1], theirs[mask == 1], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(("case", "variant"), PAIRS)
def test_an_adapter_of_theirs_computes_the_same_here(case: str, variant: str, tmp_path: Path) -> None:
    encoder, text = encoder_of(case, tmp_path / "base")
    targets = TARGETS.get(case.split(maxsplit=1)[0], ["query", "value", "dense"])
    config = peft.LoraConfig(r=3, lora_alpha=5, target_modules=targets, init_lora_weights=False, **VARIANTS[variant])
    torch.manual_seed(1)
    model = peft.get_peft_model(reference(case), config).eval()
    model.save_pretrained(tmp_path / "adapter")
    with torch.no_grad():
        theirs = model(**text).last_hidden_state
        plain = encoder(**text)
        others = load_adapter(encoder, tmp_path / "adapter")
        close(encoder(**text), theirs, text["attention_mask"])
        close(Lora().merge(encoder)(**text), theirs, text["attention_mask"])
    assert (plain - theirs).abs().max() > 1e-2
    assert all("pooler" in name for name in others)


@pytest.mark.parametrize(("case", "variant"), PAIRS)
def test_an_adapter_of_ours_computes_the_same_there(case: str, variant: str, tmp_path: Path) -> None:
    assert case in CASES
    encoder, text = encoder_of(case, tmp_path / "base")
    method = Lora(
        rank=3,
        targets=("query", "value", "feed_forward_input"),
        **{k.removeprefix("use_"): v for k, v in VARIANTS[variant].items()},
    )
    method.apply(encoder)
    moved(encoder)
    save_adapter(encoder, tmp_path / "adapter", "base")
    model = peft.PeftModel.from_pretrained(reference(case), tmp_path / "adapter").eval()
    with torch.no_grad():
        close(encoder(**text), model(**text).last_hidden_state, text["attention_mask"])
    again = checkpoint.load(tmp_path / "base").encoder
    assert load_adapter(again, tmp_path / "adapter") == []
    with torch.no_grad():
        close(again(**text), encoder(**text), text["attention_mask"])
    assert any(isinstance(module, LowRankLinear) for module in again.modules())
