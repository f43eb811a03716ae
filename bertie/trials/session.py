"""One worker's time on a search: whether it may begin, joins or goes on, and how much is left.

In:  a request, its folder, a storage
Out: the ledger, set up and proved to be of the same search; seconds left; an error that says what to do
Knows nothing of how trials are made.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from bertie.bundle import folder as bundle
from bertie.core.errors import UsageError
from bertie.core.files import write_json
from bertie.training.run import RunFolder
from bertie.trials import ledger as ledgers
from bertie.trials.budget import Costs
from bertie.trials.field import Field
from bertie.trials.ledger import Ledger
from bertie.trials.measure import floors_seconds, frozen_seconds, latency, rough, untuned
from bertie.trials.request import SearchRequest
from bertie.trials.space import first_trials
from bertie.trials.workers import MARK, TURN, WORKERS, Worker
from bertie.workflow.preparation import Notes


@dataclass
class Session:
    """What a worker knows of the search that it works on."""

    field: Field
    ledger: Ledger
    worker: Worker
    costs: Costs
    began: float
    """When the sessions that run now began, by the wall clock, which all workers share."""
    seconds: float
    """Left then."""

    def left(self) -> float:
        """Seconds."""
        return self.began + self.seconds - time.time()

    def take_up(self) -> None:
        """Queues again what workers were doing that died."""
        if lost := self.ledger.take_up({self.worker.name, *self.worker.others()}):
            self.field.notes.say(f"taken up where a worker ended: {', '.join(lost)}")

    def seen(self) -> None:
        """Writes down that the search lives: a resume counts the time until here."""
        self.ledger.write("seen", time.time())

    def used(self) -> float:
        """Seconds of the search over all sessions."""
        return float(self.ledger.read("budget")) - self.left()


def url_of(request: SearchRequest, run: Path) -> str:
    """The storage that was named, or SQLite's file in the run folder."""
    return request.storage or f"sqlite:///{run.resolve() / 'trials.db'}"


def claim(request: SearchRequest, run: Path, worker: Worker) -> bool:
    """Whether there is a search to join or to go on with; UsageError where the request does not say so."""
    url, others = url_of(request, run), worker.others()
    found = ledgers.exists(url)
    if found:
        _same_folder(url, run)  # also where it is to be overwritten: it may be somebody else's
    bundle.free(request.folder, overwrite=request.overwrite or request.resume)
    if RunFolder(run).begun() and not request.overwrite:
        raise UsageError(f"{request.folder}: holds the run of a training; choose another --out, or --overwrite")
    if request.overwrite:
        if others:
            raise UsageError(f"{request.folder}: {len(others)} workers search here; wait for them or stop them")
        return False
    if found and not others and not request.resume:
        raise UsageError(
            f"{request.folder}: holds a search without its bundle, stopped before it was done; go on with --resume, or "
            "lose it and start again with --overwrite"
        )
    if request.resume and not found:
        raise UsageError(
            f"{request.folder}: holds no search to go on with; name its folder with --out, or start without --resume"
        )
    return found


def enter(request: SearchRequest, run: Path, worker: Worker, notes: Notes, began: float) -> Session:
    """Reads the rows, then sets the search up, joins it, or goes on with it. `began`: when this worker's turn did.

    Only one worker at a time may be in here; where it returns, it is one of the workers.
    """
    found = claim(request, run, worker)
    field = Field.of(request, notes)
    if not found:
        _choose(field, notes)
        costs = _affordable(field, began)
    if request.overwrite:  # not before: what is refused above costs no earlier search
        ledgers.forget(url_of(request, run))
        _clear(run)
    ledger, made = ledgers.open_ledger(url_of(request, run), field.recipe.training.seed + len(worker.others()))
    ledger.usual = {"method": field.recipe.method, **field.varied}
    if made or (request.resume and not worker.others() and not ledger.read("ready")):
        if found:
            _choose(field, notes)
        _set_up(ledger, field, run, began)
    ledger.wait_until_ready()
    ledger.prove(field.identity)
    _same_folder(ledger.url, run, ledger)
    field.settle(ledger.read("models"), ledger.read("allowed"), ledger.read("dtype"))
    if found:
        costs = rough(field, field.default.model)
    if request.resume and not worker.others():
        before = float(ledger.read("before")) + float(ledger.read("seen")) - float(ledger.read("began"))
        for name, value in {"before": before, "began": began, "seen": began, "budget": request.budget_seconds}.items():
            ledger.write(name, value)
    seconds = float(ledger.read("budget")) - float(ledger.read("before"))
    worker.join()
    return Session(field, ledger, worker, costs, float(ledger.read("began")), seconds)


def _set_up(ledger: Ledger, field: Field, run: Path, began: float) -> None:
    token = uuid.uuid4().hex
    write_json(run / MARK, {"token": token})
    facts = {
        "token": token,
        "folder": str(field.request.folder.resolve()),
        "models": field.models,
        "allowed": field.allowed,
        "dtype": field.recipe.training.dtype,
        "budget": field.request.budget_seconds,
        "before": 0.0,
        "began": began,
        "seen": time.time(),
    }
    ledger.set_up(field.identity, facts, first_trials(field.allowed, field.counts_words))


def _choose(field: Field, notes: Notes) -> None:
    models = field.choose_models()
    field.settle(models, models, str(field.dtype).removeprefix("torch."))
    field.allowed = _allowed(field, models, notes)


def _allowed(field: Field, models: list[str], notes: Notes) -> list[str]:
    """Those that answer fast enough; all of them where nobody asked."""
    limit = field.request.latency_seconds
    if limit is None:
        return models
    rows, allowed = list(field.splits.dev), []
    for model in models:
        taken = latency(untuned(field, model), rows).value
        if taken <= 1000 * limit:
            allowed.append(model)
        else:
            notes.say(f"{model} takes {taken:.3g} ms a row, more than --max-latency {field.request.max_latency}")
    if not allowed and not field.counts_words:
        raise UsageError(
            f"--max-latency {field.request.max_latency}: no model that is at hand answers so fast; allow more, or name "
            "a smaller one with --model"
        )
    return allowed


def _affordable(field: Field, began: float) -> Costs:
    """What a search will cost; UsageError where the budget does not hold one neural trial and its bundle."""
    model = field.default.model
    costs = rough(field, model)
    needed = time.time() - began + floors_seconds(field, costs)
    needed += frozen_seconds(costs) + costs.needed if field.allowed else costs.finish
    if field.request.budget_seconds < needed:
        raise UsageError(
            f"--budget {field.request.budget_seconds:.0f}s is too short for one trial: about {needed:.0f} s are needed "
            f"for the floors, one epoch with {model} and the bundle; give --budget {_rounded(needed)}, fewer rows, or "
            "a smaller --model"
        )
    return costs


def _rounded(seconds: float) -> str:
    return f"{10 * (int(seconds) // 10 + 1)}s" if seconds < 120 else f"{int(seconds / 60) + 1}m"


def _same_folder(url: str, run: Path, ledger: Ledger | None = None) -> None:
    """UsageError where the models of a search lie in another folder than this request's."""
    known = ledger or ledgers.open_ledger(url, 0)[0]
    token, mark = known.read("token"), run / MARK
    here = json.loads(mark.read_text(encoding="utf-8"))["token"] if mark.is_file() else None
    if token is not None and token != here:
        raise UsageError(
            f"{known.url}: holds the search of {known.read('folder')}; give it the same --out to join or to overwrite "
            "it, or name another --storage"
        )


def _clear(run: Path) -> None:
    """Everything of an earlier search or training but the locks."""
    for path in run.glob("*"):
        if path.name in (WORKERS, TURN):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
