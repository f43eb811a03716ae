"""Generation: written texts against references, by BLEU, chrF and ROUGE.

In:  each row's references (one or several) and its predicted text; for BLEU, the language they are in
Out: BLEU and chrF of all rows together, ROUGE of each row, 0 to 1 (papers write a hundred times as much)
Knows nothing of how a text was made. Needs the extra `generation`.

BLEU and chrF are sacrebleu's (Post 2018), with its defaults but for what is told below, so that figures can stand
beside other people's. ROUGE is rouge-score's, but for the tokens: its own tokenizer keeps a to z and 0 to 9 only and of
a Chinese text nothing, so that every Chinese answer scores 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from bertie.core.errors import DataError
from bertie.metrics.rows import check_collections, check_rows
from bertie.metrics.tokens import words

Language = Literal["zh", "en", "mixed", "other"]

_TOKENIZER = {"zh": "zh", "mixed": "zh", "en": "13a", "other": "13a"}
"""Language to sacrebleu's tokenizer: `zh` parts Han characters and leaves the rest to the rules of `13a`."""
ROUGE = ("rouge1", "rouge2", "rougeL")


def bleu(gold: Sequence[Sequence[str]], predicted: Sequence[str], language: Language) -> float:
    """Corpus BLEU (Papineni et al. 2002), 0 to 1; it is no mean over rows.

    Orders of n-grams for which every prediction is too short are left out (sacrebleu's `effective_order`): titles of
    three words would score 0 were they all right. DataError: no rows, or a row without a reference; it says which.
    """
    streams = _streams(gold, predicted)
    metric = BLEU(tokenize=_TOKENIZER[language], effective_order=True)
    return min(1.0, float(metric.corpus_score(predicted, streams).score) / 100)  # it can be 100.00000000000004


def chrf(gold: Sequence[Sequence[str]], predicted: Sequence[str]) -> float:
    """Corpus chrF2 (Popović 2015), F-score of character 1- to 6-grams, 0 to 1: of any language, and no mean over rows.

    DataError as in `bleu`.
    """
    streams = _streams(gold, predicted)
    return min(1.0, float(CHRF().corpus_score(predicted, streams).score) / 100)


def rouge(gold: Sequence[Sequence[str]], predicted: Sequence[str]) -> dict[str, list[float]]:
    """ROUGE-1, -2 and -L (Lin 2004) of each row, as F1, 0 to 1, by the reference nearest to it; the metric is the mean.

    Tokens are Han characters and words in lower case, without stemming. Equal token by token is 1.0, also where a text
    is too short for ROUGE-2. DataError as in `bleu`.
    """
    _check(gold, predicted)
    scorer = RougeScorer(list(ROUGE), tokenizer=_Words())
    rows = [_rouge_of_row(scorer, references, text) for references, text in zip(gold, predicted, strict=True)]
    return {name: [row[name] for row in rows] for name in ROUGE}


class _Words:
    """What rouge-score asks of a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


def _rouge_of_row(scorer: RougeScorer, references: Sequence[str], text: str) -> dict[str, float]:
    guess = words(text)
    if any(words(reference) == guess for reference in references):
        return dict.fromkeys(ROUGE, 1.0)
    return {name: float(score.fmeasure) for name, score in scorer.score_multi(references, text).items()}


def _streams(gold: Sequence[Sequence[str]], predicted: Sequence[str]) -> list[list[str]]:
    """The first references of all rows, the second ones, ...; a row with fewer repeats its first: no change."""
    _check(gold, predicted)
    most = max(len(references) for references in gold)
    return [[row[i] if i < len(row) else row[0] for row in gold] for i in range(most)]


def _check(gold: Sequence[Sequence[str]], predicted: Sequence[str]) -> None:
    check_rows(gold, predicted)
    check_collections(gold, "reference")
    empty = [number for number, references in enumerate(gold, start=1) if not references]
    if empty:
        what = "found no reference, expected at least one; write one or leave the row out"
        raise DataError([f"row {number} of {len(gold)}: {what}" for number in empty])
