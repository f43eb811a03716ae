"""One training by `peft` on `transformers`: the Trainer with a LoRA model, as the documentation of peft shows it.

`tuning_speed.py` runs it; the arguments are explained in `contestant.py`, and which method, rank and batch in
`tuning_contestant.py`. Each batch is padded to its longest text; nothing is judged or saved on the way.

In:  a folder with three files of rows, a model's folder
Out: one line of JSON
Knows nothing of the other contestant.
"""

from __future__ import annotations

import tempfile
import time
from typing import Any

import contestant
import torch
import tuning_contestant
from peft import LoraConfig, TaskType, get_peft_model
from train_transformers import compute_metrics, load
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

RATE = 5e-4


class Clock(TrainerCallback):
    """Starts when the first batch is fetched, notes each step."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        """Of the first epoch."""
        self.times = self.times or [time.perf_counter()]

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """One more."""
        self.times.append(time.perf_counter())


def main() -> None:
    """Trains and judges on the test rows."""
    options = tuning_contestant.parse(__doc__)
    torch.set_num_threads(options.threads)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    data = load(options.folder, tokenizer, options.max_length)
    labels = len(set(data["train"]["label"]))
    model = AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=labels)
    if options.method == "lora":
        wanted = LoraConfig(
            task_type=TaskType.SEQ_CLS,
            r=options.rank,
            lora_alpha=2 * options.rank,
            target_modules=["query", "value"],
        )
        model = get_peft_model(model, wanted)
    trained = sum(p.numel() for name, p in model.named_parameters() if p.requires_grad and "classifier" not in name)
    clock = Clock()
    with tempfile.TemporaryDirectory() as output:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=output,
                learning_rate=RATE if options.method == "lora" else 2e-5,
                per_device_train_batch_size=options.batch,
                per_device_eval_batch_size=options.batch,
                num_train_epochs=options.epochs,
                weight_decay=0.01,
                save_strategy="no",
                report_to=[],
                seed=options.seed,
                bf16=options.dtype == "bfloat16",
                disable_tqdm=True,
            ),
            train_dataset=data["train"],
            processing_class=tokenizer,
            data_collator=DataCollatorWithPadding(tokenizer=tokenizer),
            compute_metrics=compute_metrics,
            callbacks=[clock],
        )
        before = contestant.resident_megabytes()
        contestant.forget_peak()
        trainer.train()
        peak = contestant.peak_megabytes()
        metrics = trainer.predict(data["test"]).metrics or {}
    contestant.report(
        {
            **tuning_contestant.times(clock.times),
            "rows": len(data["train"]) * options.epochs,
            "trained_in_encoder": trained,
            "training_mb": round(peak - before, 1),
            "loop_peak_mb": round(peak, 1),
            "accuracy": metrics["test_accuracy"],
            "tokens": contestant.fingerprint(data["train"]["input_ids"]),
        }
    )


if __name__ == "__main__":
    main()
