"""Filling a gap: the same scores as transformers' masked language model, whatever the text does to the pattern."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers

from bertie.core.errors import DataError, ModelError, UsageError
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.objectives.pattern import Gap, PatternTask
from bertie.text.tokenizer import Tokenizer
from tests.learning.making import masked_lm_folder

WORDS = {"negative": "bad", "positive": "good"}
PATTERN = "{text} the film was {mask}."


@pytest.fixture(scope="module")
def folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return masked_lm_folder(tiny_model, tmp_path_factory.mktemp("head"))


def task_of(folder: Path, pattern: str = PATTERN) -> tuple[PatternTask, checkpoint.LoadedEncoder, Tokenizer]:
    loaded, tokenizer = checkpoint.load(folder), Tokenizer.from_folder(folder)
    task = PatternTask(Gap.of(pattern, WORDS, tokenizer), loaded.encoder.config)
    task.build_head(loaded.encoder.config.hidden_size)
    task.take_head(loaded.heads, "tiny")
    return task.eval(), loaded, tokenizer


def test_scores_are_those_of_transformers_at_the_gap(folder: Path) -> None:
    task, loaded, tokenizer = task_of(folder)
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(folder).eval()
    rows = [{"text": "the food was very slow"}, {"text": "服务很好"}, {"text": ""}]
    batch = task.collate(task.encode(rows, tokenizer, 64), tokenizer.pad_id)
    mask = torch.ones_like(batch.input_ids) if batch.attention_mask is None else batch.attention_mask.long()
    with torch.no_grad():
        ours = task(loaded.encoder, batch)
        logits = theirs(input_ids=batch.input_ids, attention_mask=mask).logits
    words = [tokenizer.piece_id(word) for word in WORDS.values()]
    torch.testing.assert_close(ours, logits[batch.input_ids == tokenizer.mask_id][:, words], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pattern", [PATTERN, "{mask}: {text}", "很{mask}。{text}"])
@pytest.mark.parametrize("text", ["", "good " * 200, "a [MASK] of my own", "服务" * 100, "{mask} and {text}"])
def test_there_is_one_gap_and_it_is_the_patterns(folder: Path, pattern: str, text: str) -> None:
    task, _, tokenizer = task_of(folder, pattern)
    one = task.encode([{"text": text}], tokenizer, 32)[0].sequences[0]
    assert len(one) <= 32 and one.ids.count(tokenizer.mask_id) == 1
    around = tokenizer.encode(pattern.split("{mask}", maxsplit=1)[0].replace("{text}", ""))
    if pattern != PATTERN:
        assert one.ids[: len(around) - 1] == around.ids[:-1]
        assert one.ids[len(around) - 1] == tokenizer.mask_id
    else:
        assert one.ids[-3:-1] == [tokenizer.mask_id, tokenizer.piece_id(".")]
    assert one.truncated == (len(tokenizer.encode(text, max_length=10**4)) > 30)


def test_a_description_makes_the_same_task(folder: Path) -> None:
    task, _, _ = task_of(folder)
    again = PatternTask.from_description(json.loads(json.dumps(task.description())))
    assert (again.gap, again.shape, again.labels) == (task.gap, task.shape, task.labels)


def test_labels_in_lists_are_judged_as_classification_judges_them(folder: Path) -> None:
    task, _, _ = task_of(folder)
    rows = Rows([{"text": "good", "label": ["positive"]}, {"text": "bad", "label": ["negative"]}], "new.csv")
    scores = task.score([{"label": "positive"}] * 2, task.accept(rows))
    assert (scores.primary, scores.value) == ("accuracy", 0.5)
    several = Rows([*rows, {"text": "good", "label": ["negative", "positive"]}], "new.csv")
    with pytest.raises(DataError, match=r"new.csv:3: found 2 labels \(negative, positive\), expected one label"):
        task.accept(several)


def test_words_that_the_vocabulary_lacks_are_named(folder: Path) -> None:
    tokenizer = Tokenizer.from_folder(folder)
    with pytest.raises(UsageError, match=r"'awful' for the label 'n' .* as a, ##w, .*--set pattern.words.n=WORD"):
        Gap.of(PATTERN, {"n": "awful", "p": "good"}, tokenizer)
    with pytest.raises(UsageError, match=r"'龘' for the label 'n'.*as \[UNK\]"):
        Gap.of(PATTERN, {"n": "龘", "p": "好"}, tokenizer)
    with pytest.raises(UsageError, match="have the same word, 'good'"):
        Gap.of(PATTERN, {"n": "good", "p": "Good"}, tokenizer)


def test_an_encoder_without_the_head_is_refused_with_what_to_take(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match=r"no masked-LM head.*bertie pretrain .*--by contrastive"):
        task_of(tiny_model)


def test_no_room_for_a_text_is_said(folder: Path) -> None:
    task, _, tokenizer = task_of(folder)
    with pytest.raises(UsageError, match="leaves no room for a text beside the pattern"):
        task.encode([{"text": "good"}], tokenizer, 9)
