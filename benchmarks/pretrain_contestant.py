"""What the programs of `pretrain_speed.py` share: the same passages of the same text, the same arguments.

In:  a folder with a tokenizer and a prepared corpus, on the command line
Out: Contest; one line of JSON on stdout
Knows nothing of how anybody trains.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bertie.core.runtime import seed_everything
from bertie.data.corpus import open_corpus
from bertie.data.passages import Passages, readable
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.objectives.pretraining import Pretraining
from bertie.text.tokenizer import Tokenizer
from bertie.workflow.pretrain_request import shape

RATE = 1e-3


@dataclass(frozen=True)
class Contest:
    """What all start from."""

    tokenizer: Tokenizer
    config: EncoderConfig
    passages: Passages

    @classmethod
    def of(cls, options: argparse.Namespace) -> Contest:
        """The passages of the training part, up to the tokens that were asked for."""
        tokenizer = Tokenizer.from_folder(options.folder / "tokenizer")
        corpus = open_corpus(options.folder / "corpus")
        config = shape("mini", options.vocabulary, tokenizer.pad_id, 0.0)
        seed_everything(options.seed)
        task = make_task("masked_lm", Encoder(config), tokenizer)
        documents, chosen, held = corpus.train, [], 0
        for index in readable(documents).tolist():
            if held >= options.tokens:
                break
            chosen.append(index)
            held += int(documents.lengths[index])
        how = task.arrangement(tokenizer, options.length)
        return cls(tokenizer, config, Passages(documents, chosen, how, (options.seed, 3, 0)))

    @property
    def tokens(self) -> int:
        """Of all passages, specials counted, padding not."""
        return sum(self.passages.costs)


def make_task(objective: str, encoder: Encoder, tokenizer: Tokenizer) -> Pretraining:
    """The task with its head."""
    task = Pretraining.of(objective, encoder, tokenizer, {})
    task.build_head(encoder.config.hidden_size)
    return task


def parse(about: str | None) -> argparse.Namespace:
    """The arguments that all programs take; sets the number of threads."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds tokenizer and corpus")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--vocabulary", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dense", action="store_true", help="logits at every place")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    return options


def report(contest: Contest, found: dict[str, Any]) -> None:
    """The result as the last line of stdout."""
    print(json.dumps({**found, "tokens": contest.tokens, "passages": len(contest.passages)}), flush=True)
