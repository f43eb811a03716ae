"""One masked language model trained by the transformers Trainer, as its language modelling guide shows it.

`pretrain_speed.py` runs it; the arguments are explained in `pretrain_contestant.py`. `DataCollatorForLanguageModeling`
masks; batches of 16 passages of up to 128 tokens are what Bertie's 2,048 tokens a batch hold. Nothing is
judged or saved.

In:  a folder with a tokenizer and a prepared corpus
Out: one line of JSON
Knows nothing of the other contestant.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from typing import Any

from datasets import Dataset
from pretrain_contestant import RATE, Contest, parse, report
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DataCollatorForLanguageModeling,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)

ROWS = 16


def run_transformers(contest: Contest, options: argparse.Namespace) -> dict[str, Any]:
    """One epoch of the Trainer."""
    plain = [passage.target[0].plain.tolist() for passage in contest.passages]
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_file=str(options.folder / "tokenizer" / "tokenizer.json"),
        **{f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")},
    )
    known = contest.config
    config = BertConfig(
        vocab_size=known.vocab_size,
        hidden_size=known.hidden_size,
        num_hidden_layers=known.layers,
        num_attention_heads=known.heads,
        intermediate_size=known.intermediate_size,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=BertForMaskedLM(config),
            args=TrainingArguments(
                output_dir=folder,
                learning_rate=RATE,
                per_device_train_batch_size=ROWS,
                num_train_epochs=1,
                weight_decay=0.01,
                save_strategy="no",
                report_to=[],
                seed=options.seed,
                bf16=options.dtype == "bfloat16",
                disable_tqdm=True,
            ),
            train_dataset=Dataset.from_dict({"input_ids": plain}),
            data_collator=DataCollatorForLanguageModeling(tokenizer=tokenizer, mlm_probability=0.15),
        )
        began = time.perf_counter()
        done = trainer.train()
        seconds = time.perf_counter() - began
    return {"seconds": seconds, "steps": done.global_step, "last_loss": done.training_loss}


def main() -> None:
    """Trains one epoch."""
    options = parse(__doc__)
    contest = Contest.of(options)
    report(contest, run_transformers(contest, options))


if __name__ == "__main__":
    main()
