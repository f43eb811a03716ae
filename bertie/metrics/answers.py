"""Answers: extracted answers against gold ones, by the definitions of SQuAD and CMRC 2018.

In:  each row's gold answers (any number of texts; none, or empty ones: there is no answer) and its predicted text
Out: exact match and F1 of each row, 0 to 1; the mean over rows is the metric
Knows nothing of passages, offsets or models.

A row is Chinese where a Han character or a full-width mark stands in one of its texts, gold or predicted.

English, the official script of SQuAD (Rajpurkar et al. 2016 and 2018): lower case, without ASCII punctuation and the
articles a, an and the; F1 over the two bags of words.

Chinese, the official script of CMRC 2018 (Cui et al. 2019): lower case, without punctuation, each Han character a token
and each run of other letters a word. F1 is not over bags of tokens: what counts as common is the longest run of tokens
that stands in both texts without a gap. An answer of which the middle is missing is thus worth its longer half.

Where this differs from the official scripts, on purpose:

- a text of which normalisation leaves nothing (The, a lone mark) is compared as it is: only an empty text is empty;
- Chinese: full-width forms are folded first, `，` and `,` are dropped alike (the script knows only the former, and not
  `‘` and `…`), Han are all Han and not only U+4E00 to U+9FA5, spaces beside Han are nothing to exact match, and words
  are split at spaces and @ # $ % & instead of by NLTK's rules for English. As there, `3.14` and `1,000` stay whole.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

from bertie.metrics.rows import check_collections, check_rows
from bertie.metrics.tokens import HAN, fold_width

Tokens = list[str]

_CHINESE = re.compile(rf"[{HAN}\u3001-\u303f\uff01-\uff5e]")
_ARTICLE = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_SYMBOL = "@#$%&"
_TOKEN = re.compile(rf"[{HAN}{_SYMBOL}]|[^\s{HAN}{_SYMBOL}]+")
_IN_NUMBER = re.compile(r"(?<=[0-9])[.,](?=[0-9])")


def exact_match(gold: Sequence[Sequence[str]], predicted: Sequence[str]) -> list[float]:
    """1.0 for each row whose prediction is one of its gold answers after normalisation, else 0.0.

    Without a gold answer, 1.0 exactly where the prediction is empty. DataError: no rows, or a text instead of a list.
    """
    return _best(gold, predicted, lambda truth, guess, _: float(truth == guess))


def answer_f1(gold: Sequence[Sequence[str]], predicted: Sequence[str]) -> list[float]:
    """F1 of each row's prediction against the gold answer that it is nearest to, 0 to 1; see above for what is common.

    Without a gold answer, 1.0 exactly where the prediction is empty. DataError as in `exact_match`.
    """
    return _best(gold, predicted, _f1)


def answer_tokens(text: str, chinese: bool) -> Tokens:
    """The tokens of a text after normalisation; none only where the text is empty or white space."""
    if chinese:
        plain = fold_width(text).lower()
        tokens = _TOKEN.findall(_without_marks(plain))
    else:
        plain = text.lower()
        tokens = _ARTICLE.sub(" ", plain.translate(_PUNCTUATION)).split()
    return tokens or plain.split()


def _best(
    gold: Sequence[Sequence[str]], predicted: Sequence[str], compare: Callable[[Tokens, Tokens, bool], float]
) -> list[float]:
    check_rows(gold, predicted)
    check_collections(gold, "answer")
    return [_of_row(answers, text, compare) for answers, text in zip(gold, predicted, strict=True)]


def _of_row(answers: Sequence[str], text: str, compare: Callable[[Tokens, Tokens, bool], float]) -> float:
    chinese = any(_CHINESE.search(one) for one in (*answers, text))
    guess = answer_tokens(text, chinese)
    truths = [tokens for answer in answers if (tokens := answer_tokens(answer, chinese))]
    if not truths or not guess:
        return float(not truths and not guess)
    return max(compare(truth, guess, chinese) for truth in truths)


def _f1(truth: Tokens, guess: Tokens, chinese: bool) -> float:
    common = _longest_run(truth, guess) if chinese else (Counter(truth) & Counter(guess)).total()
    return 2 * common / (len(truth) + len(guess))


def _longest_run(truth: Tokens, guess: Tokens) -> int:
    """Length of the longest run of tokens in both; autojunk would leave out what is frequent in a long text."""
    return SequenceMatcher(None, truth, guess, autojunk=False).find_longest_match().size


def _without_marks(text: str) -> str:
    kept = {match.start() for match in _IN_NUMBER.finditer(text)}
    return "".join(mark for place, mark in enumerate(text) if place in kept or not _is_mark(mark))


def _is_mark(mark: str) -> bool:
    """Punctuation, and the signs that CMRC's script counts as such; what NLTK makes a token of its own is none."""
    return mark in "^~`+=" or (mark not in _SYMBOL and unicodedata.category(mark).startswith("P"))
