"""A tiny bundle on disk, made without training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from bertie.bundle import folder as bundle
from bertie.bundle import golden
from bertie.bundle.folder import Model
from bertie.data.rows import Rows
from bertie.nn import checkpoint
from bertie.predict import Predictor
from bertie.tasks.base import Task
from bertie.tasks.classification import Classification
from bertie.text.tokenizer import Tokenizer

ROWS = Rows(
    [
        {"text": "good food and fast service", "label": "positive"},
        {"text": "bad and slow", "label": "negative"},
        {"text": "服务很好，很满意", "label": "positive"},
        {"text": "很慢，失望", "label": "negative"},
    ]
)
SEVERAL = Rows([{"text": "good food", "label": ["food", "good"]}, {"text": "slow service", "label": ["service"]}])
PAIRS = Rows(
    [{"text_a": "good", "text_b": "great", "label": "same"}, {"text_a": "bad", "text_b": "快", "label": "other"}]
)


def tiny_model_of(rows: Rows, model: Path, kind: type[Task] = Classification) -> Model:
    """An untrained model for these rows, with its golden examples."""
    task = kind.from_rows(rows, {})
    torch.manual_seed(0)
    task.build_head(32)
    made = Model(checkpoint.load(model).encoder, task, Tokenizer.from_folder(model), 64, origin="tiny")
    inputs = [{column: row[column] for column in task.columns} for row in rows]
    return replace(made, golden=golden.record(Predictor(made).predict, inputs))


def save_tiny(rows: Rows, model: Path, folder: Path, kind: type[Task] = Classification) -> Model:
    """The same as a bundle in `folder`."""
    made = tiny_model_of(rows, model, kind)
    bundle.save(made, folder, {"README.md": "a tiny model"})
    return made
