"""The lock files hold every library asked for, in a version that is accepted, and the environment is theirs."""

from __future__ import annotations

import tomllib
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.house.source import ROOT


def locked(name: str) -> dict[str, Version]:
    """Package to version, from one lock file."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(package): Version(version) for package, version in pairs}


def wanted() -> list[Requirement]:
    """The core and the extras that `make setup` installs; `demo` stands in the second lock file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    named = ("serve", "dev", "demo", "generation", "search")
    lines = [*project["dependencies"], *(line for name in named for line in extras[name])]
    return [requirement for line in lines if (requirement := Requirement(line)).name != "bertie"]


def test_every_requirement_is_locked() -> None:
    versions = locked("requirements.lock") | locked("requirements-models.lock")
    missing = [str(r) for r in wanted() if canonicalize_name(r.name) not in versions]
    outside = [
        str(r) for r in wanted() if not r.specifier.contains(versions.get(canonicalize_name(r.name), Version("0")))
    ]
    assert (missing, outside) == ([], [])


def test_the_environment_is_the_locked_one() -> None:
    versions = locked("requirements.lock") | locked("requirements-models.lock")
    other = {
        name: installed
        for name, version in versions.items()
        if Version(installed := metadata.version(name)).public != version.public
    }
    assert other == {}, "run make setup"


def test_no_local_tags() -> None:
    assert [name for name, version in locked("requirements.lock").items() if version.local] == []
