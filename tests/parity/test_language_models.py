"""Masked and causal language models against transformers': losses, gradients, and the heads there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor

from bertie.data.batches import Batch, Example, stack
from bertie.data.masking import Vocabulary
from bertie.data.passages import Passage
from bertie.nn import checkpoint
from bertie.nn.encoder import Encoder
from bertie.objectives.pretraining import Pretraining, PretrainingSettings
from bertie.text.tokenizer import Encoded
from tests.parity.families import CASES, saved
from tests.parity.families import batch as texts

pytestmark = pytest.mark.parity
SIZE = 60
VOCABULARY = Vocabulary(SIZE, mask=4, specials=(0, 1, 2, 3, 4))


def theirs_of(kind: str, folder: Path) -> transformers.PreTrainedModel:
    torch.manual_seed(1)
    shape = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = transformers.BertConfig(
        vocab_size=SIZE, is_decoder=kind == "causal", initializer_range=0.3, max_position_embeddings=32, **shape
    )
    model = (transformers.BertLMHeadModel if kind == "causal" else transformers.BertForMaskedLM)(config).eval()
    with torch.no_grad():
        model.cls.predictions.bias.normal_()
    model.save_pretrained(folder)
    path = folder / "config.json"  # a decoder is not read; the weights are the same
    path.write_text(path.read_text(encoding="utf-8").replace('"is_decoder": true', '"is_decoder": false'))
    return model


def passages(masked: bool) -> tuple[Batch, Tensor, Tensor]:
    """Three passages of other lengths with pieces asked for; their plain ids and the labels as transformers wants."""
    random = np.random.default_rng(0)
    examples = []
    for length in (12, 7, 9):
        plain = np.concatenate([[2], random.integers(5, SIZE, size=length - 2), [3]]).astype(np.int64)
        places = np.array([2, 4, length - 2]) if masked else np.zeros(0, dtype=np.int64)
        seen = plain.copy()
        seen[places] = 4
        sides = [None, *[0] * (length - 2), None]
        sequence = Encoded(seen.tolist(), [0] * length, [(0, 0)] * length, sides, False)
        examples.append(Example((sequence,), (Passage(plain, places),)))
    batch = stack(examples, 0)
    ids, labels = torch.zeros_like(batch.input_ids), torch.full_like(batch.input_ids, -100)
    for s, example in enumerate(examples):
        passage = example.target[0]
        ids[s, : len(passage.plain)] = torch.from_numpy(passage.plain)
        asked = passage.places if masked else np.arange(1, len(passage.plain) - 1)
        labels[s, asked] = ids[s, asked]
    return batch, ids, labels


def ours_of(objective: str, folder: Path) -> tuple[Encoder, Pretraining]:
    loaded = checkpoint.load(folder)
    task = Pretraining({objective: 1.0}, loaded.encoder.config, VOCABULARY, settings=PretrainingSettings())
    task.build_head(32)
    heads = loaded.heads
    taken = task.take_heads(heads)
    if not taken:  # the causal head has the same form and goes by the same names
        task.objective(objective).head.load_state_dict(
            {name.removeprefix("masked_lm."): weight for name, weight in heads.items() if name.startswith("masked_lm.")}
        )
    return loaded.encoder, task.eval()


@pytest.mark.parametrize("kind", ["masked", "causal"])
def test_loss_and_gradients_equal(kind: str, tmp_path: Path) -> None:
    theirs = theirs_of(kind, tmp_path)
    batch, plain, labels = passages(kind == "masked")
    encoder, task = ours_of(f"{kind}_lm", tmp_path)
    loss = task.loss(task(encoder, batch), batch)
    loss.backward()
    shown = batch.input_ids if kind == "masked" else plain
    expected = theirs(input_ids=shown, attention_mask=batch.attention_mask.long(), labels=labels)
    expected.loss.backward()
    torch.testing.assert_close(loss, expected.loss, atol=1e-5, rtol=1e-5)
    table = theirs.bert.embeddings.word_embeddings.weight.grad
    torch.testing.assert_close(encoder.embeddings.word_embeddings.weight.grad, table, atol=1e-3, rtol=1e-3)
    head = task.objective(f"{kind}_lm").head
    torch.testing.assert_close(head.bias.grad, theirs.cls.predictions.bias.grad, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        head.dense.weight.grad, theirs.cls.predictions.transform.dense.weight.grad, atol=1e-3, rtol=1e-3
    )


def test_the_output_layer_goes_out_as_it_came_in(tmp_path: Path) -> None:
    theirs = theirs_of("masked", tmp_path / "theirs")
    batch, _, _ = passages(masked=True)
    encoder, task = ours_of("masked_lm", tmp_path / "theirs")
    checkpoint.save(encoder, tmp_path / "ours", heads=task.heads())
    again = transformers.BertForMaskedLM.from_pretrained(tmp_path / "ours").eval()
    inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask.long()}
    with torch.no_grad():
        torch.testing.assert_close(again(**inputs).logits, theirs(**inputs).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_each_familys_output_layer_is_that_of_transformers_there_and_back(case: str, tmp_path: Path) -> None:
    theirs = saved(case, tmp_path / "theirs", "ForMaskedLM")
    inputs = texts(theirs)
    encoder, task = ours_of("masked_lm", tmp_path / "theirs")
    checkpoint.save(encoder, tmp_path / "ours", heads=task.heads())
    again = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "ours", attn_implementation="eager").eval()
    with torch.no_grad():
        expected = theirs(**inputs).logits
        logits = task.objective("masked_lm").head(encoder(**inputs), encoder.embeddings.word_embeddings.weight)
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(again(**inputs).logits, expected, atol=1e-4, rtol=1e-4)


def test_the_masked_only_head_gives_the_loss_of_the_dense_one(tmp_path: Path) -> None:
    theirs_of("masked", tmp_path)
    batch, plain, labels = passages(masked=True)
    encoder, task = ours_of("masked_lm", tmp_path)
    loss = task.loss(task(encoder, batch), batch)
    states = encoder(batch.input_ids, batch.attention_mask)
    logits = task.objective("masked_lm").head(states, encoder.embeddings.word_embeddings.weight)  # (S, T, V)
    dense = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, ignore_index=-100)
    torch.testing.assert_close(loss, dense, atol=1e-5, rtol=1e-5)
    assert plain.shape == labels.shape
