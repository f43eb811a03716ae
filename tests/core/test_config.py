"""Settings from dicts, TOML files and --set."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from bertie.core.config import field_docs, from_dict, load_toml, override, to_dict
from bertie.core.errors import ConfigError
from bertie.tasks.relation import RelationSettings


@dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 1e-4
    """How fast."""
    name: Literal["a", "b"] = "a"
    """Which one."""


@dataclass(frozen=True, kw_only=True)
class Outer:
    steps: int = 3
    """How many."""
    limit: float | None = None
    """None: no limit."""
    on: bool = False
    """Whether at all."""
    inner: Inner = field(default_factory=Inner)
    """The inner part."""
    free: dict[str, Any] = field(default_factory=dict)
    """Anything."""
    parts: tuple[str, ...] = ()
    """A list."""

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"steps is {self.steps}, expected 0 or more")


def test_overrides_reach_nested_fields_and_keep_types() -> None:
    made = override(
        Outer(), ["inner.rate=3e-5", "steps=7", "on=true", "limit=2", 'parts=["x"]', "free.k.l=1", "inner.name=b"]
    )
    assert made == Outer(
        steps=7, limit=2.0, on=True, inner=Inner(rate=3e-5, name="b"), free={"k": {"l": 1}}, parts=("x",)
    )
    assert isinstance(made.limit, float)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("stepz=1", "unknown setting 'stepz'"),
        ("inner.rote=1", "inner: unknown setting 'rote'"),
        ("steps=1.5", "steps: expected int, found 1.5"),
        ("steps=true", "steps: expected int, found True"),
        ("on=1", "on: expected bool, found 1"),
        ("inner.name=c", "'c' is not one of a, b"),
        ("steps=-1", "steps is -1, expected 0 or more"),
        ("steps", "expected NAME=VALUE"),
        ("steps.more=1", "'steps' is a value"),
        ("parts=1", "parts: expected str, found 1"),
        ("limit=inf", "--set.limit: found inf, expected a finite number"),
        ("inner.rate=nan", "rate: found nan, expected a finite number"),
        ("free.k=-inf", "free.k: found -inf, expected a finite number"),
    ],
)
def test_what_does_not_fit_is_named(assignment: str, words: str) -> None:
    with pytest.raises(ConfigError, match=r".") as caught:
        override(Outer(), [assignment])
    assert words in str(caught.value)


@given(st.integers(0, 10**6), st.floats(1e-9, 1e9), st.text(max_size=20).filter(lambda text: "\r" not in text))
def test_toml_round_trip(steps: int, rate: float, text: str) -> None:
    made = Outer(steps=steps, inner=Inner(rate=rate), parts=(text,))
    assert from_dict(Outer, tomllib.loads(tomli_w.dumps(to_dict(made)))) == made


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("steps = ", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"recipe\.toml: cannot be read as TOML"):
        load_toml(Outer, path)
    path.write_text("[inner]\nrate = 1e-5\n", encoding="utf-8")
    assert load_toml(Outer, path).inner.rate == 1e-5


def test_the_text_under_a_field_is_its_documentation() -> None:
    assert field_docs(Outer)["limit"] == "None: no limit."
    assert set(field_docs(Outer)) == {"steps", "limit", "on", "inner", "free", "parts"}


def test_inherited_fields_are_documented_where_they_stand() -> None:
    docs = field_docs(RelationSettings)
    assert {"overlap", "calibration", "marking"} <= set(docs)
    assert docs["long_texts"].startswith("A text longer than the model: `cut` reads the part"), "the nearest one counts"


@dataclass(frozen=True, kw_only=True)
class Lists:
    names: tuple[Literal["a", "b"], ...] = ()
    sizes: tuple[int, ...] = ()
    pair: tuple[float, float] = (0.0, 1.0)
    texts: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("names=a", Lists(names=("a",))),
        ("names=a, b", Lists(names=("a", "b"))),
        ("sizes=64", Lists(sizes=(64,))),
        ("sizes=64,128", Lists(sizes=(64, 128))),
        ("texts=a,1", Lists(texts=("a", "1"))),
        ('texts=["a,b"]', Lists(texts=("a,b",))),
    ],
)
def test_one_value_is_a_list_of_one_and_commas_part_several(assignment: str, expected: Lists) -> None:
    assert override(Lists(), [assignment]) == expected
    assert override(Lists(names=("b",)), ["names="]) == Lists()


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("names=a,c", "--set.names: 'c' is not one of a, b"),
        ("sizes=64,x", "--set.sizes: expected int, found 'x'"),
        ("pair=1", "--set.pair: expected a list, found 1"),
    ],
)
def test_the_members_of_such_a_list_are_checked(assignment: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(Lists(), [assignment])
    assert str(caught.value) == words
