"""Encoding speed: Bertie's encoder and batches against transformers' AutoModel, one mean-pooled vector a text.

Measured: texts a second from token ids to vectors on the CPU; making the batches and padding them is inside the
clock, tokenizing and loading are outside for all. The contestants, each with the same token ids:

    bertie          rows sorted by length, batches bounded in padded tokens, as the Predictor makes them
    given order     transformers, 32 rows a batch in the given order, each padded to its longest (dynamic padding)
    same batches    transformers, given the very batches that Bertie made: what is left is the encoder itself
    bertie bf16     Bertie in bfloat16, then in float32 again the rows of which a linear model is unsure, as the
                    Predictor does; only where the machine's self-test takes it (--bf16 forces it)

All run in one process with a fixed number of threads, in turns, after one round that is not counted.

How to read it: ratios are of medians. Before anything is timed, all float32 vectors are compared: they may differ
by 1e-4 at most. bfloat16 is compared by its labels, those of a linear model fitted on float32 vectors of training
rows. Padding waste is the share of computed tokens that are padding; it falls with the number of rows, as there is
more to sort (300 rows of these sets: 14 %, 1,000 rows: 5 %).

    python benchmarks/encode_speed.py --data DIR --out docs/benchmarks/encode_speed.md

In:  DIR with one folder a set
Out: a Markdown page, and all figures as JSON
Knows nothing of training.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measurement import Spread, command, machine, machine_lines, mark, page, publish, sample, table
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from bertie.core.runtime import choose_device, choose_dtype
from bertie.data.batches import Example, pack, stack, waste
from bertie.data.catalogue import default_model
from bertie.data.rows import Rows
from bertie.data.sources import load_splits
from bertie.evaluation.features import pooled_features
from bertie.evaluation.probe import LinearProbe
from bertie.predict import ROWS_PER_BATCH, TOKENS_PER_BATCH
from bertie.tasks.classification import Classification
from bertie.workflow.choose import Start, load_start

Vectors = NDArray[np.float32]
SETS = ("ag_news_en", "chnsenticorp_zh")
GIVEN_ORDER_ROWS = 32
"""Rows a batch of the usual loop; the default of sentence-transformers too."""
LABEL_ROWS = 400
"""Training rows for the linear model by which bfloat16 is compared."""
EQUAL = 1e-4
FASTER, AS_FAST, FASTER_BF16, WASTE = 1.6, 1.0, 2.5, 0.08
# S sequences, T tokens, D width, N rows


@dataclass(frozen=True)
class Setting:
    """One set, with the same checkpoint loaded by both."""

    start: Start
    theirs: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    examples: list[Example]
    task: Classification
    train: Rows
    train_examples: list[Example]

    @classmethod
    def load(cls, name: str, arguments: argparse.Namespace) -> Setting:
        """Test rows and some training rows as token ids; both models."""
        start = load_start(arguments.model or default_model(name.rpartition("_")[2]))
        splits = load_splits(arguments.data / name)
        train, test = sample(splits.train, LABEL_ROWS), splits.judging
        task = Classification.from_rows(train, {})
        length = min(arguments.max_length, start.encoder.config.max_length)
        encoded = [task.encode(list(rows), start.tokenizer, length) for rows in (sample(test, arguments.rows), train)]
        theirs = AutoModel.from_pretrained(start.source.folder, dtype=torch.float32).eval()
        return cls(
            start, theirs, AutoTokenizer.from_pretrained(start.source.folder), encoded[0], task, train, encoded[1]
        )

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [example.length for example in self.examples]

    def our_batches(self) -> list[list[int]]:
        """As the Predictor makes them."""
        lengths = self.lengths
        order = sorted(range(len(lengths)), key=lambda i: lengths[i])
        return pack(order, lengths, ROWS_PER_BATCH, TOKENS_PER_BATCH)

    def given_order(self) -> list[list[int]]:
        """Row after row."""
        indices = list(range(len(self.examples)))
        return [indices[start : start + GIVEN_ORDER_ROWS] for start in range(0, len(indices), GIVEN_ORDER_ROWS)]

    def bertie(self) -> Vectors:
        """Our batches, our encoder."""
        return self.encode(self.examples, torch.float32)

    def encode(self, examples: list[Example], dtype: torch.dtype) -> Vectors:
        """Batches as the predictor makes them."""
        sizes = {"rows_per_batch": ROWS_PER_BATCH, "tokens_per_batch": TOKENS_PER_BATCH}
        return pooled_features(self.start.encoder, examples, self.start.tokenizer.pad_id, dtype, **sizes)

    @cached_property
    def labeller(self) -> LinearProbe:
        """The linear model by whose labels bfloat16 is compared, fitted on float32 vectors of training rows."""
        features = pooled_features(self.start.encoder, self.train_examples, self.start.tokenizer.pad_id)
        return LinearProbe.fit(features, self.train.column("label"))

    def bertie_bf16(self) -> Vectors:
        """The same under autocast; where the labeller is unsure, in float32 after all."""
        vectors = self.encode(self.examples, torch.bfloat16)
        answers = self.labeller.predict_features(vectors)
        again = [i for i, answer in enumerate(answers) if self.task.unsure(answer)]
        if again:
            vectors[again] = self.encode([self.examples[i] for i in again], torch.float32)
        return vectors

    def transformers_given_order(self) -> Vectors:
        """Padded by their tokenizer, as a data collator does."""
        found = []
        for indices in self.given_order():
            ids = [self.examples[i].sequences[0].ids for i in indices]
            padded = self.tokenizer.pad({"input_ids": ids}, return_tensors="pt")
            found.append(self._pooled(padded["input_ids"], padded["attention_mask"]))
        return np.concatenate(found)

    def transformers_same_batches(self) -> Vectors:
        """Sorted, packed and stacked by us, encoded by them."""
        found: dict[int, NDArray[np.float32]] = {}
        for indices in self.our_batches():
            batch = stack([self.examples[i] for i in indices], self.start.tokenizer.pad_id)
            found.update(zip(indices, self._pooled(batch.input_ids, batch.attention_mask), strict=True))
        return np.stack([found[i] for i in range(len(self.examples))])

    def _pooled(self, ids: Tensor, mask: Tensor | None) -> Vectors:
        """Mean of their last states over real tokens (S, D)."""
        mask = torch.ones_like(ids) if mask is None else mask.long()  # (S, T)
        with torch.inference_mode():
            states = self.theirs(input_ids=ids, attention_mask=mask).last_hidden_state  # (S, T, D)
            total = (states * mask.unsqueeze(-1)).sum(1)  # (S, D)
            pooled: Vectors = (total / mask.sum(1, keepdim=True)).numpy()
        return pooled


def main() -> None:
    """Every set; then the page."""
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    dtype, reason = choose_dtype(choose_device())
    bf16 = arguments.bf16 == "always" or (arguments.bf16 == "auto" and dtype is torch.bfloat16)
    results = {name: measure(name, bf16, arguments) for name in arguments.names or SETS}
    facts = machine(arguments.threads)
    text = render(results, arguments, facts, None if bf16 else reason)
    found = {"command": command(), "machine": facts, "results": results}
    publish(text, found, arguments.out, arguments.json)
    if any(result["difference"] > EQUAL for result in results.values()):
        sys.exit("error: the vectors are not equal, so the speeds say nothing")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"sets; otherwise {', '.join(SETS)}")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the sets")
    parser.add_argument("--rows", type=int, default=1000, help="test rows, default %(default)s")
    parser.add_argument("--repeats", type=int, default=5, help="default %(default)s; fewer are too few to trust")
    parser.add_argument(
        "--max-length", type=int, default=Classification.defaults.max_length, help="tokens, default %(default)s"
    )
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all cores")
    parser.add_argument("--bf16", choices=("auto", "always", "never"), default="auto", help="default: by the self-test")
    parser.add_argument("--model", help="folder or alias; otherwise the default of the set's language")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--out", type=Path, help="file for the page")
    return parser.parse_args()


def measure(name: str, bf16: bool, arguments: argparse.Namespace) -> dict[str, Any]:
    """Outputs compared, then everybody timed in turns."""
    setting = Setting.load(name, arguments)
    contestants: dict[str, Callable[[], Vectors]] = {
        "bertie": setting.bertie,
        "given order": setting.transformers_given_order,
        "same batches": setting.transformers_same_batches,
    }
    if bf16:
        contestants["bertie bf16"] = setting.bertie_bf16
    # The round that warms up is the one whose outputs are compared.
    outputs = {who: encode() for who, encode in contestants.items()}
    differences = [np.abs(outputs["bertie"] - outputs[who]).max() for who in ("given order", "same batches")]
    seconds: dict[str, list[float]] = {who: [] for who in contestants}
    for _ in range(arguments.repeats):
        for who, encode in contestants.items():
            began = time.perf_counter()
            encode()
            seconds[who].append(time.perf_counter() - began)
        print(name, {who: f"{found[-1]:.1f} s" for who, found in seconds.items()}, file=sys.stderr)
    return {
        "rows": len(setting.examples),
        "mean_tokens": sum(setting.lengths) / len(setting.examples),
        "difference": float(max(differences)),
        "seconds": seconds,
        "waste": waste(setting.lengths, setting.our_batches()),
        "waste_given_order": waste(setting.lengths, setting.given_order()),
        "equal_labels": equal_labels(setting, outputs["bertie"], outputs["bertie bf16"]) if bf16 else None,
    }


def equal_labels(setting: Setting, exact: Vectors, rounded: Vectors) -> float:
    """Share of rows that a linear model labels the same from both."""
    labels = [
        [answer["label"] for answer in setting.labeller.predict_features(vectors)] for vectors in (exact, rounded)
    ]
    return float(np.mean([a == b for a, b in zip(*labels, strict=True)]))


def render(
    results: dict[str, dict[str, Any]], arguments: argparse.Namespace, facts: dict[str, Any], no_bf16: str | None
) -> str:
    """The page."""
    measured = [line for name, result in results.items() for line in figures(name, result)]
    verdicts = [line for name, result in results.items() for line in verdict(name, result)]
    return page(
        "Encoding speed",
        [
            "Texts a second from token ids to mean-pooled vectors; batching and padding inside the clock, tokenizing "
            f"and loading outside. Test rows, texts cut at {arguments.max_length} tokens. One process, in turns, "
            f"{arguments.repeats} repetitions after one that is not counted: medians, with the smallest and largest in "
            "brackets.",
            f"*Given order*: transformers, {GIVEN_ORDER_ROWS} rows a batch, dynamic padding. *Same batches*: "
            "transformers, given the batches that Bertie made.",
            table(("set", "rows", "tokens a row", "who", "texts/s", "padding"), measured),
            "## Against the targets",
            table(("set", "what", "measured", "target", ""), verdicts),
            "bfloat16 was compared too." if no_bf16 is None else f"bfloat16 was not run: {no_bf16}.",
            "## Machine and command",
            "\n".join(machine_lines(facts)),
            f"```\n{command()}\n```",
        ],
    )


def figures(name: str, result: dict[str, Any]) -> list[list[str]]:
    """A line a contestant."""
    lines = []
    for who in result["seconds"]:
        title = who if who.startswith("bertie") else f"transformers, {who}"
        padding = result["waste_given_order" if who == "given order" else "waste"]
        texts = speed(result, who).text()
        lines.append([name, str(result["rows"]), f"{result['mean_tokens']:.0f}", title, texts, f"{padding:.1%}"])
    return lines


def verdict(name: str, result: dict[str, Any]) -> list[list[str]]:
    """Ratios of the medians, and whether they reach the targets."""

    def ratio(what: str, ours: str, theirs: str, target: float) -> list[str]:
        found = speed(result, ours).median / speed(result, theirs).median
        return [name, what, f"{found:.2f} x", f"at least {target} x", mark(found >= target)]

    difference, share = result["difference"], result["equal_labels"]
    lines = [
        [
            name,
            "largest difference of the vectors",
            f"{difference:.1e}",
            f"at most {EQUAL:g}",
            mark(difference <= EQUAL),
        ],
        ratio("float32 against the given order", "bertie", "given order", FASTER),
        ratio("float32 against the same batches", "bertie", "same batches", AS_FAST),
        [name, "padding waste", f"{result['waste']:.1%}", f"at most {WASTE:.0%}", mark(result["waste"] <= WASTE)],
    ]
    if share is not None:
        lines.append(ratio("bfloat16 against the given order", "bertie bf16", "given order", FASTER_BF16))
        lines.append([name, "labels equal in bfloat16", f"{share:.1%}", "all", mark(share == 1.0)])
    return lines


def speed(result: dict[str, Any], who: str) -> Spread:
    """Texts a second."""
    return Spread(tuple(result["rows"] / seconds for seconds in result["seconds"][who]))


if __name__ == "__main__":
    main()
