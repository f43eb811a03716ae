"""Pairs as examples: made when they are read, compared in the batch, and measured by nearest means."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bertie.data.batches import Batch
from bertie.data.label_pairs import LabelPairs
from bertie.learning.contrastive import COMPUTE, Compared, Known, PairExample, PairExamples, pair_count, wrappers
from bertie.learning.request import Contrast
from bertie.nn import checkpoint
from bertie.nn.encoder import Encoder
from bertie.nn.losses import cosine_order, cosine_targets, supervised_contrastive
from bertie.tasks.embedding import Embedding, EmbeddingSettings
from bertie.text.tokenizer import Tokenizer
from bertie.training.model import TrainingModel

TEXTS = ["good film", "great food", "bad film", "poor and slow", "慢", "很好"]
CLASSES = [0, 0, 1, 1, 1, 0]


def pairs_of(model: Path, count: int = 12) -> tuple[Encoder, Embedding, PairExamples, Batch]:
    tokenizer, encoder = Tokenizer.from_folder(model), checkpoint.load(model).encoder.eval()
    task = Embedding(prefix="", settings=EmbeddingSettings(temperature=0.1))
    task.build_head(encoder.config.hidden_size)
    examples = PairExamples(tokenizer.encode_batch(TEXTS), CLASSES, LabelPairs(CLASSES, count, 0))
    return encoder, task, examples, task.collate(examples[:], tokenizer.pad_id)


def test_a_pair_carries_its_texts_and_what_they_are(tiny_model: Path) -> None:
    _, _, examples, batch = pairs_of(tiny_model)
    assert len(examples) == batch.rows == 12 and batch.input_ids.shape[0] == 24
    for one in examples:
        assert isinstance(one, PairExample)
        assert one.target == float(one.classes[0] == one.classes[1])
        assert one.classes == (CLASSES[one.rows[0]], CLASSES[one.rows[1]])
    assert batch.targets is not None and batch.targets.tolist() == [one.target for one in examples]


@pytest.mark.parametrize("loss", ["supervised", "cosine", "order"])
def test_the_step_is_the_loss_of_what_the_encoder_makes_of_the_pairs(loss: str, tiny_model: Path) -> None:
    encoder, task, examples, batch = pairs_of(tiny_model)
    options = Contrast(loss=loss, temperature=0.1)  # type: ignore[arg-type]
    with torch.no_grad():
        found = TrainingModel(encoder, task, wrappers(task, options))(batch)
        vectors = task(encoder, batch)
    cosines = (vectors[0::2] * vectors[1::2]).sum(-1)
    assert batch.targets is not None
    classes = torch.tensor([one for pair in examples for one in pair.classes])  # type: ignore[attr-defined]
    rows = torch.tensor([one for pair in examples for one in pair.rows])  # type: ignore[attr-defined]
    expected = {
        "supervised": lambda: supervised_contrastive(vectors, classes, rows, 0.1),
        "cosine": lambda: cosine_targets(cosines, batch.targets),
        "order": lambda: cosine_order(cosines, batch.targets, 10.0),
    }
    assert float(found) == pytest.approx(float(expected[loss]()), rel=1e-5)


def test_a_text_is_the_same_text_in_every_pair(tiny_model: Path) -> None:
    """Two copies of one text are no two texts of a class: else a text would learn to be like itself."""
    encoder, task, _, batch = pairs_of(tiny_model, 6)
    torch.manual_seed(0)
    compared = Compared(task, "supervised", 0.1)
    alone = [pair for pair in batch.examples if isinstance(pair, PairExample) and pair.target == 0.0][:1]
    twice = task.collate([alone[0], alone[0]], 0)
    with torch.no_grad():
        assert float(compared(encoder, twice)) == 0.0


def test_pairs_are_bounded_by_what_they_cost(tiny_model: Path) -> None:
    encoder, tokenizer = checkpoint.load(tiny_model).encoder, Tokenizer.from_folder(tiny_model)
    known = Known(tokenizer.encode_batch(TEXTS), [str(one) for one in CLASSES], CLASSES, rows=6)
    assert pair_count(Contrast(pairs=7), known, encoder, 1) == 7
    assert pair_count(Contrast(), known, encoder, 1) == 20 * 6
    many = Known(known.texts * 3000, known.labels * 3000, known.classes * 3000, rows=18_000)
    weights = sum(parameter.numel() for parameter in encoder.layers.parameters())
    tokens = sum(map(len, many.texts)) / len(many.texts)
    bounded = pair_count(Contrast(), many, encoder, 2000)
    assert 6 * weights * 2 * tokens * bounded * 2000 <= COMPUTE < 6 * weights * 2 * tokens * (bounded + 1) * 2000
