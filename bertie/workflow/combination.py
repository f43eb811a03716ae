"""Several trained models to one bundle's model: their mean answer, a layer over it, or the mean of their weights.

In:  what the trainings left, the dev rows, and for a stack the answers out of fold
Out: a model, who is in it, and what it scores on the dev rows
Knows nothing of training. Whatever is chosen here is chosen by dev rows, never by those that judge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bertie.bundle import folder as bundle
from bertie.bundle import golden
from bertie.bundle.ensemble import Combination, Stack
from bertie.bundle.folder import Model, ensemble_of
from bertie.bundle.soup import soup
from bertie.data.times import Fold
from bertie.evaluation.stacking import fit_stack
from bertie.predict import Predictor
from bertie.tasks.classification import Classification
from bertie.training.state import Evaluation
from bertie.workflow.cross_validation import by_learner
from bertie.workflow.members import REFIT, Trained
from bertie.workflow.preparation import Prepared
from bertie.workflow.publication import golden_rows
from bertie.workflow.request import Combine, Say
from bertie.workflow.train import chosen_by, dev_answers


@dataclass(frozen=True)
class Mix:
    """One model of several."""

    model: Model
    members: list[str]
    """Names of the trainings that are in it."""
    dev: Evaluation
    """Of the dev rows."""


@dataclass(frozen=True)
class Material:
    """What is combined."""

    trained: list[Trained]
    prepared: Prepared
    folds: list[Fold]
    say: Say

    def calibrated(self, one: Trained) -> Model:
        """A member as it would be used alone."""
        model = self._here(bundle.load(one.folder))
        if one.dev:
            model.task.calibrate(one.dev, self.prepared.splits.dev)
        return model

    def agree(self, members: Sequence[Model], combination: Combination) -> None:
        """With several labels a row: one probability for all members from which their answer together gives a label. It
        is chosen on the dev rows by that answer, as that of a single member says nothing of a mean."""
        first, *others = [one.task for one in members]
        asked = self.prepared.task
        if not (isinstance(first, Classification) and first.several and isinstance(asked, Classification)):
            return
        first.settings = asked.settings
        together, dev = self._predictor(ensemble_of(members, combination)), self.prepared.splits.dev
        if first.calibrates:
            first.calibrate(dev_answers(together, dev), dev)
        for other in others:
            assert isinstance(other, Classification), "members learn one task"
            other.settings = first.settings

    def soup(self, chosen: Sequence[Trained]) -> Mix:
        """The mean of their weights, of the last layer too as it was trained; its probabilities are set right after."""
        model = self._here(soup(bundle.load(one.folder) for one in chosen))
        dev = self.prepared.splits.dev
        answers = dev_answers(self._predictor(model), dev)
        evaluation = chosen_by(model.task, answers, dev)
        if model.task.calibrates:
            model.task.calibrate(answers, dev)
        return Mix(model, [one.name for one in chosen], evaluation)

    def judged(self, model: Model, names: list[str]) -> Mix:
        """An ensemble with its score on the dev rows."""
        dev = self.prepared.splits.dev
        return Mix(model, names, chosen_by(model.task, dev_answers(self._predictor(model), dev), dev))

    def _predictor(self, model: Model) -> Predictor:
        return Predictor(model, "combined", self.prepared.dtype)

    def _here(self, model: Model) -> Model:
        device = next(self.prepared.start.encoder.parameters()).device
        model.encoder.to(device)
        model.task.to(device)
        return model


def combine(how: Combine, material: Material) -> Mix:
    """The model that the bundle will hold."""
    return _WAYS[how](material)


def _refit(material: Material) -> Mix:
    [one] = [one for one in material.trained if one.name == REFIT]
    return Mix(material.calibrated(one), [REFIT], Evaluation(one.chosen, one.metrics))


def _uniform_soup(material: Material) -> Mix:
    mixed, trained = material.soup(material.trained), material.trained
    worst = min(one.chosen for one in trained)
    if mixed.dev.score < worst:
        material.say(
            "the soup is worse on the dev rows than each of its members: they have ended too far from each other; "
            "--resume --combine greedy_soup leaves out what does not fit"
        )
    return mixed


def _greedy_soup(material: Material) -> Mix:
    """The best on the dev rows, then each next one that does not make it worse there (Wortsman et al. 2022, algorithm
    1).
    """
    first, *others = sorted(material.trained, key=lambda one: -one.chosen)
    kept, best = [first], material.soup([first])
    for one in others:
        tried = material.soup([*kept, one])
        if tried.dev.score >= best.dev.score:
            kept, best = [*kept, one], tried
    material.say(f"greedy soup: {', '.join(best.members)} of {len(material.trained)} members")
    return best


def _average(material: Material) -> Mix:
    everybody = tuple(range(len(material.trained)))
    return material.judged(_ensemble(material, Combination((everybody,))), _names(material.trained))


def _stack(material: Material) -> Mix:
    """The layer is fitted on answers out of fold alone; those of a seed's folds are one learner's."""
    trained, prepared = material.trained, material.prepared
    seeds = list(dict.fromkeys(one.job.seed for one in trained))
    learners = tuple(tuple(i for i, one in enumerate(trained) if one.job.seed == seed) for seed in seeds)
    places, learned = by_learner(trained, material.folds)
    rows = prepared.task.accept(prepared.splits.train.take(places))
    layer: Stack = fit_stack(prepared.task, learned, rows)
    material.say(f"stack: fitted on {len(places)} answers out of fold of {len(learners)} learners")
    return material.judged(_ensemble(material, Combination(learners, layer)), _names(trained))


def _ensemble(material: Material, combination: Combination) -> Model:
    """Members are bundles of their own, each with its golden examples."""
    members = [material.calibrated(one) for one in material.trained]
    material.agree(members, combination)
    rows = golden_rows(Predictor(members[0]), material.prepared.splits.dev)
    proved = [replace(one, golden=golden.record(Predictor(one).predict, rows)) for one in members]
    return ensemble_of(proved, combination)


def _names(trained: Sequence[Trained]) -> list[str]:
    return [one.name for one in trained]


_WAYS: dict[Combine, Callable[[Material], Mix]] = {
    "refit": _refit,
    "soup": _uniform_soup,
    "greedy_soup": _greedy_soup,
    "average": _average,
    "stack": _stack,
}
