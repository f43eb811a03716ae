"""The matrix finds what is broken: each hook of a method that is taken away turns its cell red."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from torch import nn

from bertie.bundle.folder import METHODS
from bertie.core.errors import UsageError
from bertie.nn.encoder import Encoder
from bertie.nn.low_rank import LowRankLinear
from bertie.training.tuning import Tuner
from bertie.tuning.adalora import AdaLora, SingularLinear
from bertie.tuning.base import freeze
from bertie.tuning.bitfit import BitFit
from bertie.tuning.gradual_unfreezing import GradualUnfreezing
from bertie.tuning.houlsby import Houlsby
from bertie.tuning.lora import Lora
from bertie.tuning.prefix import PrefixTuning
from bertie.workflow.extension import extend
from bertie.workflow.matrix import VARIANTS, run_matrix
from bertie.workflow.matrix_table import as_json, markdown

NORMS = """
from dataclasses import dataclass
from bertie.tuning.base import Method

@dataclass(frozen=True, kw_only=True)
class Norms(Method):
    name, about = "norms", "the layer norms"

    def apply(self, encoder):
        for name, parameter in encoder.named_parameters():
            parameter.requires_grad_("norm" in name)
"""


def nothing(*given: object) -> None:
    """Stands in for a hook."""


def test_every_method_is_in_it() -> None:
    assert {name for name, _, _ in VARIANTS.values()} == set(METHODS.classes())


@pytest.mark.parametrize("task", ["classification", "tagging"])
def test_every_method_holds(task: str) -> None:
    matrix = run_matrix(tasks=[task], families=["modernbert" if task == "tagging" else "albert"])
    assert [(cell.method, cell.faults) for cell in matrix.faults] == []
    assert len(matrix.cells) == len(VARIANTS)


def test_where_nothing_is_to_train_is_a_dash() -> None:
    matrix = run_matrix(["frozen"], ["embedding", "classification"], ["bert"])
    assert (matrix.faults, len(matrix.checked)) == ([], 1)
    assert "| frozen | - | 1/1 |" in markdown(matrix)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="no family 'gpt'; choose of bert"):
        run_matrix(families=["gpt"])


def _all_is_trained(method: Lora, encoder: Encoder) -> None:
    Lora.merge(method, encoder)
    freeze(encoder, False)


def _wrong_merge(layer: LowRankLinear) -> object:
    return layer.weight + 2.0 * layer.scaling * (layer.lora_b @ layer.lora_a)


def _nothing_settled(layer: SingularLinear) -> nn.Linear:
    return nn.Linear(layer.in_features, layer.out_features)


BREAKS: list[tuple[str, type, str, Callable[..., object], str]] = [
    ("adalora", AdaLora, "after_step", nothing, "ranks: 24 are left"),
    ("adalora", AdaLora, "after_gradient", nothing, "ranks: nobody has followed"),
    ("adalora", Tuner, "begin", nothing, "ranks: nobody has followed"),
    ("adalora", SingularLinear, "settled", _nothing_settled, "merge: `settle` changes the states"),
    ("gradual_unfreezing", GradualUnfreezing, "apply", lambda self, encoder: freeze(encoder), "did not move"),
    ("lora", Lora, "apply", _all_is_trained, "gradients: also for"),
    ("lora", LowRankLinear, "merged", _wrong_merge, "merge: the states differ"),
    ("bitfit", BitFit, "apply", lambda self, encoder: freeze(encoder), "gradients: none for"),
    ("houlsby", Houlsby, "restore", nothing, "BundleError: "),
    ("prefix", PrefixTuning, "settle", nothing, "does not fit"),
]


@pytest.mark.parametrize(("method", "where", "name", "instead", "fault"), BREAKS)
def test_what_is_broken_turns_red(
    method: str, where: type, name: str, instead: Callable[..., object], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, name, instead)
    matrix = run_matrix([method], ["classification"], ["bert"])
    (cell,) = matrix.faults
    assert fault in "; ".join(cell.faults)
    page = markdown(matrix)
    assert f"| {method} | **0/1** |" in page and fault in page and "**1 failed**" in page
    assert as_json(matrix)["faults"][0]["method"] == method


def test_a_method_of_ones_own_is_checked_too(tmp_path: Path) -> None:
    file = tmp_path / "norms.py"
    file.write_text(NORMS, encoding="utf-8")
    try:
        assert extend(file) == ["norms"]
        assert run_matrix(["norms"], ["classification"], ["bert"], workers=2).faults == []
    finally:
        METHODS._classes.pop("norms", None)
