"""Augmentation as a person asks for it: synonyms of a file, a model that fills blanks, and rows made with them.

In:  the recipe's settings, training rows and their examples; or a file of rows, or rows themselves
Out: what training reads; or a file with more rows
Knows nothing of how a text is changed. Rows that judge a model never come here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bertie.bundle.folder import Model
from bertie.core.errors import DataError, UsageError
from bertie.core.files import new_file
from bertie.core.runtime import choose_device
from bertie.data.augmentation import Added, Augmentation, AugmentedRounds, Augmenter, refuse_none
from bertie.data.batches import Example, Examples
from bertie.data.catalogue import resolve
from bertie.data.encoding import lines_of
from bertie.data.formats import format_to_write, write_rows
from bertie.data.given_rows import GivenRows
from bertie.data.rows import Row, Rows
from bertie.data.sources import ReadOptions, read
from bertie.nn import checkpoint
from bertie.objectives.pretraining import Pretraining
from bertie.predict import Predictor, load_torch
from bertie.text.augmentation.base import Candidates, Fill, Sources, Translate, is_han
from bertie.text.augmentation.thesaurus import Thesaurus, own_groups
from bertie.text.tokenizer import Tokenizer
from bertie.training.settings import Training
from bertie.workflow.output import check_output
from bertie.workflow.request import Say

Encode = Callable[[Sequence[Row]], list[Example]]
_BETWEEN = re.compile(r"[,，、;；\t]")


def make_augmenter(
    settings: Augmentation, kind: str, seed: int, translate: tuple[Translate, Translate] | None = None
) -> Augmenter | None:
    """What makes copies of rows of this kind; None where none are asked for. UsageError where something is missing."""
    if not settings.ways:
        return None
    groups = own_groups()
    if settings.synonyms:
        groups = [*read_synonyms(Path(settings.synonyms)), *groups]
    fill = fill_of(settings.model) if settings.model and "masked_lm" in settings.ways else None
    return Augmenter(settings, Sources(Thesaurus(groups), fill, translate), kind, seed)


def augmented(examples: list[Example], rows: Rows, augmenter: Augmenter | None, encode: Encode, say: Say) -> Examples:
    """The examples of the rows, and behind them those of the rows' copies: of one draw, or others in each epoch."""
    if augmenter is None:
        return examples
    added = augmenter.added(rows)
    refuse_none(added, rows, augmenter.settings)
    how = "made once" if augmenter.once else "others in each epoch"
    say(f"augmentation: {added.told(len(rows))}; {how}, training rows only, the floors do without")
    if augmenter.once:
        return [*examples, *encode(list(added.rows))]
    return AugmentedRounds(examples, rows, augmenter, encode)


def run_augmentation(
    source: Path | GivenRows,
    target: Path,
    settings: Augmentation,
    options: ReadOptions,
    say: Say,
    translate: tuple[Translate, Translate] | None = None,
) -> Rows:
    """Writes the rows of `source` and behind them their copies to `target`; returns all of them."""
    chosen = format_to_write(target, None)
    check_output(target, source, "OUT", "rows.jsonl")
    rows, added = more_rows(source, settings, options, say, translate)
    with new_file(target, 0) as making:
        notes = write_rows(rows, making, chosen)
    for note in notes:
        say(note)
    say(f"{target}: {added.told(len(rows) - len(added.rows))}")
    say(
        "train on it with --dev and --test files of other rows: split off it, copies would judge what they were made of"
    )
    return rows


def more_rows(
    source: Path | GivenRows,
    settings: Augmentation,
    options: ReadOptions,
    say: Say,
    translate: tuple[Translate, Translate] | None = None,
) -> tuple[Rows, Added]:
    """The rows of `source` and behind them their copies; and these alone, with how they were made."""
    rows = read(source, options)
    for note in rows.notes:
        say(note)
    augmenter = make_augmenter(settings, rows.kind, Training().seed, translate)
    if augmenter is None:
        raise UsageError(
            "found no way in which texts are to be changed; name one or more, such as --way synonym, or in Python "
            'ways=["synonym"]'
        )
    added = augmenter.added(rows)
    refuse_none(added, rows, settings)
    return replace(rows, rows=[*rows, *added.rows], lines=[], beside=[]), added


def read_synonyms(path: Path) -> list[list[str]]:
    """Groups of words, one a line, with commas, semicolons or tabs between them, else spaces; `#` begins a remark.

    DataError names lines that are no group.
    """
    lines = lines_of(path, "augmentation.synonyms names a file with words that mean the same on each line")
    groups, problems = list[list[str]](), list[str]()
    for number, plain in enumerate(lines, start=1):
        if not plain or plain.startswith("#"):
            continue
        group = [word.strip() for word in (_BETWEEN.split(plain) if _BETWEEN.search(plain) else plain.split())]
        groups.append(list(dict.fromkeys(word for word in group if word)))
        if len(groups[-1]) < 2:
            problems.append(
                f"{path}:{number}: found {plain[:40]!r}, expected two words or more with commas, tabs or spaces between"
            )
    if problems:
        raise DataError(problems)
    if not groups:
        raise DataError(f"{path}:1: found no words, expected some that mean the same on each line; add some")
    return groups


def fill_of(name: str) -> Fill:
    """A masked language model that says what may stand at blanks: a bundle, or a checkpoint that has the head."""
    predictor = _guesser(name)
    tokenizer = predictor.model.tokenizer
    assert tokenizer.mask_id is not None, "there is an objective that masks"
    mask, marks = tokenizer.token(tokenizer.mask_id), [mark for mark in "▁Ġ" if _has(tokenizer, mark)]

    def fill(texts: Sequence[Sequence[str]]) -> list[list[Candidates]]:
        answers = predictor.predict([mask.join(parts) for parts in texts])
        blanks = [answer.get("masks", [answer]) for answer in answers]  # of one blank alone there is no list
        return [
            [_words(blank["candidates"], tokenizer, marks) for blank in one if "candidates" in blank] for one in blanks
        ]

    return fill


def _guesser(name: str) -> Predictor:
    device = choose_device()
    if (Path(name) / "bundle.json").is_file():
        predictor = load_torch(name)
        task = predictor.task
        if not isinstance(task, Pretraining) or task.asking is None or not task.objective(task.asking).masks:
            raise UsageError(
                f"augmentation.model {name}: is a bundle of {task.name}, which fills no blanks; take one of `bertie "
                "pretrain` with the objective masked_lm"
            )
        return predictor
    folder = resolve(name).folder
    loaded, tokenizer = checkpoint.load(folder), Tokenizer.from_folder(folder)
    checkpoint.refuse_pieces(loaded.encoder, tokenizer.vocab_size, folder)
    task = Pretraining.of("masked_lm", loaded.encoder, tokenizer, {})
    task.build_head(loaded.encoder.config.hidden_size)
    if not task.take_heads(loaded.heads):
        raise UsageError(
            f"augmentation.model {name}: has no masked-LM head, only an encoder; take a checkpoint that has one, or a "
            "bundle of `bertie pretrain`"
        )
    model = Model(loaded.encoder.to(device), task.to(device), tokenizer, loaded.encoder.config.max_length, origin=name)
    return Predictor(model, name)


def _has(tokenizer: Tokenizer, mark: str) -> bool:
    return any(piece.startswith(mark) for piece in tokenizer.pieces)


def _words(candidates: Sequence[dict[str, object]], tokenizer: Tokenizer, marks: Sequence[str]) -> Candidates:
    """Those pieces that are whole words, or begin with Han characters, which have no spaces between them."""
    found = []
    for candidate in candidates:
        token, score = str(candidate["token"]), candidate["score"]
        piece = tokenizer.piece_id(token)
        text = "" if piece is None else tokenizer.decode([piece]).strip()
        begins = not token.startswith("##") and (not marks or token.startswith(tuple(marks)))
        if text and (begins or is_han(text)) and isinstance(score, float):
            found.append((text, score))
    return found
