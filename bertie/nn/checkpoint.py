"""Encoders from and to folders in the Hugging Face format.

In:  a folder with config.json and model.safetensors (also sharded), or an encoder
Out: `LoadedEncoder` with a report of what the file held; or such a folder
Knows nothing of names (`families` does), of the hub, of tokenizers or of tasks. Nothing that a config names is
imported or fetched, and no pickle is opened unasked.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from bertie.core.errors import ModelError
from bertie.nn.config import EncoderConfig
from bertie.nn.encoder import Encoder
from bertie.nn.families import FAMILIES, Family
from bertie.nn.translation import Translated, is_inside, read_config, to_foreign, translate_names, write_config

CONFIG, WEIGHTS, SHARDS, PICKLE = (
    "config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
)
HEADS = "heads."
LARGEST_JSON = 64 * 2**20
NUMBERS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
"""What weights are stored in; int8 or float8 are codes, which mean a number only with scales beside them."""


@dataclass(frozen=True)
class LoadReport:
    """What was found in a checkpoint besides the encoder."""

    unknown: tuple[str, ...] = ()
    """Weights beside the encoder that the family's table does not know."""
    dropped: tuple[str, ...] = ()
    """Weights that are dropped on purpose (buffers, tied copies, the pooling layer of an export)."""
    heads: tuple[str, ...] = ()
    """Weights beside the encoder, by our names."""


@dataclass(frozen=True)
class LoadedEncoder:
    """An encoder in evaluation mode, and what came with it."""

    encoder: Encoder
    report: LoadReport
    heads: dict[str, Tensor] = field(default_factory=dict)
    """Weights beside the encoder: pooler.dense.*, classifier.*, masked_lm.dense|norm.*, masked_lm.bias, ...

    Of a masked-LM head whose output layer is not tied to the word vectors, none."""


def load_config(folder: Path) -> EncoderConfig:
    """The config of a checkpoint folder; ModelError if it is missing, broken, foreign or hostile."""
    return read_config(_read_json(folder / CONFIG))


def load(folder: Path, *, allow_pickle: bool = False, pooling_layer: bool = False) -> LoadedEncoder:
    """Load an encoder, in fp32.

    Args:
        folder: holds config.json and model.safetensors (or its shards).
        allow_pickle: read pytorch_model.bin if there are no safetensors. A pickle is a program; torch's restricted
            reader is used all the same.
        pooling_layer: keep the layer that `hf_classification` adds; an encoder that is trained on does not want it.

    Raises:
        ModelError: no usable file, quantised weights, weights missing (by name), weights inside the encoder that its
            config has no place for, or shapes other than the config's.
    """
    raw = _read_json(folder / CONFIG)
    if raw.get("quantization_config"):
        raise ModelError(
            f"{folder / CONFIG}: has a quantization_config, so its weights are codes that mean a number only with "
            "scales beside them, expected numbers; take the checkpoint that was not quantised"
        )
    config = read_config(raw, pooling_layer=pooling_layer)
    with torch.device("meta"):
        encoder = Encoder(config)
    expected = {name: tensor.shape for name, tensor in encoder.state_dict().items()}
    passed_over = range(config.layers, read_config(raw, pooling_layer=True).layers)
    tensors, names = _read_weights(folder, config, expected, passed_over, allow_pickle=allow_pickle)
    _refuse_others(folder, sorted(expected.keys() - tensors.keys()), names, FAMILIES[config.family])
    encoder.load_state_dict({name: tensors[name] for name in expected}, assign=True)
    for parameter in encoder.parameters():
        parameter.requires_grad_(True)
    heads = {name.removeprefix(HEADS): tensor for name, tensor in tensors.items() if name.startswith(HEADS)}
    if raw.get("tie_word_embeddings") is False:
        # Our output layer is the word vectors: a head that was learned with another one would give other guesses.
        heads = {name: tensor for name, tensor in heads.items() if not name.startswith("masked_lm.")}
    report = LoadReport(tuple(names.unknown), tuple(names.dropped), tuple(heads))
    return LoadedEncoder(encoder.eval(), report, heads)


def refuse_pieces(encoder: Encoder, pieces: int, folder: Path) -> None:
    """ModelError where the tokenizer of a folder has more pieces than the encoder has word vectors.

    More vectors than pieces are usual: some tables are filled up to a round number.
    """
    rows = encoder.config.vocab_size
    if pieces > rows:
        raise ModelError(
            f"{folder}: its tokenizer has {pieces:,} pieces, its encoder word vectors for {rows:,}; the two belong to "
            "different models, take a checkpoint with its own tokenizer"
        )


def fingerprint(encoder: Encoder) -> str:
    """SHA-256 of the weights by our names: the same from whatever file or package they came."""
    digest = hashlib.sha256()
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(memoryview(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()))
    return digest.hexdigest()


def save(
    encoder: Encoder,
    folder: Path,
    *,
    extra_config: Mapping[str, object] | None = None,
    heads: Mapping[str, Tensor] | None = None,
    beside: Mapping[str, Tensor] | None = None,
) -> None:
    """Write config.json and model.safetensors so that transformers' AutoModel loads them with equal outputs.

    Args:
        encoder: with its own modules; adapters have to be merged first.
        folder: made if it is missing.
        extra_config: keys added to config.json.
        heads: weights beside the encoder, named as in `LoadedEncoder.heads`.
        beside: more weights, written under their own names.

    Raises:
        ModelError: the family has no name for one of the weights.
    """
    family = FAMILIES[encoder.config.family]
    ours = {name: tensor.detach() for name, tensor in encoder.state_dict().items()}
    ours |= {HEADS + name: tensor.detach() for name, tensor in (heads or {}).items()}
    foreign = to_foreign(family, ours, prefixed=bool(heads or beside))
    wanted = translate_names(family, foreign)
    lost = ours.keys() - {name for names in wanted.ours.values() for name in names}
    if lost:
        raise ModelError(
            f"{family.name} has no name for {_listed(sorted(lost))}; merge adapters, or leave these weights out"
        )
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: tensor.detach().cpu().clone().contiguous() for name, tensor in {**foreign, **(beside or {})}.items()
    }
    with _replacing(folder / WEIGHTS) as path:
        save_file(tensors, path, metadata={"format": "pt"})
    architecture = {"architectures": [f"{family.class_prefix}Model"], "dtype": "float32"}
    raw = architecture | write_config(encoder.config) | dict(extra_config or {})
    with _replacing(folder / CONFIG) as path:
        path.write_text(json.dumps(raw, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def _refuse_others(folder: Path, missing: list[str], names: Translated, family: Family) -> None:
    """ModelError where weights of the encoder are missing, or there are more than its config has places for."""
    if missing:
        raise ModelError(
            f"{folder}: weights missing: {_listed(missing)}; expected by its config.json, take a complete checkpoint"
        )
    more = sorted({name for name in names.unknown if is_inside(family, name)})
    if more:
        raise ModelError(
            f"{folder}: holds {_listed(more)}, for which its config.json has no place; without them the encoder would "
            "compute something else than it learned; correct config.json, such as the number of layers, or take "
            "another checkpoint"
        )


def _read_weights(
    folder: Path,
    config: EncoderConfig,
    expected: Mapping[str, torch.Size],
    passed_over: Iterable[int],
    *,
    allow_pickle: bool,
) -> tuple[dict[str, Tensor], Translated]:
    """Our names to fp32 tensors, each checked against the shape that the encoder expects; some layers are dropped."""
    family, unwanted = FAMILIES[config.family], tuple(f"layers.{layer}." for layer in passed_over)
    names, tensors, problems = Translated(), dict[str, Tensor](), list[str]()
    for path in _weight_files(folder, allow_pickle=allow_pickle):
        for name, tensor in _tensors(path):
            found = translate_names(family, [name])
            names.unknown.extend(found.unknown)
            names.dropped.extend(found.dropped)
            targets = found.ours.get(name, ())
            if targets and tensor.dtype not in NUMBERS:
                raise ModelError(
                    f"{path}: {name} is {_type(tensor.dtype)}, expected {', '.join(map(_type, NUMBERS))}; take the "
                    "checkpoint that was not quantised"
                )
            for target, part in zip(targets, tensor.chunk(len(targets)) if targets else (), strict=False):
                if target in expected and part.shape != expected[target]:
                    problems.append(f"{name} is {tuple(part.shape)}, expected {tuple(expected[target])}")
                elif target in expected or target.startswith(HEADS):
                    tensors[target] = part.to(torch.float32, copy=True)
                elif target.startswith(unwanted):
                    names.dropped.append(name)
                else:
                    names.unknown.append(name)
    if problems:
        raise ModelError(
            f"{folder}: weights do not fit its config.json: {_listed(problems)}; the two belong to different models"
        )
    return tensors, names


def _type(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _weight_files(folder: Path, *, allow_pickle: bool) -> list[Path]:
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / SHARDS).is_file():
        shards = _read_json(folder / SHARDS).get("weight_map")
        files = sorted({str(file) for file in shards.values()}) if isinstance(shards, dict) else []
        bad = [file for file in files if Path(file).name != file or not (folder / file).is_file()]
        if bad or not files:
            raise ModelError(
                f"{folder / SHARDS}: names {_listed(bad) or 'no file'}, expected files beside it; complete the download"
            )
        return [folder / file for file in files]
    if (folder / PICKLE).is_file():
        if allow_pickle:
            return [folder / PICKLE]
        raise ModelError(
            f"{folder / PICKLE}: a pickle can run code, so it is not opened; take the {WEIGHTS} of this model, or, if "
            "you trust where it came from, let transformers write one: "
            "AutoModel.from_pretrained(MODEL).save_pretrained(FOLDER)"
        )
    raise ModelError(f"{folder}: no {WEIGHTS} found; expected config.json and {WEIGHTS} in the folder of a checkpoint")


def _tensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    if path.name == PICKLE:
        yield from _unpickled(path).items()
        return
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118  a safetensors file is no mapping
                yield name, file.get_tensor(name)
    except SafetensorError as error:
        raise ModelError(f"{path}: not a readable safetensors file ({error}); download it again") from error


def _unpickled(path: Path) -> dict[str, Tensor]:
    """What torch's restricted reader lets through: a dictionary of tensors, or ModelError."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, AttributeError) as error:
        raise ModelError(
            f"{path}: refused or broken ({type(error).__name__}); take the {WEIGHTS} of this model"
        ) from error
    if not isinstance(content, dict) or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise ModelError(f"{path}: holds something else than named tensors; take the {WEIGHTS} of this model")
    return content


def _read_json(path: Path) -> dict[str, object]:
    if not path.is_file():
        raise ModelError(f"{path}: not found; expected a checkpoint folder with {CONFIG} and {WEIGHTS}")
    if path.stat().st_size > LARGEST_JSON:
        raise ModelError(
            f"{path}: larger than {LARGEST_JSON // 2**20} MB, which no such file is; take another checkpoint"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not JSON ({error}); download it again") from error
    if not isinstance(content, dict):
        raise ModelError(
            f"{path}: holds {type(content).__name__}, expected an object of keys and values; download it again"
        )
    return content


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A path beside the final one, moved over it only when all is written: a crash leaves the old file whole."""
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _listed(names: list[str], shown: int = 10) -> str:
    rest = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + rest
