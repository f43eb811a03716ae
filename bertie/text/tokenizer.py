"""Tokenizer: text to piece ids, each with the characters that it came from.

In:  a folder with tokenizer.json (or a WordPiece vocab.txt), texts or pairs of texts, a maximal length
Out: Encoded: ids, type ids, character offsets into the text that was given, which text a piece belongs to
Knows nothing of tensors, padding, models or tasks.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import tokenizers
from tokenizers import Encoding, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece

from bertie.core.errors import ModelError, UsageError

Windowed = Literal["longer", "second"]
"""Which text of a pair goes into windows where they do not fit together."""
MOST_WINDOWS = 64
"""Windows of one row; what is beyond them is not read."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_HAN_SPLIT = {"type": "Split", "pattern": {"Regex": r"\p{Han}"}, "behavior": "Isolated", "invert": False}
_METASPACE = "▁"
_SPECIALS = {
    "pad": ("[PAD]", "<pad>"),
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "mask": ("[MASK]", "<mask>"),
    "unk": ("[UNK]", "<unk>"),
}


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text, or a pair of texts, as pieces; all lists have the same length."""

    ids: list[int]
    type_ids: list[int]
    offsets: list[tuple[int, int]]
    """Characters [start, end) of the text that a piece came from; (0, 0) for specials; empty for a piece of no text."""
    sequence: list[int | None]
    """0 first text, 1 second text, None a special that the tokenizer added."""
    truncated: bool

    def __len__(self) -> int:
        return len(self.ids)


class Tokenizer:
    """The Rust tokenizer of one checkpoint. Never pads, never changes once it is made: safe to share among threads."""

    def __init__(self, spec: dict[str, Any], specials: dict[str, str] | None = None, where: str = "tokenizer") -> None:
        """`spec` is the content of a tokenizer.json; `specials` names tokens as tokenizer_config.json does."""
        spec = {**spec, "truncation": None, "padding": None}  # stored ones would silently cut and fill
        try:
            self._rust = tokenizers.Tokenizer.from_str(json.dumps(spec))
        except Exception as error:  # the library raises the bare class, so nothing narrower can be caught
            raise ModelError(f"{where}: not a tokenizer that can be read: {error}; copy the model again") from error
        found = _find_specials(self._rust, specials or {}, where)
        self.specials = {role: token for role, (token, _) in found.items()}
        ids = {role: piece_id for role, (_, piece_id) in found.items()}
        self.pad_id: int = ids["pad"]
        self.cls_id: int = ids["cls"]
        self.sep_id: int = ids["sep"]
        self.unk_id: int = ids["unk"]
        self.mask_id: int | None = ids.get("mask")
        self.vocab_size: int = 1 + max(self.pieces.values())
        # A lone metaspace is put in front of a word and stands for no character of the text.
        self._metaspace_id = (
            self._rust.token_to_id(_METASPACE) if '"Metaspace"' in _part(spec, "pre_tokenizer") else None
        )

    @classmethod
    def from_folder(cls, folder: str | Path, *, han_isolated: bool = False) -> Tokenizer:
        """Read tokenizer.json, else vocab.txt. `han_isolated`: each Han character is its own pre-token, for tagging."""
        folder = Path(folder)
        settings = _settings(folder)
        if (folder / "tokenizer.json").is_file():
            where = folder / "tokenizer.json"
            spec = _read_json(where)
        elif (folder / "vocab.txt").is_file():
            where = folder / "vocab.txt"
            spec = _wordpiece_spec(where, settings)
        else:
            found = ", ".join(sorted(path.name for path in folder.glob("*"))[:10]) or "nothing"
            raise ModelError(
                f"{folder}: found {found}, expected tokenizer.json or vocab.txt; copy the model's tokenizer here"
            )
        if han_isolated:
            spec = _isolate_han(spec)
        return cls(spec, _special_names(settings), str(where))

    def save(self, folder: str | Path, *, segments: bool | None = None, max_length: int | None = None) -> None:
        """Write tokenizer.json and tokenizer_config.json, readable by `from_folder` and by transformers.

        Args:
            folder: made if it is missing.
            segments: whether the model takes type ids; None: not said, then versions of transformers differ.
            max_length: where transformers cuts a text that is to be cut; None: not said.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        settings: dict[str, object] = {f"{role}_token": token for role, token in self.specials.items()}
        settings["tokenizer_class"] = "PreTrainedTokenizerFast"
        if segments is not None:
            settings["model_input_names"] = ["input_ids", *["token_type_ids"] * segments, "attention_mask"]
        if max_length is not None:
            settings["model_max_length"] = max_length
        (folder / "tokenizer.json").write_text(self._rust.to_str(), encoding="utf-8")
        (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1, sort_keys=True), encoding="utf-8")

    def encode(self, text: str, pair: str | None = None, max_length: int = 512) -> Encoded:
        """Encode one text, or a pair; see `encode_batch`."""
        return self.encode_batch([text], None if pair is None else [pair], max_length)[0]

    def encode_batch(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None, max_length: int = 512
    ) -> list[Encoded]:
        """Encode in parallel, at most `max_length` pieces with specials; of a pair the longer side is cut first.

        Any Python string is accepted: what UTF-8 cannot hold becomes U+FFFD, one for one, so that offsets stay true.
        """
        room = max_length - self._rust.num_special_tokens_to_add(pairs is not None)
        if room < 1 + (pairs is not None):
            raise UsageError(f"max_length {max_length} leaves no room for text beside the special tokens; give more")
        first = [_SURROGATE.sub("\ufffd", text) for text in texts]
        second = None if pairs is None else [_SURROGATE.sub("\ufffd", text) for text in pairs]
        encodings = self._rust.encode_batch(first if second is None else list(zip(first, second, strict=True)))
        rows = []
        for index, whole in enumerate(encodings):
            truncated = len(whole) > max_length
            pair = second[index] if second and truncated else None
            rows.append(self._encoded(self._cut(first[index], pair, room) if truncated else whole, truncated))
        return rows

    def encode_windows(
        self,
        texts: Sequence[str],
        pairs: Sequence[str] | None = None,
        max_length: int = 512,
        *,
        overlap: float = 0.25,
        most: int = MOST_WINDOWS,
        windowed: Windowed = "longer",
    ) -> list[list[Encoded]]:
        """Encode so that nothing is lost: a text longer than the model as several sequences of `max_length` pieces.

        Two neighbours share the part `overlap` of their pieces, so that what stands at an edge stands whole in one of
        them. Of a pair the text that is `windowed` is cut into windows, and each has the other one, at most half of the
        room, beside it. Where that was cut, or the rest beyond `most` windows, the last window says `truncated`.
        """
        whole = self.encode_batch(texts, pairs, max_length)
        sides: Iterable[tuple[str, ...]] = zip(texts, strict=True) if pairs is None else zip(texts, pairs, strict=True)
        return [
            self._windows(side, max_length, overlap, most, windowed) if one.truncated else [one]
            for one, side in zip(whole, sides, strict=True)
        ]

    def token(self, piece_id: int) -> str:
        """The piece as it stands in the vocabulary."""
        token: str | None = self._rust.id_to_token(piece_id)
        if token is None:
            raise UsageError(f"piece id {piece_id} is not in the vocabulary of {self.vocab_size} pieces")
        return token

    def with_own_mask(self, text: str) -> str:
        """The text, in which every usual spelling of the mask is the one of this vocabulary, where it has one."""
        own = self.specials.get("mask")
        for spelling in _SPECIALS["mask"]:
            text = text if own is None else text.replace(spelling, own)
        return text

    def piece_id(self, token: str) -> int | None:
        """The id of a piece as it stands in the vocabulary; None where it does not."""
        found: int | None = self._rust.token_to_id(token)
        return found

    @property
    def pieces(self) -> dict[str, int]:
        """All pieces, specials too, with their ids."""
        found: dict[str, int] = self._rust.get_vocab(with_added_tokens=True)
        return found

    def decode(self, ids: Sequence[int]) -> str:
        """Text of the ids, specials left out."""
        return str(self._rust.decode(list(ids)))

    @property
    def spec(self) -> dict[str, Any]:
        """The content of tokenizer.json."""
        spec: dict[str, Any] = json.loads(self._rust.to_str())
        return spec

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the canonical tokenizer.json: the same text gives the same ids exactly where this is the same."""
        canonical = json.dumps(self.spec, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def _cut(self, text: str, pair: str | None, room: int) -> Encoding:
        """Encode without specials, cut, then add them: setting truncation in Rust would not be safe among threads."""
        first = self._rust.encode(text, add_special_tokens=False)
        if pair is None:
            first.truncate(room)
            return self._rust.post_process(first)
        second = self._rust.encode(pair, add_special_tokens=False)
        keep_first, keep_second = longest_first(len(first), len(second), room)
        first.truncate(keep_first)
        second.truncate(keep_second)
        _forget_place(second)
        return self._rust.post_process(first, second)

    def _windows(
        self, texts: Sequence[str], max_length: int, overlap: float, most: int, windowed: Windowed
    ) -> list[Encoded]:
        """Of one text or two, the windows over one of them, with the other one as it stands in front or behind."""
        sides = [self._rust.encode(_SURROGATE.sub("\ufffd", text), add_special_tokens=False) for text in texts]
        room = max_length - self._rust.num_special_tokens_to_add(len(sides) == 2)
        place = 0 if windowed == "longer" and len(sides[0]) > len(sides[-1]) else len(sides) - 1
        long, before, behind = sides[place], sides[:place], sides[place + 1 :]
        lost = False
        for other in (*before, *behind):
            lost = len(other) > room // 2
            other.truncate(room // 2)
            room -= len(other)
        long.truncate(room, stride=int(overlap * room))
        parts = [long, *long.overflowing]
        if len(sides) == 2:
            _forget_place(sides[1])
        pairs = [
            (part, behind[0]) if behind else (before[0], part) if before else (part, None) for part in parts[:most]
        ]
        made = [self._rust.post_process(first, second) for first, second in pairs]
        lost = lost or len(parts) > most
        return [self._encoded(one, lost and i == len(made) - 1) for i, one in enumerate(made)]

    def _encoded(self, encoding: Encoding, truncated: bool) -> Encoded:
        ids, offsets = encoding.ids, encoding.offsets
        if self._metaspace_id is not None and self._metaspace_id in ids:
            pairs = zip(ids, offsets, strict=True)
            offsets = [(span[0], span[0]) if id_ == self._metaspace_id else span for id_, span in pairs]
        return Encoded(ids, encoding.type_ids, offsets, encoding.sequence_ids, truncated)


def _forget_place(second: Encoding) -> None:
    """Of a text that was not cut the library keeps where it stood alone, and takes that for the first text of a pair:
    then no piece of that says where it belongs. Cutting makes it forget."""
    length = len(second)
    second.pad(length + 1)
    second.truncate(length)


def longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """Lengths after taking pieces from the longer side until both fit."""
    short = min(first, second, room // 2)
    long = room - short
    return (short, min(second, long)) if first <= second else (min(first, long), short)


def _find_specials(rust: tokenizers.Tokenizer, named: dict[str, str], where: str) -> dict[str, tuple[str, int]]:
    """Role to token and its id; a name from the settings first, then the usual ones."""
    found: dict[str, tuple[str, int]] = {}
    for role, usual in _SPECIALS.items():
        candidates = ([named[role]] if role in named else []) + list(usual)
        present = ((token, rust.token_to_id(token)) for token in candidates)
        choice = next(((token, piece_id) for token, piece_id in present if piece_id is not None), None)
        if choice is not None:
            found[role] = choice
        elif role != "mask":
            raise ModelError(f"{where}: no {role} token; expected one of {', '.join(candidates)} in the vocabulary")
    return found


def _settings(folder: Path) -> dict[str, Any]:
    """special_tokens_map.json overlaid with tokenizer_config.json; both are optional."""
    merged: dict[str, Any] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).is_file():
            merged |= {key: value for key, value in _read_json(folder / name).items() if value is not None}
    return merged


def _special_names(settings: dict[str, Any]) -> dict[str, str]:
    names: dict[str, str] = {}
    for role in _SPECIALS:
        value = settings.get(f"{role}_token")
        token = value.get("content") if isinstance(value, dict) else value
        if isinstance(token, str):
            names[role] = token
    return names


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read as JSON: {error}; copy the model again") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path}: found a {type(content).__name__}, expected a JSON object; copy the model again")
    return content


def _part(spec: dict[str, Any], name: str) -> str:
    return json.dumps(spec.get(name), ensure_ascii=False)


def _isolate_han(spec: dict[str, Any]) -> dict[str, Any]:
    """Append a split at every Han character; before ByteLevel, after which no character can be recognised."""
    stored = spec.get("pre_tokenizer")
    if json.dumps(_HAN_SPLIT["pattern"]) in _part(spec, "pre_tokenizer"):
        return spec
    is_sequence = isinstance(stored, dict) and stored.get("type") == "Sequence"
    steps = list(stored["pretokenizers"]) if stored and is_sequence else [stored] if stored else []
    place = next((i for i, step in enumerate(steps) if step.get("type") == "ByteLevel"), len(steps))
    return {
        **spec,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*steps[:place], _HAN_SPLIT, *steps[place:]]},
    }


def _wordpiece_spec(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """BERT's own tokenizer from its vocab.txt, one piece a line, and the switches of tokenizer_config.json."""
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot be read as UTF-8 text: {error}; copy the model again") from error
    vocab = {line.rstrip("\r"): index for index, line in enumerate(lines)}
    names = {role: _special_names(settings).get(role, usual[0]) for role, usual in _SPECIALS.items()}
    missing = [token for role, token in names.items() if role != "mask" and token not in vocab]
    if missing:
        raise ModelError(f"{path}: {len(vocab)} pieces without {', '.join(missing)}; expected a BERT vocabulary")
    rust = tokenizers.Tokenizer(WordPiece(vocab, unk_token=names["unk"], max_input_chars_per_word=100))
    rust.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=bool(settings.get("tokenize_chinese_chars", True)),
        strip_accents=settings.get("strip_accents"),
        lowercase=bool(settings.get("do_lower_case", True)),
    )
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    rust.post_processor = processors.BertProcessing(
        (names["sep"], vocab[names["sep"]]), (names["cls"], vocab[names["cls"]])
    )
    rust.add_special_tokens([token for token in names.values() if token in vocab])
    spec: dict[str, Any] = json.loads(rust.to_str())
    return spec
