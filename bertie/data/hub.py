"""The hub, without ever waiting for it: its cache on this disk, a quick look whether it answers, a download.

In:  a repository's name, a cache folder or none for the usual one
Out: a folder with config, safetensors weights and tokenizer, or the reason why there is none
Knows nothing of aliases, packages and data sets. Takes data only: pickles (*.bin) and code (*.py) are never downloaded.
"""

from __future__ import annotations

import http.client
import os
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from huggingface_hub.utils.tqdm import disable_progress_bars

from bertie.core.errors import ModelError

FILES = [
    "config.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "1_Pooling/config.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "modules.json",
]
PATIENCE = 3.0
"""Seconds after which a hub that does not answer counts as out of reach, for the rest of the process."""
_OFF = {"", "0", "false", "no", "off"}
_answers: dict[str, bool] = {}
_lock = threading.Lock()


def problem_with(folder: Path) -> str | None:
    """What keeps a folder from being a model that can be loaded; None if nothing does."""
    if not (folder / "config.json").is_file():
        return "no config.json"
    if not any(folder.glob("model*.safetensors")):
        pickles = ", ".join(sorted(path.name for path in folder.glob("*.bin")))
        also = f" ({pickles} is a pickle, that is a program, and is not loaded)" if pickles else ""
        return f"no model.safetensors{also}"
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        return "no tokenizer.json or vocab.txt"
    return None


def cached(name: str, cache_dir: Path | None = None) -> Path | None:
    """The snapshot in the hub's local cache, if it is whole. Touches no network."""
    try:
        found = snapshot_download(name, cache_dir=cache_dir, local_files_only=True, allow_patterns=FILES)
    except (LocalEntryNotFoundError, HFValidationError, OSError, ValueError):
        return None
    folder = Path(found)
    return folder if problem_with(folder) is None else None


def is_reachable() -> bool:
    """Whether the hub answers at all, within `PATIENCE`; asked once a process. HF_HUB_OFFLINE says no."""
    if constants.HF_HUB_OFFLINE or os.environ.get("HF_HUB_OFFLINE", "").strip().lower() not in _OFF:
        return False
    endpoint = _endpoint()
    with _lock:
        if endpoint not in _answers:
            _answers[endpoint] = _ask(endpoint)
        return _answers[endpoint]


def download(name: str, cache_dir: Path | None = None) -> Path:
    """Fetch the files of one model into the hub's cache. ModelError says why it did not work."""
    if not sys.stderr.isatty():
        disable_progress_bars()
    endpoint = _endpoint()
    try:
        found = snapshot_download(
            name, cache_dir=cache_dir, allow_patterns=FILES, endpoint=endpoint, etag_timeout=PATIENCE
        )
    except HFValidationError as error:
        raise ModelError(f"{name!r} is neither a folder nor a name that the hub can have: {error}") from error
    except Exception as error:  # a download that breaks off raises whatever the network stack throws
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{name}: the hub at {endpoint} did not give it: {reason}") from error
    folder = Path(found)
    if problem := problem_with(folder):
        raise ModelError(f"{name}: the hub has {problem}; take a model with safetensors weights and a tokenizer")
    return folder


def _endpoint() -> str:
    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def _ask(endpoint: str) -> bool:
    """Ask in a thread, because looking up a host's name has no time limit of its own."""
    answer: list[bool] = []
    thread = threading.Thread(target=lambda: answer.append(_head(endpoint)), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return bool(answer and answer[0])


def _head(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=PATIENCE):
            return True
    except urllib.error.HTTPError:
        return True  # an error page is an answer
    except (OSError, ValueError, http.client.HTTPException):
        return False
