"""How the folder of an encoder says that it gives vectors: in the files of sentence-transformers.

    1_Pooling/config.json              how the states of a text become one vector
    config_sentence_transformers.json  prompts: what is put before a text
    sentence_bert_config.json          tokens of a text, specials included; longer ones are cut there
    modules.json                       the steps: encoder, pooling, length one

In:  the folder of an encoder; what is to be said of it
Out: its pooling and its prefix; or these files
Knows nothing of weights, tokenizers and tasks.

What is written is the format of the versions 2.4 to 5, which 6 reads as well. Both formats are read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from bertie.core.errors import ModelError

Pooling = Literal["mean", "first"]
POOLING = "1_Pooling/config.json"
PROMPTS = "config_sentence_transformers.json"
LENGTH = "sentence_bert_config.json"
MODULES = "modules.json"
MODES = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
"""Each is a key `pooling_mode_...`; several may be true, then their vectors stand side by side."""
OURS: dict[Pooling, str] = {"first": "cls_token", "mean": "mean_tokens"}
"""The two of them that an encoder of ours may have."""
STEPS = (("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize"))
"""Class and folder of each step; the last one has nothing to say, so its folder need not be there."""


def pooling_of(folder: Path) -> Pooling:
    """The first token's state, or the mean of all states, which is also taken where nothing is said. ModelError: the
    file is no JSON object.
    """
    said = _read(folder / POOLING)
    if "pooling_mode" in said:  # from version 6 on a name, or a list of them
        return "first" if said["pooling_mode"] in ("cls", ["cls"]) else "mean"
    first, mean = said.get("pooling_mode_cls_token"), said.get("pooling_mode_mean_tokens")
    return "first" if first and not mean else "mean"


def refuse_others(folder: Path) -> None:
    """ModelError where the vectors are made by steps that an encoder of ours has not: a dense layer behind the pooling,
    or another pooling. Without them they would be vectors that the model was never trained to give.
    """
    names = [str(module.get("type", "")).rpartition(".")[2] for module in _modules(folder / MODULES)]
    known = {name for name, _ in STEPS}
    steps = [f"a step {name!r}" for name in names if name not in known]
    pooled = _pooled(_read(folder / POOLING))
    other = [f"the pooling {' and '.join(pooled)}"] if pooled not in ([], ["cls"], ["mean"]) else []
    if steps or other:
        raise ModelError(
            f"{folder}: its vectors need {', '.join([*steps, *other])}, which Bertie does not have; embed with "
            "sentence-transformers, or name a model that pools by cls or mean and has nothing behind that"
        )


def length_of(folder: Path) -> int | None:
    """Tokens of a text, specials included, at which it was made to cut; None where nothing is said."""
    said = _read(folder / LENGTH).get("max_seq_length")
    return said if isinstance(said, int) and said > 0 else None


def prefix_of(folder: Path) -> str:
    """The prompt that is put before every text unless somebody names another; empty where there is none. ModelError:
    the file is no JSON object, or has no text under the name that it gives.
    """
    said = _read(folder / PROMPTS)
    name, prompts = said.get("default_prompt_name"), said.get("prompts")
    if name is None:
        return ""
    prefix = prompts.get(name) if isinstance(name, str) and isinstance(prompts, dict) else None
    if not isinstance(prefix, str):
        raise ModelError(
            f"{folder / PROMPTS}: default_prompt_name is {name!r}, expected the name of a text in prompts; correct the "
            "file or delete it"
        )
    return prefix


def write(folder: Path, *, pooling: Pooling, prefix: str, width: int, max_length: int, complete: bool) -> None:
    """Writes the files beside the encoder.

    Args:
        folder: holds the encoder.
        pooling: how its states become a vector.
        prefix: put before every text, queries and documents alike.
        width: numbers of a vector (D).
        max_length: tokens of a text, specials included.
        complete: whether the encoder alone gives the vectors; else modules.json is left out, so that nobody takes the
            folder for a whole model, and who starts from it still learns pooling and prefix.
    """
    modes = {f"pooling_mode_{mode}": mode == OURS[pooling] for mode in MODES}
    files: dict[str, Any] = {
        POOLING: {"word_embedding_dimension": width, **modes, "include_prompt": True},
        PROMPTS: {
            "model_type": "SentenceTransformer",
            # `encode_query` and `encode_document` take these names whatever the default is.
            "prompts": {"query": prefix, "document": prefix},
            "default_prompt_name": "query" if prefix else None,
            "similarity_fn_name": "cosine",
        },
        LENGTH: {"max_seq_length": max_length, "do_lower_case": False},
    }
    if complete:
        files[MODULES] = [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"}
            for i, (name, path) in enumerate(STEPS)
        ]
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _pooled(said: dict[str, Any]) -> list[str]:
    """The poolings whose vectors stand side by side, `cls` and `mean` by these names."""
    if "pooling_mode" in said:
        modes = said["pooling_mode"]
        return [str(mode) for mode in modes] if isinstance(modes, list) else [str(modes)]
    return [mode.removesuffix("_token").removesuffix("_tokens") for mode in MODES if said.get(f"pooling_mode_{mode}")]


def _modules(path: Path) -> list[dict[str, Any]]:
    """The steps that the file names; none where there is no file."""
    if not path.is_file():
        return []
    try:
        return [dict(module) for module in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, TypeError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: {error}; expected a list of JSON objects; correct the file or delete it") from error


def _read(path: Path) -> dict[str, Any]:
    """The content of a file; empty where there is none."""
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: {error}; expected a JSON object; correct the file or delete it") from error
