"""The 4-bit file becomes a Hugging Face folder that gives the sentences their known neighbours."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import BertModel

from bertie.core.errors import StorageError
from bertie.data import e5_small
from bertie.data.demo import news_en, reviews_zh
from bertie.data.e5_file import E5File
from bertie.data.e5_pieces import kept_pieces
from bertie.data.e5_small import cache_root, cached_folder
from bertie.text.tokenizer import Tokenizer

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def opened(e5_file: Path) -> E5File:
    return E5File(e5_file)


def vector(model: BertModel, tokenizer: Tokenizer, text: str) -> torch.Tensor:
    ids = torch.tensor([tokenizer.encode("query: " + text).ids])
    with torch.no_grad():
        states = model(input_ids=ids).last_hidden_state[0]
    return torch.nn.functional.normalize(states.mean(0), dim=0)


def test_neighbours_of_a_sentence(e5_folder: Path) -> None:
    model, report = BertModel.from_pretrained(e5_folder, add_pooling_layer=False, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    model.eval()
    tokenizer = Tokenizer.from_folder(e5_folder)
    query = vector(model, tokenizer, "怎么修改银行卡密码")
    expected = {"如何更改储蓄卡的密码": 0.96, "how do I change my card PIN": 0.84, "今天天气很好": 0.78}
    for text, cosine in expected.items():
        assert float(query @ vector(model, tokenizer, text)) == pytest.approx(cosine, abs=0.01)


def reference_pieces(opened: E5File, text: str, scores: dict[str, float]) -> list[str]:
    """Our own Viterbi after the normalisation table, as the package's C code has it."""
    normal = "".join(opened.normalisation.get(character, character) for character in text)
    normal = "▁" + "▁".join(normal.split())
    best: list[tuple[float, int]] = [(0.0, 0)]
    unknown = min(scores.values()) - 10
    for end in range(1, len(normal) + 1):
        steps = [(best[end - 1][0] + unknown, end - 1)]
        steps += [
            (best[start][0] + scores[normal[start:end]], start)
            for start in range(max(0, end - 16), end)
            if normal[start:end] in scores
        ]
        best.append(max(steps, key=lambda step: step[0]))
    pieces, end = [], len(normal)
    while end:
        pieces.append(normal[best[end][1] : end])
        end = best[end][1]
    return pieces[::-1]


@pytest.mark.slow
def test_pieces_equal_the_reference_and_hardly_suffer_from_pruning(opened: E5File, e5_folder: Path) -> None:
    texts = [text[:400] for split in (news_en(), reviews_zh()) for text in split.test.column("text")[:25]]
    texts = [text for text in texts if text.strip()]
    everything = dict(zip(opened.pieces, opened.scores, strict=True))
    kept = {opened.pieces[i]: opened.scores[i] for i in kept_pieces(opened.pieces)}
    tokenizer = Tokenizer.from_folder(e5_folder)
    changed = total = 0
    for text in texts:
        ours = [tokenizer.token(i) for i in tokenizer.encode(text, None, 10_000).ids[1:-1]]
        pruned = reference_pieces(opened, text, kept)
        assert [piece if piece in kept else "<unk>" for piece in pruned] == ours
        whole = [piece for piece in reference_pieces(opened, text, everything) if piece in everything]
        changed += sum(piece not in kept for piece in whole)
        total += len(whole)
    assert changed / total < 0.01


def test_what_is_kept(opened: E5File, e5_folder: Path) -> None:
    kept = kept_pieces(opened.pieces)
    names = [opened.pieces[i] for i in kept]
    assert names[:4] == ["<s>", "<pad>", "</s>", "<unk>"]
    assert names[-1] == "<mask>"
    assert 45_000 < len(kept) < 60_000
    assert json.loads((e5_folder / "config.json").read_text())["vocab_size"] == len(kept)
    for piece in ("密码", "▁password", "9", "、", "😀", "é"):
        assert piece in names, piece
    assert not [piece for piece in names if len(piece) > 3 and re.search("[а-яא-ת가-힣ก-๛]", piece)]


def test_numbers_are_those_of_the_file(opened: E5File, e5_folder: Path) -> None:
    """Block by block as the layout is written down, without numpy's help."""
    table = load_file(e5_folder / "model.safetensors")["embeddings.word_embeddings.weight"]
    kept = kept_pieces(opened.pieces)
    entry = opened._entries["emb.word"]
    for row in (0, 777, len(kept) - 1):
        at = entry.offset + int(kept[row]) * 12 * 18
        block = bytes(opened._data[at : at + 18])
        scale = float(np.frombuffer(block[:2], "<f2")[0])
        expected = [((byte & 15) - 8) * scale for byte in block[2:]] + [((byte >> 4) - 8) * scale for byte in block[2:]]
        assert table[row, :32].tolist() == pytest.approx(expected, abs=1e-7)


def test_normalisation_is_the_table(opened: E5File, e5_folder: Path) -> None:
    normalizer = Tokenizer.from_folder(e5_folder)._rust.normalizer
    wrong = [key for key, value in opened.normalisation.items() if normalizer.normalize_str(key) != value]
    assert wrong == []
    assert normalizer.normalize_str("e\u0301") == "é"


def test_a_second_look_converts_nothing(e5_file: Path, e5_folder: Path) -> None:
    before = (e5_folder / "model.safetensors").stat()
    assert cached_folder(e5_file, e5_folder.parent) == e5_folder
    assert (e5_folder / "model.safetensors").stat() == before
    assert [path.name for path in e5_folder.parent.iterdir()] == [e5_folder.name]


def test_another_list_of_pieces_is_another_conversion(
    e5_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted = []

    def convert(source: Path, folder: Path) -> None:
        converted.append(folder)
        (folder / "conversion.json").write_text('{"bytes": {}}')

    monkeypatch.setattr(e5_small, "convert", convert)
    first = cached_folder(e5_file, tmp_path)
    assert cached_folder(e5_file, tmp_path) == first
    monkeypatch.setattr(e5_small, "fingerprint", lambda: "another")
    assert cached_folder(e5_file, tmp_path) != first
    assert len(converted) == 2


@pytest.mark.parametrize("damage", ["no manifest", "short weights"])
def test_a_damaged_conversion_is_replaced(e5_file: Path, e5_folder: Path, tmp_path: Path, damage: str) -> None:
    copy = tmp_path / e5_folder.name
    shutil.copytree(e5_folder, copy)
    if damage == "no manifest":
        (copy / "conversion.json").unlink()
    else:
        (copy / "model.safetensors").write_bytes(b"short")
    assert cached_folder(e5_file, tmp_path) == copy
    assert (copy / "model.safetensors").stat().st_size == (e5_folder / "model.safetensors").stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == [copy.name]


@pytest.mark.crash
@pytest.mark.slow
def test_two_at_once_and_one_killed(e5_file: Path, tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from bertie.data.e5_small import cached_folder as c; "
    code += "c(Path(sys.argv[1]), Path(sys.argv[2]))"
    start = [subprocess.Popen([sys.executable, "-c", code, e5_file, tmp_path], cwd=ROOT) for _ in range(3)]
    while not list(tmp_path.iterdir()):
        assert start[0].poll() is None
    start[0].kill()
    assert [process.wait(120) for process in start[1:]] == [0, 0]
    start[0].wait()
    folder = cached_folder(e5_file, tmp_path)
    assert Tokenizer.from_folder(folder).vocab_size == len(
        load_file(folder / "model.safetensors")["embeddings.word_embeddings.weight"]
    )


def test_a_cache_that_cannot_be_written(e5_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="set BERTIE_CACHE"):
        cached_folder(e5_file, tmp_path / "file" / "cache")


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BERTIE_CACHE", "one")
    monkeypatch.setenv("XDG_CACHE_HOME", "two")
    assert cache_root() == Path("one")
    monkeypatch.delenv("BERTIE_CACHE")
    assert cache_root() == Path("two/bertie")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_root() == Path.home() / ".cache" / "bertie"
