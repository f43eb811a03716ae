"""Losses: scores and labels to one number.

In:  logits, labels
Out: a scalar, the mean over what is labelled
Knows nothing of tasks or models.
"""

# N rows or tokens, C classes

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

IGNORED = -100
"""A label that counts for nothing: padding, pieces inside a word."""
SURE = 1e-7


def cross_entropy(
    logits: Tensor, labels: Tensor, *, class_weights: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """Weighted mean negative log-likelihood over (N, C) and (N,); 0 with a gradient where nothing is labelled."""
    if not bool((labels != IGNORED).any()):
        return logits.sum() * 0.0  # torch would give NaN
    return F.cross_entropy(logits, labels, weight=class_weights, ignore_index=IGNORED, label_smoothing=label_smoothing)


def focal_loss(logits: Tensor, labels: Tensor, *, gamma: float = 2.0, class_weights: Tensor | None = None) -> Tensor:
    """-(1 - p)^gamma log p of the right class (Lin et al. 2017, equation 5), for many classes; weights are alpha.

    (N, C) and (N,) to the mean over labelled rows, weighted as cross-entropy is: gamma 0 is cross-entropy.
    """
    labelled = labels != IGNORED
    logits, labels = logits[labelled], labels[labelled]
    if labels.numel() == 0:
        return logits.sum() * 0.0
    log_right = logits.log_softmax(dim=-1).gather(-1, labels[:, None]).squeeze(-1)  # (N,)
    factor = torch.ones_like(log_right) if class_weights is None else class_weights[labels]  # (N,)
    # expm1 keeps 1 - p exact where p is nearly 1; the clamp keeps the slope of its root finite.
    easy = (-torch.expm1(log_right)).clamp(min=SURE)  # (N,)
    hard = easy**gamma if gamma else torch.ones_like(easy)
    return (factor * hard * -log_right).sum() / factor.sum()


def binary_cross_entropy(logits: Tensor, targets: Tensor, *, positive_weights: Tensor | None = None) -> Tensor:
    """Mean over (N, C) of C yes-or-no questions.

    Args:
        logits: (N, C).
        targets: (N, C), 0 to 1; NaN counts for nothing.
        positive_weights: (C,), the factor on the yes side, usually noes / yeses of the class. None: 1.
    """
    known = ~targets.isnan()
    losses = F.binary_cross_entropy_with_logits(
        logits, targets.nan_to_num(0.0).to(logits.dtype), pos_weight=positive_weights, reduction="none"
    )  # (N, C)
    return (losses * known).sum() / known.sum().clamp(min=1)


def multilabel_ranking_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Every yes above zero and every no below it, however few the yeses are (Su et al. 2022, ZLPR and Global Pointer).

        log(1 + sum over yeses of e^-s) + log(1 + sum over noes of e^s)

    It is cross-entropy for several right classes, with zero as one more class that divides them: gradients go to the
    worst of each side, so a thousand easy noes do not drown one yes, and no weights are needed.

    Args:
        logits: (N, C), or with more dimensions before C. The lowest finite number is a no that costs nothing; a yes
            there can never be reached and makes the loss huge.
        targets: the same shape, bool, or 0 and 1; NaN counts for nothing.

    Returns:
        The mean over the N rows, float32 (float64 stays).
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if logits.numel() == 0:
        return logits.sum() * 0.0  # torch would give NaN
    lowest = torch.finfo(logits.dtype).min
    yeses = torch.where(targets > 0.5, -logits, lowest).logsumexp(dim=-1)  # (N,)
    noes = torch.where(targets < 0.5, logits, lowest).logsumexp(dim=-1)  # (N,)
    # softplus(x) is log(1 + e^x): the 1 in each log, without a copy of everything for one more column.
    return (F.softplus(yeses) + F.softplus(noes)).mean()


def balanced_weights(counts: Tensor) -> Tensor:
    """Class weights from the rows of each class (C,): rows / (classes x count); 0 for a class without rows."""
    counts = counts.to(torch.float32)
    seen = counts > 0
    return torch.where(seen, counts.sum() / (seen.sum() * counts.clamp(min=1.0)), torch.zeros_like(counts))


def balanced_positive_weights(counts: Tensor, rows: int) -> Tensor:
    """Weights of the yes side of each label (C,): noes / yeses, so that both sides weigh the same.

    A label that no row has gets 0. Of one that every row has the noes count as one: with 0 nothing would be learned.
    """
    yeses = counts.to(torch.float32)
    noes = (rows - yeses).clamp(min=1.0)
    return torch.where(yeses > 0, noes / yeses.clamp(min=1.0), torch.zeros_like(yeses))


def in_batch_contrastive(
    queries: Tensor,
    positives: Tensor,
    negatives: Tensor,
    identities: tuple[Tensor, Tensor, Tensor],
    temperature: float,
) -> Tensor:
    """InfoNCE in both directions (van den Oord et al. 2018, equation 4): each query is to find its own positive.

    Args:
        queries, positives: (R, D), of length one.
        negatives: (M, D), more texts that the queries should not find; may be empty.
        identities: of queries (R,), positives (R,) and negatives (M,), equal where two are one text. What is right for
            a query in any row of the batch, or is the query itself, is no negative of it.
        temperature: cosines are divided by it.

    Returns:
        The mean over both directions; 0 where nothing is to be told apart, as in a single row without negatives.
    """
    asked, right, wrong = identities
    texts = torch.cat([right, wrong])  # (C,), R + M of them
    same = (asked[:, None] == asked[None, :]).float()  # (R, R)
    own = torch.arange(len(queries), device=queries.device)  # (R,)
    # In bfloat16 a cosine of 0.9 is rounded by 0.002, which the temperature makes 0.04 of a logit.
    with torch.autocast(queries.device.type, enabled=False):
        answers = same @ (right[:, None] == texts[None, :]).float() > 0  # (R, C), by any row of the same query
        spared = (answers | (asked[:, None] == texts[None, :])).fill_diagonal_(False)
        cosines = queries @ torch.cat([positives, negatives]).T / temperature  # (R, C)
        cosines = cosines.masked_fill(spared, torch.finfo(queries.dtype).min)
        forth = F.cross_entropy(cosines, own)
    return (forth + F.cross_entropy(cosines[:, : len(own)].T, own)) / 2


def cosine_order(cosines: Tensor, gold: Tensor, scale: float = 20.0) -> Tensor:
    """CoSENT (Su 2022): pairs that are more alike are to have the larger cosine; by how much is not said.

        log(1 + sum over gold_i > gold_j of e^(scale (cosine_j - cosine_i)))

    Args:
        cosines, gold: (R,), of the pairs of a batch.
        scale: 1 / temperature.

    Returns:
        A number; 0 with a gradient where all pairs are equally alike.
    """
    above = scale * (cosines[None, :] - cosines[:, None])  # (R, R)
    worst = above.masked_fill(gold[:, None] <= gold[None, :], torch.finfo(above.dtype).min)
    return F.softplus(worst.flatten().logsumexp(dim=0))


def cosine_targets(cosines: Tensor, same: Tensor) -> Tensor:
    """Squared distance of the cosines (R,) of pairs to 1 where they are alike and to 0 where not, the mean (Tunstall et
    al. 2022, SetFit)."""
    return F.mse_loss(cosines.float(), same.float())


def supervised_contrastive(vectors: Tensor, classes: Tensor, rows: Tensor, temperature: float) -> Tensor:
    """Texts of one class near each other, away from all others (Khosla et al. 2020, equation 2).

        mean over anchors i of  - 1 / |P(i)| sum over p in P(i) of log e^(cos_ip / t) / sum over a of e^(cos_ia / t)

    Args:
        vectors: (V, D), of length one.
        classes: (V,), P(i) are the texts of the same class.
        rows: (V,), equal where two vectors are one text: they are neither positives nor negatives of each other.
        temperature: t, by which cosines are divided.

    Returns:
        A number; 0 with a gradient where no text has another of its class.
    """
    vectors = vectors.float()
    strangers = rows[:, None] != rows[None, :]  # (V, V)
    positives = strangers & (classes[:, None] == classes[None, :])  # (V, V)
    with torch.autocast(vectors.device.type, enabled=False):
        cosines = (vectors @ vectors.T / temperature).masked_fill(~strangers, torch.finfo(vectors.dtype).min)  # (V, V)
    log_shares = cosines - cosines.logsumexp(dim=1, keepdim=True)  # (V, V)
    counts = positives.sum(dim=1)  # (V,)
    each = -log_shares.masked_fill(~positives, 0.0).sum(dim=1) / counts.clamp(min=1)  # (V,)
    return each.sum() / (counts > 0).sum().clamp(min=1)


def listwise_cross_entropy(scores: Tensor, relevant: Tensor, row: Tensor, rows: int) -> Tensor:
    """Softmax over the candidates of each row; those that are right share the target (Cao et al. 2007, equation 5).

    Args:
        scores: (C,), of the candidates of all rows.
        relevant: (C,), 1 or True where a candidate is right.
        row: (C,) long, which of the rows a candidate belongs to.
        rows: how many there are.

    Returns:
        The mean over the rows; one without a right candidate counts as 0.
    """
    right = relevant.to(scores.dtype)
    top = scores.new_full((rows,), torch.finfo(scores.dtype).min).scatter_reduce(0, row, scores.detach(), "amax")
    shifted = scores - top[row]  # so that no exponential overflows
    total = scores.new_zeros(rows).index_add(0, row, shifted.exp())  # (R,)
    share = right / scores.new_zeros(rows).index_add(0, row, right).clamp(min=1.0)[row]  # (C,)
    return -(share * (shifted - total.log()[row])).sum() / rows
