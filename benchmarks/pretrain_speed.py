"""Pre-training speed: Bertie's masked language model against the transformers Trainer, and against its own dense head.

Measured: tokens a second of the loop (reading, tokenizing and making the model are outside), the share of it in which
the loop waits for its input, and how far the losses of both heads lie apart. The encoder is `mini` (4 layers, width
256), random, over the same passages of the same text; each repetition is a process of its own, in turns.

    python benchmarks/pretrain_speed.py --data DIR --out docs/benchmarks/pretrain_speed.md

In:  DIR with corpus_zh/train.txt, or --corpus FILE
Out: a Markdown page, and all figures as JSON
Knows nothing of how they train: pretrain_bertie.py and pretrain_transformers.py do.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measurement import Spread, command, machine, machine_lines, mark, page, publish, table
from turns import Run, program, spread

from bertie.core.runtime import choose_device, choose_dtype
from bertie.data.corpus import CorpusOptions, prepare_corpus
from bertie.text.learned_pieces import FewPieces
from bertie.text.tokenizer import Tokenizer
from bertie.workflow.vocabulary import VocabularyRequest, run_vocabulary

OURS, THEIRS = "pretrain_bertie.py", "pretrain_transformers.py"
SPEED, DENSE, FASTER, WAITING, EQUAL = 3000.0, 1.8, 2.0, 0.05, 1e-5
"""Targets: tokens a second; against the dense head; against the Trainer; share of waiting; difference of losses."""
HEAD = ("who", "number format", "tokens/s", "waiting for input", "last loss", "steps")
Entry = tuple[str, tuple[str, ...], str]
"""Name on the page, program with its options, number format."""


def main() -> None:
    """Every repetition, every contestant in turn; then the page."""
    arguments = parse()
    entries = entered()
    runs: dict[str, list[Run]] = {name: [] for name, _, _ in entries}
    with tempfile.TemporaryDirectory() as folder:
        pieces = prepare(arguments, Path(folder))
        for seed in range(arguments.repeats):
            for name, (script, *flags), dtype in entries:
                told = {word: getattr(arguments, word) for word in ("tokens", "length", "vocabulary", "threads")}
                given = {**told, "dtype": dtype, "seed": seed}
                runs[name].append(program(script, Path(folder), given, flags))
                print(f"{seed} {name}: {speed(runs[name][-1:]).median:.0f} tokens/s", file=sys.stderr)
    facts = machine(arguments.threads)
    found = {"command": command(), "machine": facts, "pieces": pieces, "runs": runs}
    publish(render(runs, entries, arguments, facts), found, arguments.out, arguments.json)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder that holds corpus_zh")
    parser.add_argument("--corpus", type=Path, help="another text")
    parser.add_argument("--tokens", type=int, default=200_000, help="of a training, default %(default)s")
    parser.add_argument("--length", type=int, default=128, help="tokens of a passage, default %(default)s")
    parser.add_argument("--vocabulary", type=int, default=21_128, help="default %(default)s, BERT's for Chinese")
    parser.add_argument("--repeats", type=int, default=3, help="default %(default)s")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all cores")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--out", type=Path, help="file for the page")
    arguments = parser.parse_args()
    if arguments.corpus is None and arguments.data is None:
        parser.error("give --data DIR, or --corpus FILE")
    return arguments


def entered() -> list[Entry]:
    """Bertie as it comes, with a dense head, in float32 where that is something else, and the Trainer."""
    dtype = str(choose_dtype(choose_device())[0]).removeprefix("torch.")
    entries = [("bertie", (OURS,), dtype), ("bertie, dense head", (OURS, "--dense"), dtype)]
    if dtype != "float32":
        entries.append(("bertie float32", (OURS,), "float32"))
    return [*entries, ("transformers", (THEIRS,), "float32")]


def prepare(arguments: argparse.Namespace, folder: Path) -> int:
    """A vocabulary of the text and the corpus in its pieces; how many pieces there are.

    A text may give fewer pieces than were asked for; the models are as wide as asked in any case.
    """
    corpus = str(arguments.corpus or arguments.data / "corpus_zh" / "train.txt")
    asked = VocabularyRequest(corpus=(corpus,), out=folder / "tokenizer", size=arguments.vocabulary)
    try:
        run_vocabulary(asked, _quiet)
    except FewPieces as few:
        run_vocabulary(VocabularyRequest(corpus=(corpus,), out=folder / "tokenizer", size=few.found), _quiet)
    tokenizer = Tokenizer.from_folder(folder / "tokenizer")
    prepare_corpus([corpus], tokenizer, folder / "corpus", CorpusOptions(), _quiet)
    return tokenizer.vocab_size


def render(
    runs: dict[str, list[Run]], entries: Sequence[Entry], arguments: argparse.Namespace, facts: dict[str, Any]
) -> str:
    """The page."""
    return page(
        "Pre-training speed",
        [
            f"One round over {runs['bertie'][0]['tokens']:,} tokens of Chinese text in passages of up to "
            f"{arguments.length}, masked language model, 4 layers of width 256, {arguments.vocabulary:,} pieces, "
            "random weights. Tokens a second are of the loop alone; padding is not counted.",
            "*transformers* is `BertForMaskedLM` with the Trainer and `DataCollatorForLanguageModeling`, as its "
            "language modelling guide shows it, on the same passages. Each of the "
            f"{arguments.repeats} repetitions is a process of its own, in turns. Medians, with the smallest and "
            "largest in brackets.",
            table(HEAD, [figures(name, dtype, runs[name]) for name, _, dtype in entries]),
            "## Against the targets",
            table(("what", "measured", "target", ""), verdicts(runs)),
            "## Machine and command",
            "\n".join(machine_lines(facts)),
            f"```\n{command()}\n```",
        ],
    )


def figures(name: str, dtype: str, runs: Sequence[Run]) -> list[str]:
    """One line of the table."""
    waiting = "–" if "waiting" not in runs[0] else f"{spread(runs, 'waiting').median:.1%}"
    steps = str(runs[0]["steps"])
    return [name, dtype, speed(runs).text(0), waiting, spread(runs, "last_loss").text(2), steps]


def verdicts(runs: dict[str, list[Run]]) -> list[list[str]]:
    """What was to be shown, and whether it is."""
    ours = runs["bertie"]
    each = speed(ours).median
    dense, theirs = each / speed(runs["bertie, dense head"]).median, each / speed(runs["transformers"]).median
    apart, waiting = max(run["same_loss"] for run in ours), spread(ours, "waiting").median
    return [
        ["tokens a second", f"{each:.0f}", f"at least {SPEED:.0f}", mark(each >= SPEED)],
        ["masked places only, against all places", f"{dense:.2f} x", f"at least {DENSE} x", mark(dense >= DENSE)],
        ["losses of both heads apart", f"{apart:.1e}", f"at most {EQUAL:.0e}", mark(apart <= EQUAL)],
        ["against the Trainer", f"{theirs:.2f} x", f"at least {FASTER} x", mark(theirs >= FASTER)],
        ["waiting for input", f"{waiting:.1%}", f"at most {WAITING:.0%}", mark(waiting <= WAITING)],
    ]


def speed(runs: Sequence[Run]) -> Spread:
    """Tokens a second of the loop."""
    return Spread(tuple(run["tokens"] / run["seconds"] for run in runs))


def _quiet(line: str) -> None:
    """Nobody listens."""


if __name__ == "__main__":
    main()
