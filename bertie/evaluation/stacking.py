"""Stacking: a linear layer over what learners answered to rows that they had not learned from (Wolpert 1992).

In:  a task, out-of-fold answers of each learner, the rows with their labels
Out: the layer, logistic regression for labels and ridge regression for a number
Knows nothing of how the answers were made. Whoever gives it answers to rows that were learned from gets a layer that
believes the learner who knows them by heart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from bertie.bundle.ensemble import Floats, Stack, features
from bertie.data.rows import Rows
from bertie.evaluation.linear import Targets, fit_logistic, folds, surprise
from bertie.tasks.base import Answer, Task
from bertie.tasks.one_label import CalibratedTask

# R rows, L learners, C labels, F features
STRENGTHS = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
"""Candidates for the regularisation, strong to weak; held-out likelihood chooses."""


def fit_stack(task: Task, learned: Sequence[Sequence[Answer]], rows: Rows) -> Stack:
    """`learned`: the answers of each learner, one a row."""
    inputs = np.stack(
        [np.concatenate([features(task, answer) for answer in answers]) for answers in zip(*learned, strict=True)]
    )  # (R, F)
    if not isinstance(task, CalibratedTask):
        return _ridge(inputs, np.array([float(label) for label in rows.column("label")]))
    known = [i for i, label in enumerate(rows.column("label")) if label in task.label_names]
    return _logistic(inputs[known], Targets.of([rows[i]["label"] for i in known], task.label_names))


def _logistic(inputs: Floats, targets: Targets) -> Stack:
    """Multinomial, with its regularisation chosen on held-out rows. Inputs are centred: the bias is free."""
    centre = inputs.mean(0)
    table = torch.from_numpy((inputs - centre).astype(np.float32))
    parts = folds(targets, 0)

    def unlikely(strength: float) -> float:
        """Of the labels of held-out rows."""
        found = []
        for fit, held in parts:
            solution = fit_logistic(table[fit], torch.from_numpy(targets.matrix[fit]), False, strength)
            margins = (table[held] @ solution[:, :-1].T + solution[:, -1]).numpy()
            found.append(surprise(margins, targets.take(held)) * len(held))
        return sum(found)

    strength = min(STRENGTHS, key=unlikely)
    solution = fit_logistic(table, torch.from_numpy(targets.matrix), False, strength).double().numpy()  # (C, F + 1)
    weight = solution[:, :-1]
    return Stack(weight, solution[:, -1] - weight @ centre)


def _ridge(inputs: Floats, values: Floats) -> Stack:
    """Least squares drawn a little towards the mean of the learners, which are much alike."""
    centre, middle = inputs.mean(0), values.mean()
    table, count = inputs - centre, inputs.shape[1]
    prior = np.full(count, 1.0 / count)
    penalty = 1e-2 * (table**2).sum() / count * np.eye(count)
    weight = prior + np.linalg.solve(table.T @ table + penalty, table.T @ (values - middle - table @ prior))
    return Stack(weight[None], np.array([middle - weight @ centre]))
