"""What the loop calls between its steps: resume, judge, save, plan, end.

In:  the parts of a training, a run folder
Out: files in the run folder; a state that says where the run stands
Knows nothing of losses and gradients: those are the loop's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch import nn

from bertie.core.errors import BertieError
from bertie.core.files import new_file
from bertie.training.averaging import Averaging
from bertie.training.budget import Budget
from bertie.training.checkpoints import Checkpoint, newest, newest_path, save
from bertie.training.decisions import Decisions
from bertie.training.devices import agreed, first, first_number
from bertie.training.hooks import Hook, Step
from bertie.training.model import TrainingModel
from bertie.training.out_of_memory import Room
from bertie.training.regularizing import averaging
from bertie.training.run import RunFolder
from bertie.training.schedule import Plan
from bertie.training.settings import Training
from bertie.training.shares import Share, count_steps, epoch_steps, padded_tokens, shares
from bertie.training.state import Evaluation, State, random_state, seed_step, set_random_state
from bertie.training.tensors import load_tensors, save_tensors, size

PATIENCE_WITH_NAN = 10
"""Steps in a row without a finite loss and gradient after which training gives up."""

End = Literal["epochs", "time", "patience"]


@dataclass(frozen=True)
class Work:
    """How much there is to do at most."""

    steps: int
    """Of all epochs."""
    tokens: int
    """Of one epoch, padding included."""

    @classmethod
    def of(cls, row_costs: Sequence[int], settings: Training) -> Work:
        """Counted by packing the rows."""
        first = epoch_steps(row_costs, settings, 0)
        tokens = sum(padded_tokens(row_costs, step) for step in first)
        return cls(count_steps(row_costs, settings), tokens)


@dataclass
class Session:
    """One process's work on a run, from start or resume to its end."""

    model: TrainingModel
    trained: nn.Module
    """The model as accelerate wraps it."""
    optimizer: torch.optim.Optimizer
    accelerator: Accelerator
    settings: Training
    run: RunFolder
    evaluate: Callable[[], Evaluation]
    hooks: list[Hook] = field(default_factory=list)
    state: State = field(default_factory=State)
    budget: Budget = field(default_factory=lambda: Budget(None))
    plan: Plan = field(default_factory=lambda: Plan.of(1))
    work: Work = field(default_factory=lambda: Work(1, 1))
    average: Averaging = field(default_factory=Averaging)
    warnings: list[str] = field(default_factory=list)
    room: Room = field(init=False)
    """What the model is given at once."""

    def __post_init__(self) -> None:
        self.room = Room(self.model, self.accelerator, keep=self._keep_limits, tell=self._tell)

    def start(self, row_costs: Sequence[int], decisions: Decisions) -> None:
        """Plans the run, takes up its newest whole checkpoint if there is one, forgets what was logged after it."""
        self.work = Work.of(row_costs, self.settings)
        self.plan = Plan(decisions.corners) if decisions.corners else Plan.of(self.work.steps)
        self.average = averaging(self.settings, self.model, self.optimizer)
        self.room.limits = list(decisions.at_once)
        found = first(lambda: newest(self.run.checkpoints, self.warnings.append))
        if found is not None:
            self.model.load_state_dict(found.model)
            self.optimizer.load_state_dict(found.optimizer)
            self.average.load(found.average)
            self.state = found.state
            self._go_on_drawing(found)
        self.run.cut_log(self.state.log_size)
        changed = decisions.corners is not None and decisions.seconds != self.settings.seconds
        self.budget = Budget(self.settings.seconds, before=self.state.seconds, changed=changed)
        inner = self.optimizer.optimizer if isinstance(self.optimizer, AcceleratedOptimizer) else self.optimizer
        for hook in self.hooks:
            hook.begin(inner, self.state.step, self.plan.total_at(self.state.step))

    def save(self) -> None:
        """Writes a checkpoint of this moment."""
        state = self.state
        state.seconds, state.log_size = self.budget.used(), self.run.log_size()
        generators = [random_state()] if self.accelerator.num_processes == 1 else []
        if self.run.writer:
            parts = (self.model.state_dict(), self.optimizer.state_dict(), state, generators)
            save(self.run.checkpoints, Checkpoint(*parts, self.average.state()))
        self.accelerator.wait_for_everyone()

    def shares(self, batches: Sequence[Sequence[int]]) -> list[Share]:
        """This process's part of the step that comes now. Several draw dropout by step and process, whoever goes on."""
        several, rank = self.accelerator.num_processes, self.accelerator.process_index
        if several > 1:
            seed_step(self.settings.seed, self.state.step, rank)
        return shares(batches, rank, several, whole=self.model.task.compares_rows)

    def agreed(self, wish: int) -> int:
        """The largest wish of all processes."""
        return agreed(self.accelerator, wish)

    def judge(self) -> None:
        """Evaluates without a trace in the random numbers, and keeps the model where it is the best so far.

        Where weights are averaged, the average is what is judged and kept. BertieError: its score is not finite.
        """
        start = time.monotonic()
        with self.average.shown():
            evaluation = self._judged()
        self.run.log({"step": self.state.step, "score": float(evaluation.score), **evaluation.metrics})
        for hook in self.hooks:
            hook.after_evaluation(self.state.step, evaluation)
        self.budget.evaluated(time.monotonic() - start)

    def _judged(self) -> Evaluation:
        generators, training = random_state(), self.model.training
        self.model.eval()
        with torch.no_grad():
            evaluation = first(self.evaluate)
        self.model.train(training)
        set_random_state(generators)
        score = float(evaluation.score)
        if not math.isfinite(score):
            before = "" if self.state.best_score is None else f"; the weights before that are in {self.run.best_path}"
            raise BertieError(
                f"the model's answers after step {self.state.step} are no finite numbers (score {score}), which more "
                f"steps do not mend; start again with a lower training.optimizer.rate{before}"
            )
        # The last weights are those that the schedule has settled; dev rows often put others before them by luck alone
        # (the one-standard-error rule, Breiman et al. 1984, section 3.4.3).
        settled = self.ended() in ("epochs", "time")
        better = self.state.judge(score, evaluation.error if settled else 0.0)
        if better or self.settings.keep == "last":
            self._keep(score)
        return evaluation

    def timed(self, row_costs: Sequence[int], batches: Sequence[Sequence[int]]) -> tuple[int, float]:
        """Tokens and seconds of the step that was just done, which count for the speed of the run."""
        seconds = self.budget.stepped(padded_tokens(row_costs, batches))
        tokens = sum(row_costs[i] for batch in batches for i in batch)
        self.state.tokens += tokens
        self.state.stepping += seconds
        return tokens, seconds

    def stepped(self, step: Step, batches: Sequence[Sequence[int]]) -> None:
        """Logs a step that was done, or left out because its loss or gradient is not finite."""
        fine = math.isfinite(step.loss) and math.isfinite(step.norm)
        state = self.state
        if fine:
            self.average.update(step.number, step.total)
        state.skipped += not fine
        state.skipped_in_a_row = 0 if fine else state.skipped_in_a_row + 1
        loss = {"loss": step.loss, "norm": step.norm} if fine else {"skipped": True}
        self.run.log({"step": step.number, "epoch": step.epoch, "rate": step.rate, **loss})
        if state.skipped_in_a_row >= PATIENCE_WITH_NAN:
            raise BertieError(
                f"loss or gradient was not finite in {PATIENCE_WITH_NAN} steps in a row, the last at step "
                f"{step.number} on rows {[index for batch in batches for index in batch]}; lower optimizer.rate or "
                f"look at these rows; "
                f"the last checkpoint is {newest_path(self.run.checkpoints) or 'not there yet'}"
            )

    def due(self, steps_in_epoch: int) -> bool:
        """Whether this step is one after which the model is judged; the last of an epoch always is."""
        parts, position = self.settings.evaluations_per_epoch, self.state.position or steps_in_epoch
        return position * parts // steps_in_epoch > (position - 1) * parts // steps_in_epoch

    def replan(self) -> None:
        """Fits the steps left to the time left, at the marks of the budget; written down at once, for a resume.

        Where the total stays the plan stays, to the last bit: a corner on the line would move it by rounding.
        """
        step = self.state.step
        if self.settings.seconds is None and not self.budget.changed:
            return
        # A look takes its mark, or a changed limit, away: so not before the plan may change, behind its last corner.
        if not self.plan.decided < step < self.plan.total:
            return
        # Every process must plan alike: the first one's clock counts.
        fitting = first_number(self.accelerator, lambda: step + self._steps_left() if self.budget.look() else -1)
        self.budget.changed = self.budget.changed and fitting < 0
        if fitting < 0:
            return
        total = max(step + 1, min(fitting, self.work.steps))
        if total == self.plan.total:
            return
        self.plan = self.plan.changed(step, total)
        decisions = self.run.read("decisions") or {}
        self.run.write("decisions", {**decisions, "plan": self.plan.corners, "seconds": self.settings.seconds})

    def fitting(self) -> float:
        """Part of the planned epochs that fits into the time, as it was known when the epoch at hand began: a resume in
        the middle of it reads the same rows, whatever has been planned since."""
        return self.plan.total_at(self.state.step - self.state.position) / self.plan.total_at(0)

    def _keep_limits(self, limits: list[tuple[int, int]]) -> None:
        self.run.write("decisions", {**(self.run.read("decisions") or {}), "at_once": limits})

    def _tell(self, line: str) -> None:
        for hook in self.hooks:
            hook.told(line)

    def _go_on_drawing(self, found: Checkpoint) -> None:
        """Several processes draw anew at each step; one goes on from where it stood, if it was one then too."""
        if self.accelerator.num_processes > 1:
            return
        if found.generators:
            set_random_state(found.generators[0])
        else:
            seed_step(self.settings.seed, self.state.step, 0)

    def _steps_left(self) -> int:
        """Steps that fit into the time left; without a limit all of them do."""
        if self.settings.seconds is None:
            return self.work.steps
        steps_per_epoch = self.work.steps / self.settings.epochs
        tokens, judgements = self.work.tokens / steps_per_epoch, self.settings.evaluations_per_epoch / steps_per_epoch
        return self.budget.steps_left(tokens, judgements)

    def ended(self) -> End | None:
        """Why the run is at its end, or None."""
        state, settings = self.state, self.settings
        if state.epoch >= settings.epochs:
            return "epochs"
        if settings.patience and state.waited >= settings.patience:
            return "patience"
        if settings.seconds is None:
            return None
        over = first_number(self.accelerator, lambda: state.step >= self.plan.total or self.budget.over())
        return "time" if over else None

    def finished(self) -> End | None:
        """How the run ended in an earlier session, whose state is then taken over; None where it did not."""
        found = first(lambda: self.run.read("result"))
        if found is None:
            return None
        end: End = found.pop("end")
        self.state = State(**found)
        self.budget = Budget(None, before=self.state.seconds)
        return end

    def finish(self, end: End) -> None:
        """Puts the best weights into the model and writes result.json.

        The file of the best may come from later steps than the checkpoint we went on from, so it tells its own score.
        """
        tensors, about = first(lambda: load_tensors(self.run.best_path))
        self.model.load_state_dict(tensors)
        self.model.eval()
        self.state.best_score, self.state.best_step = float(about["score"]), int(about["step"])
        if self.run.writer and self.run.read("result") is None:
            self.state.seconds, self.state.log_size = self.budget.used(), self.run.log_size()
            self.run.write("result", {"end": end, **asdict(self.state)})

    def _keep(self, score: float) -> None:
        if self.run.writer:
            tensors = self.model.state_dict()
            with new_file(self.run.best_path, size(tensors)) as temporary:
                save_tensors(temporary, tensors, {"score": repr(score), "step": str(self.state.step)})
