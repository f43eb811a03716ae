"""Vectors of texts, from a bundle of the embedding task or from an encoder as it came.

In:  a bundle, or an alias, folder or hub name; a list of texts, or a file name, or `-`
Out: vectors (N, D) of length one; JSON lines on stdout, or a file of the kind that its ending names, with the marks by
     which a person knows the rows again
Knows nothing of the command line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, tee
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
from bertie.data import answer_table, vector_files
from bertie.data.rows import ROWS_PER_BLOCK, Row, check_several
from bertie.predict import Predictor, load_torch
from bertie.tasks.embedding import Embedding, EmbeddingSettings
from bertie.workflow.choose import load_start
from bertie.workflow.learned_columns import options_for
from bertie.workflow.output import check_output
from bertie.workflow.predict import Asked, Source, marks_of, placed, rows_of
from bertie.workflow.request import Loading, Reading, Say

# N texts, D width
Floats = NDArray[np.float32]
Marked = tuple[Row, Floats]
"""What says which row a vector (D,) is of, its id or its line, and the vector."""
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
    """Writes a vector a row, in order, with the row's id where it has one; and its line where bad rows are left out.

    All rows are checked before the first vector is written, and none is held.
    """
    if output is not None:
        _check_file(output, source, reading)
    predictor = embedder(loading.model, loading.dtype, loading.device)
    check_size(predictor, size)
    with rows_of(source, options_for(loading.model, predictor.task, reading), say) as rows:
        with_lines = reading.skip_bad_rows
        vectors = _marked(predictor, rows, size, with_lines)
        if output is None:
            sys.stdout.writelines(map(_line, vectors))
            return
        marks: dict[str, pa.DataType] = {}
        if output.suffix.lower() == ".parquet":  # its columns are to be known before the first vector
            marks = answer_table.column_types(_marks(placed(rows, with_lines)))
        write_vectors(output, vectors, (sum(1 for _ in rows), width_of(predictor, size)), marks)


def write_vectors(
    path: Path, vectors: Iterator[Marked], shape: tuple[int, int], marks: Mapping[str, pa.DataType]
) -> None:
    """Vectors, as they come, as JSON lines with their marks, an array of numpy without them, or a Parquet table with a
    column for each of `marks` and one `vector`.

    `shape` is (N, D), of all of them.
    """
    with new_file(path, 4 * shape[0] * shape[1]) as temporary:
        if path.suffix.lower() == ".npy":
            _write_array(temporary, vectors, shape)
        elif path.suffix.lower() == ".parquet":
            _write_table(temporary, vectors, shape[1], marks)
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


def _check_file(output: Path, source: Source, reading: Reading) -> None:
    check_output(output, source, "--output", "vectors.npy")
    if output.suffix.lower() not in ENDINGS:
        raise UsageError(f"--output {output}: expected a name that ends with {', '.join(ENDINGS)}")
    if output.suffix.lower() == ".npy" and reading.skip_bad_rows:
        raise UsageError(
            f"--output {output}: an array cannot say which rows --skip-bad-rows left out, so nobody would know whose "
            "vectors they are; name a file that ends with .jsonl or .parquet, whose vectors have their lines"
        )


def _marked(predictor: Predictor, rows: Asked, size: int | None, with_lines: bool) -> Iterator[Marked]:
    """The vector of each row, in order, with its marks; no more than a block is held."""
    asked, kept = tee(placed(rows, with_lines))
    texts = (row if isinstance(row, str) else predictor.task.texts(row)[0] for _, row in asked)
    return zip(_marks(kept), stream(predictor, texts, size), strict=True)


def _marks(rows: Iterable[tuple[Row, str | Row]]) -> Iterator[Row]:
    return (marks_of(marked | row if isinstance(row, dict) else marked) for marked, row in rows)


def _write_array(path: Path, vectors: Iterator[Marked], shape: tuple[int, int]) -> None:
    """What `np.save` writes, without all vectors at once."""
    with path.open("wb") as file:
        descr = np.lib.format.dtype_to_descr(np.dtype(np.float32))
        np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
        file.writelines(vector.tobytes() for _, vector in vectors)


def _write_table(path: Path, vectors: Iterator[Marked], width: int, marks: Mapping[str, pa.DataType]) -> None:
    schema = pa.schema([*marks.items(), ("vector", pa.list_(pa.float32(), width))])
    with pq.ParquetWriter(path, schema) as writer:
        while group := list(islice(vectors, ROWS_PER_BLOCK)):
            columns = [answer_table.column([one.get(name) for one, _ in group], kind) for name, kind in marks.items()]
            numbers = pa.array(np.concatenate([vector for _, vector in group]))
            columns.append(pa.FixedSizeListArray.from_arrays(numbers, width))
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _line(one: Marked) -> str:
    """Nine digits hold a float32."""
    marks, vector = one
    return json.dumps(marks | {"vector": [float(f"{number:.9g}") for number in vector]}, ensure_ascii=False) + "\n"
