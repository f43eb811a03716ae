"""The ledger: every trial of a search in a database, for a resume, for other workers and for a person.

In:  the URL of a storage; which rows and settings the search is of; facts about trials
Out: an Optuna study in it; trials to do next; UsageError or DataError where it belongs to another search
Knows nothing of how a trial is run.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError, StorageInternalError, UpdateFinishedTrialError
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from bertie.core.errors import DataError, StorageError, UsageError
from bertie.trials.pruning import Median
from bertie.trials.space import METHODS, SMOOTHING, VARIED, Variation

STUDY = "bertie"
KNOWN = ("sqlite", "postgresql")
PATIENCE = 60.0
"""Seconds that a worker waits for the one that sets the search up, and that SQLite waits for another writer."""
TRIES = 20
MEANWHILE = ("already exists", "duplicate key", "UNIQUE constraint")
"""What a database says where another worker has just made the tables."""
KILLS = 2
"""Workers that a trial may kill; no third one tries it."""


@dataclass
class Ledger:
    """One search in its storage."""

    study: optuna.Study
    url: str
    """As it may be shown: without a password."""
    usual: Mapping[str, Any] = field(default_factory=dict)
    """The recipe's method and the task's settings, which hold where a variation leaves one as it is."""

    # ---- the search itself

    def read(self, name: str) -> Any:
        """What was written down about the search under this name; None before."""
        return self.study.user_attrs.get(name)

    def write(self, name: str, value: Any) -> None:
        """Plain JSON."""
        self.study.set_user_attr(name, value)

    def prove(self, identity: Mapping[str, Any]) -> None:
        """DataError or UsageError where the storage holds the search of other rows or settings."""
        before = self.read("identity")
        rows = [name for name, value in identity["rows"].items() if before["rows"].get(name) != value]
        if rows or len(before["rows"]) != len(identity["rows"]):
            raise DataError(
                f"{self.url}: holds a search on other rows ({', '.join(rows) or 'another split'}); give it the same "
                "files, --seed and columns, or another --storage: one is for one search"
            )
        for name, value in identity.items():
            if before.get(name) != value:
                raise UsageError(
                    f"{self.url}: holds a search whose {name} was {before.get(name)!r}, now it is {value!r}; go on "
                    "with what it was, or name another --storage"
                )

    def set_up(self, identity: Mapping[str, Any], facts: Mapping[str, Any], first: Sequence[Variation]) -> None:
        """What the first worker writes down: what the search is of, what was decided, the trials to begin with."""
        self.write("identity", dict(identity))
        for name, value in facts.items():
            self.write(name, value)
        queued = [trial.user_attrs.get("variation") for trial in self.study.get_trials(deepcopy=False)]
        for variation in first:
            if variation.as_json() not in queued:
                self.enqueue(variation)
        self.write("ready", True)

    def wait_until_ready(self) -> None:
        """For the worker that came first; UsageError where it never comes to an end."""
        end = time.monotonic() + PATIENCE
        while not self.read("ready"):
            if time.monotonic() > end:
                raise UsageError(
                    f"{self.url}: holds a search that nobody has set up; start again with --overwrite, or name another "
                    "--storage"
                )
            time.sleep(0.2)

    # ---- its trials

    def enqueue(self, variation: Variation, **facts: Any) -> None:
        """Puts a trial into the queue; Optuna learns from a tuned one what it varies."""
        self.study.enqueue_trial(self._params(variation), user_attrs={"variation": variation.as_json(), **facts})

    def _params(self, variation: Variation) -> dict[str, Any]:
        """What Optuna varies, as a tuned variation has it; empty where it knows no such method."""
        method = variation.method or self.usual.get("method", "full")
        if variation.kind != "tuned" or method not in METHODS:
            return {}
        said = {**variation.as_json(), "method": method, SMOOTHING: variation.smoothing}
        params = {name: self.usual.get(name) if said[name] is None else said[name] for name in VARIED}
        return {name: value for name, value in params.items() if value is not None}

    def waiting(self) -> Variation | None:
        """What comes next of the queue; None where it is empty."""
        found = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        return Variation(**found[0].user_attrs["variation"]) if found else None

    def trials(self, *states: TrialState) -> list[FrozenTrial]:
        """Those in one of the states; all of them where none is named."""
        return self.study.get_trials(deepcopy=False, states=states or None)

    def begin(self, worker: str, suggest: Callable[[Trial], Variation]) -> tuple[Trial, Variation]:
        """The next trial of the queue, or a new one; marked as this worker's."""
        trial = self.study.ask()
        trial.set_user_attr("worker", worker)
        queued = trial.user_attrs.get("variation")
        variation = Variation(**queued) if queued else suggest(trial)
        if queued and self._params(variation):
            suggest(trial)  # what is learned of it; what is done stands in the queue
        trial.set_user_attr("variation", variation.as_json())
        trial.set_user_attr("name", str(variation))
        return trial, variation

    def end(self, trial: Trial, state: TrialState, value: float | None = None, **facts: Any) -> None:
        """Writes down how a trial ended."""
        for name, fact in facts.items():
            trial.set_user_attr(name, fact)
        self.study.tell(trial, value if state == TrialState.COMPLETE else None, state=state)

    def asked(self, trial: Trial) -> None:
        """Writes down that a person stopped it: it has killed nobody."""
        trial.set_user_attr("asked", True)

    def take_up(self, living: set[str]) -> list[str]:
        """Trials whose workers have ended are failed and queued again, to go on where they were; their names.

        One that has killed two workers is not queued again; how often a person stopped it does not count.
        """
        left = [one for one in self.trials(TrialState.RUNNING) if _is_left(one, living)]
        mine = [one for one in left if self._fail(one)]
        for one in mine:
            facts = one.user_attrs
            kills = facts.get("kills", 0) + ("asked" not in facts)
            if "variation" in facts and kills < KILLS:
                variation = Variation(**facts["variation"])
                self.enqueue(variation, continues=facts.get("continues", one.number), kills=kills)
        return [str(one.user_attrs.get("name", f"trial {one.number}")) for one in mine]

    def _fail(self, trial: FrozenTrial) -> bool:
        """Whether this worker is the one that takes it up; False where another one has just done so."""
        try:
            self.study.tell(trial.number, state=TrialState.FAIL)
        except (ValueError, UpdateFinishedTrialError):
            return False
        return True


def open_storage(url: str) -> RDBStorage:
    """A database for trials; UsageError where there can be none."""
    try:
        parts = make_url(url)
    except ArgumentError as error:
        raise UsageError(f"--storage {url!r}: is no URL; {_expected()}") from error
    shown = parts.render_as_string(hide_password=True)
    if parts.get_backend_name() not in KNOWN:
        raise UsageError(f"--storage {shown!r}: {parts.get_backend_name()} is not known; {_expected()}")
    sqlite = parts.get_backend_name() == "sqlite"
    if sqlite and not parts.database:
        raise UsageError(f"--storage {shown!r}: names no file; {_expected()}")
    if sqlite and not Path(str(parts.database)).parent.is_dir():
        raise UsageError(f"--storage {shown!r}: the folder of the file does not exist; make it, or name another one")
    try:
        return _opened(url, {"connect_args": {"timeout": PATIENCE}} if sqlite else {})
    except ImportError as error:
        raise UsageError(
            f"--storage {shown!r}: its driver is not installed; in the folder of Bertie's code, "
            "pip install -e '.[postgresql]', or take sqlite"
        ) from error
    except (SQLAlchemyError, StorageInternalError, RuntimeError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise UsageError(f"--storage {shown!r}: cannot be opened: {reason}; is it running, and is it yours?") from error


def _opened(url: str, options: dict[str, Any]) -> RDBStorage:
    """Makes the tables where there are none; two who do so at once get in each other's way, and look again."""
    for _ in range(TRIES):
        try:
            return RDBStorage(url, engine_kwargs=options)
        except SQLAlchemyError as error:
            if not any(words in str(error) for words in MEANWHILE):
                raise
            time.sleep(0.2)
    return RDBStorage(url, engine_kwargs=options)


def open_ledger(url: str, seed: int) -> tuple[Ledger, bool]:
    """The search in a storage, and whether this worker is the one that made it and sets it up."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = open_storage(url)
    options: dict[str, Any] = {
        "storage": storage,
        "sampler": _sampler(seed),
        "pruner": Median(),
    }
    shown = make_url(url).render_as_string(hide_password=True)
    try:
        return Ledger(optuna.create_study(study_name=STUDY, direction="maximize", **options), shown), True
    except DuplicatedStudyError:
        return Ledger(optuna.load_study(study_name=STUDY, **options), shown), False
    except (SQLAlchemyError, StorageInternalError) as error:
        raise StorageError(
            f"{shown}: cannot be written: {error}; look at the disk, or name another --storage"
        ) from error


def _is_left(trial: FrozenTrial, living: set[str]) -> bool:
    """Whether its worker has died; one that has just begun may not have written its name yet."""
    worker = trial.user_attrs.get("worker")
    if worker is None and trial.datetime_start is not None:
        return (datetime.now() - trial.datetime_start).total_seconds() > PATIENCE
    return worker not in living


def _sampler(seed: int) -> TPESampler:
    """Methods, rates and the like hang together, so they are learned together: called experimental for years."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(seed=seed, multivariate=True)


def exists(url: str) -> bool:
    """Whether a storage holds a search."""
    return STUDY in optuna.get_all_study_names(open_storage(url))


def forget(url: str) -> None:
    """Removes the search from its storage, if there is one."""
    if exists(url):
        optuna.delete_study(study_name=STUDY, storage=open_storage(url))


def _expected() -> str:
    return "expected sqlite:///FILE or postgresql://USER@HOST/DATABASE"
