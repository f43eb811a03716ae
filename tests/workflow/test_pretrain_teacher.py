"""Pre-training of a smaller encoder that learns the states of a larger one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import bertie
from bertie.core.errors import UsageError
from bertie.nn import checkpoint
from bertie.text.tokenizer import Tokenizer
from bertie.workflow.pretrain import run_pretraining
from bertie.workflow.pretrain_request import PretrainRequest
from bertie.workflow.pretrain_start import read_teacher
from tests.workflow.test_pretrain import corpus, other, quiet

FAST = ("training.epochs=1", "max_length=32", "held_out=0.1")


def test_a_student_of_fewer_layers_is_one_command(tiny_model: Path, tmp_path: Path) -> None:
    request = PretrainRequest(
        corpus=(str(corpus(tmp_path, 30)),),
        model=str(tiny_model),
        teacher=str(tiny_model),
        general=(str(other(tmp_path)),),
        objective="masked_lm:0.5,distillation:1",
        out=tmp_path / "out",
        overrides=(*FAST, "layers=1"),
    )
    result = run_pretraining(request, quiet)
    assert checkpoint.load(result.folder / "model").encoder.config.layers == 1
    kept = json.loads((result.folder / "metrics.json").read_text(encoding="utf-8"))["held_out"]
    assert 0.0 < kept["distillation_loss"] < 1.0 and kept["distillation_accuracy"] > 0.0
    assert bertie.load(result.folder).predict(["the [MASK] was good"])[0]["candidates"]


def test_a_teacher_reads_a_part_of_its_vocabulary_as_before(tiny_model: Path, tmp_path: Path) -> None:
    source, folder = corpus(tmp_path, 30), tmp_path / "pieces"
    own = Tokenizer.from_folder(tiny_model)
    bertie.train_tokenizer(source, out=folder, size=100, model=str(tiny_model), say=quiet)
    fewer = Tokenizer.from_folder(folder)
    teacher, before = read_teacher(str(tiny_model), fewer, 32), checkpoint.load(tiny_model).encoder
    assert (teacher.config.vocab_size, fewer.vocab_size) == (100, 100)
    text = source.read_text(encoding="utf-8").splitlines()[0]
    with torch.no_grad():
        found = teacher.eval()(torch.tensor([fewer.encode(text).ids]))
        same = [[own.pieces[fewer.token(piece)] for piece in fewer.encode(text).ids]]
        torch.testing.assert_close(found, before.eval()(torch.tensor(same)))
    request = PretrainRequest(
        corpus=(str(source),),
        model=str(tiny_model),
        teacher=str(tiny_model),
        tokenizer=folder,
        general=(str(other(tmp_path)),),
        objective="masked_lm:0.1,distillation:1",
        out=tmp_path / "out",
        overrides=(*FAST, "layers=1"),
    )
    assert checkpoint.load(run_pretraining(request, quiet).folder / "model").encoder.config.vocab_size == 100


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"objective": "masked_lm,distillation"}, "distillation learns from another encoder; name it, --teacher M"),
        ({"teacher": "TINY"}, "nothing learns from it; add distillation to --objective"),
        ({"overrides": ("layers=2",)}, "layers=2 says how many of a --model are kept"),
        ({"model": "TINY", "overrides": ("layers=3",)}, "layers is 3, the encoder has 2"),
        (
            {"model": "TINY", "teacher": "TINY", "new_vocabulary": 150, "objective": "masked_lm,distillation"},
            "pieces it does not know",
        ),
        ({"teacher": "TINY", "objective": "masked_lm,distillation"}, "reads 64 tokens, a passage has up to 128"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, object], says: str, tiny_model: Path, tmp_path: Path) -> None:
    named = {key: str(tiny_model) if value == "TINY" else value for key, value in options.items()}
    request = PretrainRequest(corpus=(str(corpus(tmp_path, 8)),), out=tmp_path / "o", **named)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=says):
        run_pretraining(request, quiet)
