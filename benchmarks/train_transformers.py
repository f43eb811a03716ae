"""One training by the transformers Trainer, as the text classification guide of its documentation shows it.

`train_speed.py` runs it; the arguments are explained in `contestant.py`. From the guide: AutoTokenizer with
truncation, DataCollatorWithPadding (each batch padded to its longest text), AutoModelForSequenceClassification,
batches of 16, learning rate 2e-5, weight decay 0.01, evaluation and saving after each epoch, best model loaded at
the end. Beside the guide: our maximal length, one epoch for its two, no push to the hub, accuracy by numpy and no
progress bar. The clock of the loop stands still while the model is judged and saved.

In:  a folder with three files of rows, a model's folder
Out: one line of JSON
Knows nothing of the other contestant.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import contestant
import numpy as np
import torch
from datasets import Dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    EvalPrediction,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)


class Clock(TrainerCallback):
    """Time inside epochs; evaluation and saving come after `on_epoch_end`."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._since = 0.0

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        """The first batch is fetched next."""
        self._since = time.perf_counter()

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        """The last step is done."""
        self.seconds += time.perf_counter() - self._since


def load(folder: Path, tokenizer: PreTrainedTokenizerBase, max_length: int) -> dict[str, Dataset]:
    """The three files, tokenized; labels as numbers in sorted order."""
    rows = {}
    for name in ("train", "dev", "test"):
        lines = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        rows[name] = [json.loads(line) for line in lines]
    numbers = {label: i for i, label in enumerate(sorted({row["label"] for row in rows["train"]}))}

    def preprocess(examples: dict[str, list[Any]]) -> dict[str, Any]:
        encoded = tokenizer(examples["text"], truncation=True, max_length=max_length)
        return {**encoded, "label": [numbers[label] for label in examples["label"]]}

    return {name: Dataset.from_list(table).map(preprocess, batched=True) for name, table in rows.items()}


def compute_metrics(predicted: EvalPrediction) -> dict[str, float]:
    """Accuracy, as in the guide."""
    logits, labels = predicted
    return {"accuracy": float(np.mean(np.argmax(logits, axis=1) == labels))}


def make_trainer(options: argparse.Namespace, output: str, clock: Clock) -> tuple[Trainer, dict[str, Dataset]]:
    """The guide's Trainer, and its data."""
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    data = load(options.folder, tokenizer, options.max_length)
    labels = len(set(data["train"]["label"]))
    model = AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=labels)
    assert model.dtype is torch.float32, f"the checkpoint is stored in {model.dtype}, float32 is to be measured"
    training_args = TrainingArguments(
        output_dir=output,
        learning_rate=2e-5,
        per_device_train_batch_size=16,
        per_device_eval_batch_size=16,
        num_train_epochs=options.epochs,
        weight_decay=0.01,
        eval_strategy="epoch",
        save_strategy="epoch",
        load_best_model_at_end=True,
        seed=options.seed,
        bf16=options.dtype == "bfloat16",
        disable_tqdm=True,
    )
    trainer = Trainer(
        model=model,
        args=training_args,
        train_dataset=data["train"],
        eval_dataset=data["dev"],
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer=tokenizer),
        compute_metrics=compute_metrics,
        callbacks=[clock],
    )
    return trainer, data


def main() -> None:
    """Trains and judges on the test rows."""
    options = contestant.parse(__doc__)
    torch.set_num_threads(options.threads)
    clock = Clock()
    with tempfile.TemporaryDirectory() as output:
        trainer, data = make_trainer(options, output, clock)
        before = contestant.peak_megabytes()
        trainer.train()
    metrics = trainer.predict(data["test"]).metrics or {}
    found: dict[str, Any] = {
        "rows": len(data["train"]) * options.epochs,
        "steps": trainer.state.global_step,
        "loop_seconds": clock.seconds,
        "head_start_seconds": 0.0,
        "accuracy": metrics["test_accuracy"],
        "best_step": trainer.state.global_step,
        "before_loop_mb": before,
        "tokens": contestant.fingerprint(data["train"]["input_ids"]),
    }
    contestant.report(found)


if __name__ == "__main__":
    main()
