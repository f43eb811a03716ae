"""Small tables that can be learned, as files."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from tests.data.test_given_rows import Frame

GOOD = ["good", "great", "fast", "好", "快", "满意", "喜欢"]
BAD = ["bad", "poor", "slow", "坏", "慢", "失望", "讨厌"]
FILLER = ["the food was", "a very", "服务", "手机", "the film", "物流"]


def text(rng: random.Random, words: list[str]) -> str:
    return f"{rng.choice(FILLER)} {rng.choice(words)} {rng.choice(FILLER)} {rng.choice(words)} {rng.randrange(1000)}"


def write(path: Path, rows: int, kind: str = "one", seed: int = 0, repeat: int = 1) -> Path:
    """`kind`: one label a row, several, or pair. `repeat`: how many times as long the texts are."""
    rng = random.Random(seed)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text_a", "text_b", "label"] if kind == "pair" else ["text", "label"])
        for _ in range(rows):
            good = rng.random() < 0.5
            words = GOOD if good else BAD
            if kind == "pair":
                same = rng.random() < 0.5
                other = words if same else (BAD if good else GOOD)
                writer.writerow([text(rng, words), text(rng, other), "same" if same else "other"])
            else:
                label = "positive" if good else "negative"
                writer.writerow(
                    [" ".join(text(rng, words) for _ in range(repeat)), f"{label}|any" if kind == "several" else label]
                )
    return path


def write_order(path: Path, rows: int, seed: int = 0) -> Path:
    """Which of two words comes first decides; other words between them hide it from n-grams."""
    rng = random.Random(seed)
    fillers = ["the", "a", "was", "very", "film", "food", "service", "fast", "slow"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for _ in range(rows):
            first, second = rng.sample(["good", "bad"], 2)
            parts = [rng.choices(fillers, k=rng.randint(4, 6)) for _ in range(3)]
            writer.writerow([" ".join([*parts[0], first, *parts[1], second, *parts[2]]), f"{first} first"])
    return path


def rows_in(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file, as Python holds them."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def frame_of(rows: list[dict[str, str]]) -> Frame:
    """The same as a data frame."""
    return Frame(list(rows[0]), [list(row.values()) for row in rows])


def quiet(line: str) -> None:
    """Says nothing."""
