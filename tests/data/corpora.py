"""Small corpora and tokenizers for the tests, made without training."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tokenizers import Tokenizer as Rust
from tokenizers import models, normalizers, pre_tokenizers, processors

from bertie.text.tokenizer import Tokenizer

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ZH = [
    "北京",
    "人工智能",
    "研究",
    "生命",
    "起源",
    "机器",
    "学习",
    "今天",
    "天气",
    "很好",
    "我们",
    "喜欢",
    "音乐",
    "城市",
    "河流",
    "历史",
]
EN = ["river", "city", "learning", "machines", "the", "of", "weather", "today", "history", "music", "people", "walks"]


def character_tokenizer() -> Tokenizer:
    """WordPiece whose pieces are single characters, and two words."""
    letters = sorted({*"".join(ZH), *"abcdefghijklmnopqrstuvwxyz0123456789.,!?。，！？'-"})
    pieces = [*SPECIALS, *letters, *(f"##{letter}" for letter in letters if letter.isascii()), "the", "##ing"]
    rust = Rust(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    rust.normalizer = normalizers.BertNormalizer(lowercase=True)
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    rust.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    rust.add_special_tokens(SPECIALS)
    return Tokenizer(json.loads(rust.to_str()))


def document(rng: random.Random) -> str:
    """A few sentences, Chinese or English or both."""
    lines = []
    for _ in range(rng.randint(1, 4)):
        if rng.random() < 0.5:
            lines.append("".join(rng.choices(ZH, k=rng.randint(4, 9))) + "。" + "".join(rng.choices(ZH, k=5)) + "！")
        else:
            lines.append(
                " ".join(rng.choices(EN, k=rng.randint(4, 9))).capitalize() + ". " + " ".join(rng.choices(EN, k=5))
            )
    return "\n".join(lines)


def corpus_file(path: Path, count: int, seed: int = 0) -> Path:
    """So many different documents with empty lines between them."""
    rng = random.Random(seed)
    texts = [f"{document(rng)}\n{number} {document(rng)}" for number in range(count)]
    path.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    return path
