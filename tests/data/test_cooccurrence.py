"""Word vectors from counting: the counts are those of a slow loop, and pieces with the same neighbours are near."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertie.data import cooccurrence
from bertie.data.cooccurrence import WINDOW, cooccurrence_vectors, cooccurrences, positive_information
from bertie.data.corpus_shards import Shards

PIECES = 12
Documents = list[list[int]]


def shards(folder: Path, documents: Documents) -> Shards:
    """One shard of documents whose pieces are known, as the corpus writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = np.array([piece for document in documents for piece in document], dtype=np.uint16)
    np.save(folder / "ids.npy", ids)
    np.save(folder / "marks.npy", np.zeros(len(ids), dtype=np.uint8))
    np.save(folder / "bounds.npy", np.cumsum([0, *map(len, documents)]).astype(np.int64))
    return Shards([folder])


def counted(documents: Documents) -> dict[tuple[int, int], float]:
    """The same by a loop over all pairs."""
    found: Counter[tuple[int, int]] = Counter()
    for document in documents:
        for i, one in enumerate(document):
            for j, other in enumerate(document):
                if 0 < abs(i - j) <= WINDOW:
                    found[one, other] += 1.0 / abs(i - j)  # type: ignore[assignment]
    return dict(found)


@settings(max_examples=30, deadline=None)
@given(documents=st.lists(st.lists(st.integers(0, PIECES - 1), max_size=20), min_size=1, max_size=5))
def test_counts_are_those_of_a_loop_and_no_pair_reaches_over_documents(
    documents: Documents, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = cooccurrences(shards(tmp_path_factory.mktemp("shard"), documents), PIECES).toarray()
    for (one, other), count in counted(documents).items():
        assert found[one, other] == pytest.approx(count, rel=1e-5)
        found[one, other] = 0.0
    assert not found.any()


def test_counts_do_not_hang_on_how_many_tokens_lie_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [[i % PIECES, (i * 5) % PIECES, (i * 7) % PIECES] for i in range(50)]
    whole = cooccurrences(shards(tmp_path, documents), PIECES).toarray()
    monkeypatch.setattr(cooccurrence, "AT_ONCE", 7)
    np.testing.assert_allclose(cooccurrences(shards(tmp_path, documents), PIECES).toarray(), whole, rtol=1e-5)


def test_information_is_the_logarithm_of_observed_to_expected(tmp_path: Path) -> None:
    counts = cooccurrences(shards(tmp_path, [[0, 1], [0, 1], [2, 3], [0, 3]]), 4)
    near = np.asarray(counts.sum(axis=0)).ravel()
    shares = near**cooccurrence.SMOOTHING / (near**cooccurrence.SMOOTHING).sum()
    expected = max(0.0, math.log(counts[0, 1] / (near[0] * shares[1])))
    assert positive_information(counts)[0, 1] == pytest.approx(expected, rel=1e-5)
    assert positive_information(counts)[0, 2] == 0.0


def test_pieces_that_stand_in_the_same_places_have_near_vectors(tmp_path: Path) -> None:
    """Cats and dogs (0, 1) are fed and stroked, cars and bikes (2, 3) are driven and mended; 4 to 7."""
    generator = np.random.default_rng(0)
    documents = [[int(generator.choice([0, 1])), int(generator.choice([4, 5]))] for _ in range(200)]
    documents += [[int(generator.choice([2, 3])), int(generator.choice([6, 7]))] for _ in range(200)]
    vectors = cooccurrence_vectors(shards(tmp_path, documents), PIECES, 6, seed=0)
    assert vectors.shape == (PIECES, 6) and vectors.dtype == np.float32
    near = vectors @ vectors.T
    assert near[0, 1] > 0.9 and near[2, 3] > 0.9 and abs(near[0, 2]) < 0.1
    np.testing.assert_allclose(np.diag(near)[:8], 1.0, rtol=1e-5)
    assert not vectors[8:].any(), "what never stands there has no vector"


def test_the_same_seed_gives_the_same_vectors_and_a_table_may_be_wider_than_the_vocabulary(tmp_path: Path) -> None:
    documents = shards(tmp_path, [[0, 1, 2, 3], [3, 1, 0, 2], [4, 5, 4]])
    one, two = (cooccurrence_vectors(documents, 6, 9, seed=3) for _ in range(2))
    assert one.tobytes() == two.tobytes()
    assert one.shape == (6, 9) and not one[:, 5:].any()


def test_documents_of_one_piece_give_nothing(tmp_path: Path) -> None:
    assert not cooccurrence_vectors(shards(tmp_path, [[3], [5]]), 8, 4, seed=0).any()
