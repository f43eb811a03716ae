"""Vectors of texts, from a bundle of the embedding task or from an encoder as it came.

In:  a bundle, or an alias, folder or hub name; a list of texts, or a file name, or `-`
Out: vectors (N, D) of length one; JSON lines on stdout, or a file of the kind that its ending names
Knows nothing of the command line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bertie.bundle.checksums import SEAL, stay_outside
from bertie.bundle.folder import Model
from bertie.core.errors import UsageError
from bertie.core.files import new_file
from bertie.core.runtime import choose_device, choose_dtype
from bertie.data.rows import blocks
from bertie.predict import Predictor, load_torch
from bertie.tasks.embedding import Embedding, EmbeddingSettings
from bertie.workflow.choose import load_start
from bertie.workflow.predict import Source, rows_of
from bertie.workflow.request import Reading, Say

# N texts, D width
Floats = NDArray[np.float32]
ENDINGS = (".jsonl", ".npy", ".parquet")


def embedder(model: str | Path, dtype: str = "float32") -> Predictor:
    """What gives vectors: a bundle of the embedding task, or an encoder that nobody has tuned, with the pooling and the
    prefix that it was trained with.

    UsageError: a bundle of another task. ModelError: there is no such model.
    """
    folder = Path(model)
    if (folder / SEAL).is_file():
        predictor = load_torch(folder, dtype)
        if not isinstance(predictor.task, Embedding):
            raise UsageError(
                f"{folder}: is a bundle of {predictor.task.name}, expected one of embedding; train it with "
                "--task embedding, or name an encoder"
            )
        return predictor
    start, device = load_start(str(model)), choose_device()
    width, length = start.encoder.config.hidden_size, start.encoder.config.max_length
    task = Embedding(prefix="", settings=EmbeddingSettings())
    task.settle(start.source.prefix, start.source.pooling)
    task.build_head(width)
    start.encoder.to(device)
    parts = Model(start.encoder, task.to(device), start.tokenizer, length, origin=start.source.name)
    return Predictor(parts, start.source.name, choose_dtype(device, dtype)[0])


def embed(model: str | Path | Predictor, texts: Sequence[str], *, size: int | None = None) -> Floats:
    """Vectors of texts, (N, D) of length one; `size`: their first numbers alone, brought to length one again.

    `model` is a bundle, an alias, a folder or a hub name; or what `embedder` made of one, which is loaded only once.
    """
    predictor = model if isinstance(model, Predictor) else embedder(model)
    check_size(predictor, size)
    found = [np.array(answer["vector"], dtype=np.float32) for answer in predictor.stream(texts)]
    width = predictor.model.encoder.config.hidden_size
    return shortened(np.stack(found) if found else np.zeros((0, width), dtype=np.float32), size)


def run_embedding(
    model: str | Path, source: Source, output: Path | None, reading: Reading, say: Say, size: int | None
) -> None:
    """Writes a vector a row, in order. Rows are read, and checked, before the first one is written."""
    if output is not None:
        stay_outside(output)
        if output.suffix.lower() not in ENDINGS:
            raise UsageError(f"--output {output}: expected a name that ends with {', '.join(ENDINGS)}")
    predictor = embedder(model)
    check_size(predictor, size)
    with rows_of(source, reading, predictor.task.kind, say) as rows:
        texts = [row if isinstance(row, str) else predictor.task.texts(row)[0] for row in rows]
    if output is None:
        for part in blocks(texts):
            sys.stdout.writelines(_line(vector) for vector in embed(predictor, part, size=size))
    else:
        write_vectors(output, embed(predictor, texts, size=size))


def write_vectors(path: Path, vectors: Floats) -> None:
    """Vectors (N, D) as JSON lines, as an array of numpy, or as a Parquet table with a column `vector`."""
    with new_file(path, vectors.nbytes) as temporary:
        if path.suffix.lower() == ".npy":
            with temporary.open("wb") as file:  # given a name, numpy would add an ending to it
                np.save(file, vectors)
        elif path.suffix.lower() == ".parquet":
            column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
            pq.write_table(pa.table({"vector": column}), temporary)
        else:
            temporary.write_text("".join(map(_line, vectors)), encoding="utf-8")


def check_size(predictor: Predictor, size: int | None) -> None:
    """UsageError where vectors have no such part."""
    width = predictor.model.encoder.config.hidden_size
    if size is not None and not 1 <= size <= width:
        raise UsageError(f"--size {size}: the vectors have {width} numbers, expected 1 to {width}")


def shortened(vectors: Floats, size: int | None) -> Floats:
    """The first numbers of vectors (N, D), at length one again (Kusupati et al. 2022)."""
    if size is None:
        return vectors
    lengths: Floats = np.linalg.norm(vectors[:, :size], axis=1, keepdims=True).clip(min=1e-12)
    return vectors[:, :size] / lengths


def _line(vector: Floats) -> str:
    """Nine digits hold a float32."""
    return json.dumps({"vector": [float(f"{number:.9g}") for number in vector]}) + "\n"
