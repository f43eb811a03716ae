"""Our own encoder, as the package carries it: it loads anywhere, reads Chinese, and has learned of its teacher."""

from __future__ import annotations

import torch

from bertie.nn import checkpoint
from bertie.workflow.choose import load_start
from bertie.workflow.pretrain_start import read_teacher

TEXTS = ["物流很快，质量也不错。", "中国人民银行昨日宣布下调存款准备金率。", "他在北京大学读了四年书，后来去了上海。"]


def test_it_loads_from_the_package_alone() -> None:
    start = load_start("bertie-zh", offline=True)
    assert start.source.folder.parent.name == "models" and start.source.prefix == ""
    assert {weight.dtype for weight in start.encoder.parameters()} == {torch.float32}
    assert (start.encoder.config.layers, start.tokenizer.vocab_size) == (6, 16_000)
    assert all(start.tokenizer.unk_id not in start.tokenizer.encode(text).ids for text in TEXTS)
    heads = checkpoint.load(start.source.folder).heads
    assert any(name.startswith("masked_lm.") for name in heads)  # it can fill in, so patterns can use it


def test_its_states_compare_as_its_teachers_do() -> None:
    """Centred kernel alignment (Kornblith et al. 2019): 1 where one is a rotation of the other, whatever map lies
    between them; the map of the training is not in the package."""
    start = load_start("bertie-zh", offline=True)
    teacher = read_teacher("e5-small", start.tokenizer, 128).eval()
    read = [torch.tensor([start.tokenizer.encode(text).ids]) for text in TEXTS]
    with torch.inference_mode():
        said, taught = (torch.cat([one.eval()(ids)[0] for ids in read]) for one in (start.encoder, teacher))
    said, taught = (states - states.mean(dim=0) for states in (said, taught))
    shared = (said.T @ taught).square().sum() / ((said.T @ said).norm() * (taught.T @ taught).norm())
    assert float(shared) > 0.95  # 0.976; the same six layers untaught 0.860
