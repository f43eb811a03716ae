"""Words that are hidden as a whole and become no pieces."""

from __future__ import annotations

from pathlib import Path

from bertie.text.tokenizer import Tokenizer
from bertie.workflow.pretrain_request import PretrainRequest
from bertie.workflow.pretrain_start import learn_vocabulary
from tests.data.corpora import corpus_file


def test_a_dictionary_larger_than_the_vocabulary_leaves_it_as_it_is(tmp_path: Path) -> None:
    source, words = corpus_file(tmp_path / "corpus.txt", 80), tmp_path / "words.txt"
    words.write_text("".join(f"量子{chr(0x4E00 + n)}\n" for n in range(500)), encoding="utf-8")
    made = []
    for name, given in (("with", words), ("without", None)):
        request = PretrainRequest(corpus=(str(source),), words=given)
        learn_vocabulary(request, 150, tmp_path / name, lambda line: None)
        made.append(Tokenizer.from_folder(tmp_path / name).fingerprint)
    assert made[0] == made[1]
