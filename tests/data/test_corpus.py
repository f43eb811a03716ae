"""A corpus on disk: the same bytes however it was made, the same ids as the tokenizer's, known again, resumed."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bertie.core.errors import BertieError, DataError, StorageError, UsageError
from bertie.data import corpus_plan, corpus_shards, corpus_worker
from bertie.data.corpus import Corpus, CorpusOptions, open_corpus, prepare_corpus
from bertie.data.corpus_plan import shard_name
from bertie.data.corpus_worker import Job
from tests.data.corpora import character_tokenizer, corpus_file, document

SMALL = CorpusOptions(processes=1, shard_tokens=3000)
ROOT = Path(__file__).parents[2]
CHILD = """
import sys
from pathlib import Path
from bertie.data.corpus import CorpusOptions, prepare_corpus
from tests.data.corpora import character_tokenizer
options = CorpusOptions(processes=int(sys.argv[3]), shard_tokens=3000)
prepare_corpus([sys.argv[1]], character_tokenizer(), Path(sys.argv[2]), options, print)
"""


def arrays(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.npy"))}


def prepare(source: Path, folder: Path, options: CorpusOptions = SMALL, **more: bool) -> Corpus:
    return prepare_corpus([str(source)], character_tokenizer(), folder, options, **more)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return corpus_file(tmp_path / "corpus.txt", 60)


def test_documents_are_what_the_tokenizer_gives(source: Path, tmp_path: Path) -> None:
    corpus, tokenizer = prepare(source, tmp_path / "c"), character_tokenizer()
    texts = source.read_text(encoding="utf-8").strip().split("\n\n")
    wanted = sorted(tokenizer.encode(text, max_length=10**6).ids[1:-1] for text in texts)
    found = [document.ids.tolist() for part in (corpus.train, corpus.held_out) for document in part]
    assert sorted(found) == wanted
    assert (len(corpus.train), len(corpus.held_out)) == (52, 8)
    assert corpus.train.lengths.tolist() == [len(one.ids) for one in corpus.train]
    assert corpus.train.tokens == sum(map(len, found[:52])) == corpus.unigrams.sum()
    assert corpus.unigrams.tolist() == np.bincount(np.concatenate(found[:52]), minlength=tokenizer.vocab_size).tolist()
    first = corpus.train[0]
    assert (first.ids.dtype, first.marks.dtype) == (np.uint16, np.uint8)
    assert isinstance(first.ids.base, np.memmap) or isinstance(first.ids, np.memmap)
    assert corpus.train[-1].ids.tolist() == found[51]
    with pytest.raises(IndexError):
        corpus.train[52]
    assert all(one.marks[0] == 3 for one in corpus.train)


def test_another_process_is_sent_no_tokens(source: Path, tmp_path: Path) -> None:
    train = prepare(source, tmp_path / "c").train
    unread = len(pickle.dumps(train))
    ids = [one.ids.tolist() for one in train]
    sent = pickle.dumps(train)
    assert len(sent) == unread
    assert [one.ids.tolist() for one in pickle.loads(sent)] == ids


def test_several_processes_give_the_same_bytes(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "one")
    prepare(source, tmp_path / "two", CorpusOptions(processes=2, shard_tokens=3000))
    assert len(arrays(tmp_path / "one")) > 6
    assert arrays(tmp_path / "one") == arrays(tmp_path / "two")


def test_a_second_call_opens_what_is_there(source: Path, tmp_path: Path) -> None:
    first, said = prepare(source, tmp_path / "c"), list[str]()
    moved = source.rename(tmp_path / "moved.txt")
    again = prepare_corpus([str(moved)], character_tokenizer(), tmp_path / "c", SMALL, said.append)
    assert said == []
    assert again.fingerprint == first.fingerprint == open_corpus(tmp_path / "c").fingerprint


def test_what_changed_is_named_and_may_be_replaced(source: Path, tmp_path: Path) -> None:
    first = prepare(source, tmp_path / "c")
    other = CorpusOptions(processes=1, shard_tokens=3000, held_out=0.3)
    with pytest.raises(UsageError, match=r"differs in held_out \(0.02, now 0.3\); choose another folder"):
        prepare(source, tmp_path / "c", other)
    with source.open("a") as file:
        file.write("\n\nanother text of the city.\n")
    with pytest.raises(UsageError, match="differs in text; choose another folder, or replace it with --overwrite"):
        prepare(source, tmp_path / "c")
    more = prepare(source, tmp_path / "c", overwrite=True)
    assert len(more.train) + len(more.held_out) == 61
    assert more.fingerprint != first.fingerprint


def test_documents_stay_held_out_when_others_are_added(tmp_path: Path) -> None:
    options = CorpusOptions(processes=1, held_out=0.3)
    few = prepare(corpus_file(tmp_path / "few.txt", 60), tmp_path / "a", options)
    many = prepare(corpus_file(tmp_path / "many.txt", 90), tmp_path / "b", options)
    held = {one.ids.tobytes() for one in many.held_out}
    assert len(few.held_out) > 10
    assert {one.ids.tobytes() for one in few.held_out} <= held
    assert not {one.ids.tobytes() for one in few.train} & held


def test_the_bytes_do_not_hang_on_how_much_is_read_at_once(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prepare(source, tmp_path / "a")
    monkeypatch.setattr(corpus_plan, "_BATCH", 3)
    monkeypatch.setattr(corpus_shards, "_AT_ONCE", 100)
    assert prepare(source, tmp_path / "b").fingerprint == whole.fingerprint
    assert arrays(tmp_path / "b") == arrays(tmp_path / "a")


def test_copies_and_near_copies_are_removed(tmp_path: Path) -> None:
    rng = random.Random(1)
    texts = [" ".join(f"{rng.randint(0, 10**6)} {document(rng)}" for _ in range(4)) for _ in range(20)]
    near = texts[3].replace("a", "e", 2)
    path = tmp_path / "a.jsonl"
    lines = [*texts, texts[0], texts[1].upper(), near, "", "  \u0007 "]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in lines), encoding="utf-8")
    corpus = prepare(path, tmp_path / "c")
    assert len(corpus.train) + len(corpus.held_out) == 20
    assert "2 empty documents, 2 exact duplicates, 1 near duplicates" in corpus.notes[1]
    kept = prepare(path, tmp_path / "d", CorpusOptions(processes=1, near_duplicates=False))
    assert len(kept.train) + len(kept.held_out) == 21


def test_special_tokens_in_a_text_are_only_letters(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("the [MASK] of\nthe [SEP] river\n", encoding="utf-8")
    corpus = prepare(path, tmp_path / "c")
    assert all(one.ids.min() > 4 or 1 in one.ids for part in (corpus.train, corpus.held_out) for one in part)
    assert not any({2, 3, 4} & set(one.ids.tolist()) for part in (corpus.train, corpus.held_out) for one in part)


@pytest.mark.parametrize("content", ["今天天气很好。", "one line and no more\n"])
def test_one_document_cannot_be_divided(content: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"a.txt:1: found 1 document, expected two or more"):
        prepare(path, tmp_path / "c")
    corpus = prepare(path, tmp_path / "d", CorpusOptions(processes=1, held_out=0.0))
    assert (len(corpus.train), len(corpus.held_out), corpus.held_out.tokens) == (1, 0, 0)


def test_wrong_options_and_folders(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"held_out is 1\.0"):
        CorpusOptions(held_out=1.0)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "thesis.doc").write_text("x")
    with pytest.raises(UsageError, match=r"holds thesis.doc and is no corpus"):
        prepare(source, tmp_path / "c", overwrite=True)
    with pytest.raises(DataError, match="holds no finished corpus"):
        open_corpus(tmp_path)


def test_a_full_disk_says_how_much_is_needed(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=5))
    with pytest.raises(StorageError, match=r"bytes are needed and 5 are free"):
        prepare(source, tmp_path / "c")


def test_an_error_and_a_death_in_a_process_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    job = Job(str(tmp_path / "file" / "shard"), "k", ["the city"])
    with pytest.raises(StorageError, match="cannot be written"):
        list(corpus_worker.tokenise([job], character_tokenizer(), (), 2))
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(BertieError, match="ended by exit code 1; start again"):
        list(corpus_worker.tokenise([job], character_tokenizer(), (), 2))


def test_a_damaged_shard_is_written_again(source: Path, tmp_path: Path) -> None:
    prepare(source, tmp_path / "c")
    before = arrays(tmp_path / "c")
    (tmp_path / "c" / "corpus.json").unlink()
    (tmp_path / "c" / shard_name(0) / "ids.npy").write_bytes(b"x")
    shutil.rmtree(tmp_path / "c" / shard_name(2))
    said: list[str] = []
    prepare_corpus([str(source)], character_tokenizer(), tmp_path / "c", SMALL, said.append)
    assert any("shards are there already" in line for line in said)
    assert arrays(tmp_path / "c") == before


@pytest.mark.crash
@pytest.mark.parametrize("processes", ["1", "2"])
def test_killed_anywhere_it_goes_on_to_the_same_bytes(tmp_path: Path, processes: str) -> None:
    source = corpus_file(tmp_path / "corpus.txt", 800)
    prepare(source, tmp_path / "straight")
    command = [sys.executable, "-c", CHILD, str(source), str(tmp_path / "c"), processes]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    killed, kept, rng, patience = 0, 0, random.Random(int(processes)), time.monotonic() + 200
    while time.monotonic() < patience:
        child = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        begun = len(list((tmp_path / "c").glob("*-*")))
        while child.poll() is None and len(list((tmp_path / "c").glob("*-*"))) < begun + 8 and killed < 3:
            time.sleep(rng.uniform(0.001, 0.02))
        if killed < 3 and child.poll() is None:
            child.send_signal(signal.SIGKILL)
        said, _ = child.communicate(timeout=200)
        kept += "are there already" in said
        killed += child.returncode == -signal.SIGKILL
        if child.returncode == 0:
            break
    assert killed and kept
    assert arrays(tmp_path / "c") == arrays(tmp_path / "straight")
    assert not list((tmp_path / "c").glob(".*"))
