"""Vectors of texts, from a bundle of the embedding task or from an encoder as it came.

In:  a bundle, or an alias, folder or hub name; a list of texts, or a file name, or `-`
Out: vectors (N, D) of length one; JSON lines on stdout, or a file of the kind that its ending names
Knows nothing of the command line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bertie.bundle.checksums import SEAL
from bertie.bundle.folder import Model
from bertie.core.errors import UsageError
from bertie.core.files import new_file
from bertie.core.runtime import choose_device, choose_dtype
from bertie.data import vector_files
from bertie.data.rows import ROWS_PER_BLOCK, check_several
from bertie.predict import Predictor, load_torch
from bertie.tasks.embedding import Embedding, EmbeddingSettings
from bertie.workflow.choose import load_start
from bertie.workflow.learned_columns import options_for
from bertie.workflow.predict import Source, check_output, rows_of
from bertie.workflow.request import Loading, Reading, Say

# N texts, D width
Floats = NDArray[np.float32]
ENDINGS = (".jsonl", ".npy", ".parquet")


def embedder(model: str | Path, dtype: str = "float32", device: str = "auto") -> Predictor:
    """What gives vectors: a bundle of the embedding task, or an encoder that nobody has tuned, with the pooling and the
    prefix that it was trained with.

    `dtype` and `device` as in `load`. UsageError: a bundle of another task. ModelError: there is no such model.
    """
    folder = Path(model)
    if (folder / SEAL).is_file():
        return require_vectors(load_torch(folder, dtype, device))
    place = choose_device(device)
    start = load_start(str(model))
    vector_files.refuse_others(start.source.folder)
    width, most = start.encoder.config.hidden_size, start.encoder.config.max_length
    length = min(vector_files.length_of(start.source.folder) or most, most)
    task = Embedding(prefix="", settings=EmbeddingSettings())
    task.settle(start.source.prefix, start.source.pooling)
    task.build_head(width)
    start.encoder.to(place)
    parts = Model(start.encoder, task.to(place), start.tokenizer, length, origin=start.source.name)
    return Predictor(parts, start.source.name, choose_dtype(place, dtype)[0])


def require_vectors(predictor: Predictor) -> Predictor:
    """The same; UsageError where it gives no vectors."""
    if not isinstance(predictor.task, Embedding):
        raise UsageError(
            f"{predictor.name}: is a model of {predictor.task.name}, expected one of embedding; train it with "
            "--task embedding, or name an encoder"
        )
    return predictor


def embed(
    model: str | Path | Predictor,
    texts: Sequence[str],
    *,
    size: int | None = None,
    dtype: str = "float32",
    device: str = "auto",
) -> Floats:
    """Vectors of texts, (N, D) of length one; `size`: their first numbers alone, brought to length one again.

    `model` is a bundle, an alias, a folder or a hub name, with the `dtype` and `device` of `load`; or what `embedder`
    made of one, which is loaded only once.
    DataError: one text stands where a list is expected.
    """
    check_several(texts)
    predictor = require_vectors(model) if isinstance(model, Predictor) else embedder(model, dtype, device)
    check_size(predictor, size)
    found = np.empty((len(texts), width_of(predictor, size)), dtype=np.float32)
    for i, vector in enumerate(stream(predictor, texts, size)):
        found[i] = vector
    return found


def stream(predictor: Predictor, texts: Iterable[str], size: int | None) -> Iterator[Floats]:
    """The vector (D,) of each text, in order; no more than a block of texts is held."""
    for answer in predictor.stream(texts):
        yield shortened(np.array([answer["vector"]], dtype=np.float32), size)[0]


def run_embedding(
    loading: Loading, source: Source, output: Path | None, reading: Reading, say: Say, size: int | None
) -> None:
    """Writes a vector a row, in order. All rows are checked before the first one is written, and none is held."""
    if output is not None:
        check_output(output, source, "vectors.npy")
        if output.suffix.lower() not in ENDINGS:
            raise UsageError(f"--output {output}: expected a name that ends with {', '.join(ENDINGS)}")
    predictor = embedder(loading.model, loading.dtype, loading.device)
    check_size(predictor, size)
    with rows_of(source, options_for(loading.model, predictor.task, reading), say) as rows:
        texts = (row if isinstance(row, str) else predictor.task.texts(row)[0] for row in rows)
        vectors = stream(predictor, texts, size)
        if output is None:
            sys.stdout.writelines(map(_line, vectors))
        else:
            write_vectors(output, vectors, (sum(1 for _ in rows), width_of(predictor, size)))


def write_vectors(path: Path, vectors: Iterator[Floats], shape: tuple[int, int]) -> None:
    """Vectors (D,), as they come, as JSON lines, an array of numpy, or a Parquet table with a column `vector`.

    `shape` is (N, D), of all of them.
    """
    with new_file(path, 4 * shape[0] * shape[1]) as temporary:
        if path.suffix.lower() == ".npy":
            _write_array(temporary, vectors, shape)
        elif path.suffix.lower() == ".parquet":
            _write_table(temporary, vectors, shape[1])
        else:
            with temporary.open("w", encoding="utf-8") as file:
                file.writelines(map(_line, vectors))


def width_of(predictor: Predictor, size: int | None) -> int:
    """Numbers of a vector of which the first `size` are taken; None: all."""
    return size or predictor.model.encoder.config.hidden_size


def check_size(predictor: Predictor, size: int | None) -> None:
    """UsageError where vectors have no such part."""
    width = width_of(predictor, None)
    if size is not None and not 1 <= size <= width:
        raise UsageError(f"--size {size}: the vectors have {width} numbers, expected 1 to {width}")


def shortened(vectors: Floats, size: int | None) -> Floats:
    """The first numbers of vectors (N, D), at length one again (Kusupati et al. 2022)."""
    if size is None:
        return vectors
    lengths: Floats = np.linalg.norm(vectors[:, :size], axis=1, keepdims=True).clip(min=1e-12)
    return vectors[:, :size] / lengths


def _write_array(path: Path, vectors: Iterator[Floats], shape: tuple[int, int]) -> None:
    """What `np.save` writes, without all vectors at once."""
    with path.open("wb") as file:
        descr = np.lib.format.dtype_to_descr(np.dtype(np.float32))
        np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
        file.writelines(vector.tobytes() for vector in vectors)


def _write_table(path: Path, vectors: Iterator[Floats], width: int) -> None:
    with pq.ParquetWriter(path, pa.schema([("vector", pa.list_(pa.float32(), width))])) as writer:
        while group := list(islice(vectors, ROWS_PER_BLOCK)):
            column = pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate(group)), width)
            writer.write_table(pa.table({"vector": column}))


def _line(vector: Floats) -> str:
    """Nine digits hold a float32."""
    return json.dumps({"vector": [float(f"{number:.9g}") for number in vector]}) + "\n"
