"""The command that learns a vocabulary.

In:  arguments
Out: one call of the workflow, and its result printed
Knows nothing of how it is learned. Imports it inside the command, so that `bertie --help` is instant.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bertie.cli import options
from bertie.cli.options import speaker


def tokenizer(
    corpus: Annotated[
        list[str], typer.Argument(help="Raw text: .txt, .jsonl or Parquet files, folders of them, or hub:NAME.")
    ],
    size: Annotated[int, typer.Option(help="Pieces, with the 5 specials.")],
    out: Annotated[Path, typer.Option(help="Folder of the tokenizer.")],
    type_: Annotated[str | None, typer.Option("--type", help="wordpiece (default), bpe or unigram.")] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Keep the pieces of this model that the text uses most, instead of learning new ones."),
    ] = None,
    words: Annotated[Path | None, typer.Option(help="File with a word a line; each becomes a whole piece.")] = None,
    keep_case: Annotated[
        bool, typer.Option("--keep-case", help="Tell capitals from small letters in wordpiece; the others always do.")
    ] = False,
    text_column: options.TextColumn = None,
    encoding: options.Encoding = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the tokenizer in --out.")] = False,
    json_: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Learn the pieces of a vocabulary from raw text, or keep those of a model that the text uses."""
    from bertie.workflow.vocabulary import VocabularyRequest, run_vocabulary

    request = VocabularyRequest(
        corpus=tuple(corpus),
        out=out,
        size=size,
        kind=type_,
        model=model,
        words=words,
        keep_case=keep_case or None,
        text_column=text_column,
        encoding=encoding,
        overwrite=overwrite,
    )
    result = run_vocabulary(request, speaker(quiet or json_))
    print(json.dumps(result.to_dict(), ensure_ascii=False) if json_ else result.readable())
