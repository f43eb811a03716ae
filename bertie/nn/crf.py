"""A linear-chain conditional random field: tags that know their neighbours.

In:  emissions, a score for each tag at each position; which positions carry a tag; which tags may follow each other
Out: the likelihood of a row of tags, the best row, the probability of each tag at each position
Knows nothing of encoders, words or metrics.

A row of tags y over N positions scores (Lample et al. 2016, section 2.2), with e the emissions,

    score(y) = start[y1] + e1[y1] + A[y1, y2] + e2[y2] + ... + A[yN-1, yN] + eN[yN] + end[yN]

and has the probability exp(score(y)) / Z, where Z is the sum over all C^N rows (Lafferty et al. 2001). The chain makes
that sum cheap: N steps of C x C.
"""

# S sequences, T tokens, N tagged tokens of the sequence that has most, C tags

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

import torch
from torch import Tensor, nn

from bertie.core.errors import DataError, ModelError

FORBIDDEN = -1e30
"""Score of what may not be. Finite, so that no gradient is NaN; so low that its exp is exactly 0 whatever else the
scores are, and still thousands of them add up without overflow."""
TAG = re.compile(r"O|([BIES])(?:-(.+))?")
"""O, or a place in an entity and its type; a bare "B" is of the type without a name (word segmentation)."""


def allowed_transitions(tags: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
    """Which tags may follow each other, stand first and stand last.

    With an "E-" or "S-" among them the tags are BIOES, where an entity of several tokens ends in E and one of a single
    token is S; else they are BIO, where an entity starts with B and ends where no I of its type follows.

    Args:
        tags: names such as "O", "B-PER", "I-PER", "E-PER", "S-PER"; their order is that of the rows and columns.

    Returns:
        allowed (C, C), from row to column; start (C,); end (C,); all bool.

    Raises:
        DataError: a name is of no such form, or its partner is missing, so that no row of tags could hold it.
    """
    matches = [TAG.fullmatch(tag) for tag in tags]
    if foreign := [tag for tag, match in zip(tags, matches, strict=True) if match is None]:
        raise DataError([f"tag {tag!r} is neither O nor B-, I-, E- or S- with a type; rename it" for tag in foreign])
    parts = [(match[1] or "O", match[2] or "") for match in matches if match]  # the place, the type
    closing = any(place in "ES" for place, _ in parts)
    if problems := _orphans(parts, closing):
        raise DataError(problems)
    inner = torch.tensor([place in "IE" for place, _ in parts])  # (C,) goes on with an entity
    opened = torch.tensor([place in "BI" for place, _ in parts])  # (C,) leaves one open
    same_type = torch.tensor([[a == b for _, b in parts] for _, a in parts])  # (C, C)
    # In BIO an open entity may simply stop; in BIOES it has to reach its E.
    may_stop = ~opened if closing else torch.ones_like(opened)  # (C,)
    goes_on = opened[:, None] & inner & same_type  # (C, C)
    begins = may_stop[:, None] & ~inner  # (C, C)
    return goes_on | begins, ~inner, may_stop


def _orphans(parts: Sequence[tuple[str, str]], closing: bool) -> list[str]:
    """What is wrong with tags that no row could hold, as I-PER in BIO where there is no B-PER."""
    partners = {"B": "E", "I": "BE", "E": "B"} if closing else {"I": "B"}
    scheme = "BIOES" if closing else "BIO"
    return [
        f"tag '{place}-{kind}' can stand nowhere in {scheme} without '{partner}-{kind}', which is not among the tags; "
        "add it, or convert tags of another scheme"
        for place, kind in parts
        for partner in partners.get(place, "")
        if (partner, kind) not in parts
    ]


def left_aligned(mask: Tensor) -> tuple[Tensor, Tensor]:
    """The marked positions of each row moved to the front, in their order.

    A chain then runs from word to word over first pieces alone, whatever stands between them: [CLS], further pieces,
    padding.

    Args:
        mask: (S, T) bool, True for the positions that are wanted.

    Returns:
        Their places in the row (S, N), and which of the N are real (S, N): rows with fewer are filled up at the end.
    """
    mask = mask.bool()  # where it came as 0 and 1, ~ would mean something else
    counts = mask.sum(dim=1)  # (S,)
    most = max(int(counts.max()), 1)
    order = (~mask).to(torch.uint8).argsort(dim=1, stable=True)[:, :most]  # (S, N)
    return order, torch.arange(most, device=mask.device) < counts[:, None]


class _Chain(NamedTuple):
    """What the algorithms run on; the three scores hold FORBIDDEN where it applies."""

    emissions: Tensor  # (S, N, C)
    order: Tensor  # (S, N), places in the row that was given
    real: Tensor  # (S, N) bool
    start: Tensor  # (C,)
    step: Tensor  # (C, C), from row to column
    end: Tensor  # (C,)


class LinearChainCRF(nn.Module):
    """A score for each pair of neighbouring tags, learned beside the emissions.

    All is computed in float32 (float64 where that is given), also under autocast: sums over a long row lose their
    digits in bfloat16. The scores start at zero, where the field is an independent softmax at each position, but for
    the forbidden transitions. They are few and want large values: at the small rates at which an encoder is tuned they
    hardly move, so give them a rate of their own.
    """

    allowed: Tensor
    start_allowed: Tensor
    end_allowed: Tensor

    def __init__(
        self,
        tags: int,
        allowed: Tensor | None = None,
        start_allowed: Tensor | None = None,
        end_allowed: Tensor | None = None,
    ) -> None:
        """Make the field.

        Args:
            tags: C.
            allowed: (C, C) bool, from row to column, see `allowed_transitions`. None: everything is.
            start_allowed: (C,) bool, which tags may stand first. Rows that are cut out of longer ones may begin
                inside an entity; then let them.
            end_allowed: (C,) bool, which tags may stand last; the same holds.

        Raises:
            ModelError: nothing is allowed for rows of some length.
        """
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(tags, tags))
        self.start = nn.Parameter(torch.zeros(tags))
        self.end = nn.Parameter(torch.zeros(tags))
        given = {"allowed": allowed, "start_allowed": start_allowed, "end_allowed": end_allowed}
        for (name, rule), score in zip(given.items(), (self.transitions, self.start, self.end), strict=True):
            if rule is not None and rule.shape != score.shape:
                raise ValueError(f"{name} is {tuple(rule.shape)}, expected {tuple(score.shape)} for {tags} tags")
            # Made from the tags' names, not learned: no part of the weights.
            value = torch.ones_like(score, dtype=torch.bool) if rule is None else rule.to(score.device, torch.bool)
            self.register_buffer(name, value, persistent=False)
        # Without data, on the meta device, there is nothing to look at yet.
        ruled = any(rule is not None for rule in given.values()) and not self.transitions.is_meta
        if ruled and (length := _impossible_length(self.allowed, self.start_allowed, self.end_allowed)):
            raise ModelError(f"the rules allow no row of {length} tags; add a tag that may stand alone, such as O")

    def forward(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """`negative_log_likelihood`."""
        return self.negative_log_likelihood(emissions, tags, mask)

    def negative_log_likelihood(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """-log p(tags), the loss of a row. Infinite where the tags break the rules: their probability is zero.

        Args:
            emissions: (S, T, C).
            tags: (S, T) long; what stands where the mask is False counts for nothing.
            mask: (S, T) bool, the positions that carry a tag, wherever they stand.

        Returns:
            (S,) nats, a sum over the positions; 0 for a row that carries none.
        """
        chain = self._chain(emissions, mask)
        gold = tags.gather(1, chain.order).masked_fill(~chain.real, 0)  # (S, N)
        nats = _log_partition(chain) - _score(chain, gold)  # (S,)
        return nats.masked_fill(~chain.real[:, 0], 0.0)

    @torch.no_grad()
    def decode(self, emissions: Tensor, mask: Tensor) -> list[list[int]]:
        """The most probable row of tags for each sequence (Viterbi 1967); it never breaks the rules.

        Args:
            emissions: (S, T, C).
            mask: (S, T) bool, the positions that carry a tag.

        Returns:
            S lists, one tag for each position that the mask marks, in order.
        """
        chain = self._chain(emissions, mask)
        lengths = chain.real.sum(dim=1).tolist()
        return [path[:length] for path, length in zip(_best_paths(chain).tolist(), lengths, strict=True)]

    def marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The probability of each tag at each position over all rows of tags (forward-backward, Rabiner 1989).

        Args:
            emissions: (S, T, C).
            mask: (S, T) bool, the positions that carry a tag.

        Returns:
            (S, T, C), which sums to 1 over the tags, and is 0 where the mask is False.
        """
        chain = self._chain(emissions, mask)
        # alpha + beta is the log of what a tag brings to Z at its position; softmax divides by their sum, which is Z.
        shares = (_alphas(chain) + _betas(chain)).softmax(dim=-1)  # (S, N, C)
        shares = shares.masked_fill(~chain.real.unsqueeze(-1), 0.0)
        places = chain.order.unsqueeze(-1).expand_as(shares)  # (S, N, C)
        return shares.new_zeros(emissions.shape).scatter(1, places, shares)

    def _chain(self, emissions: Tensor, mask: Tensor) -> _Chain:
        dtype = torch.promote_types(emissions.dtype, torch.float32)
        order, real = left_aligned(mask)
        places = order.unsqueeze(-1).expand(-1, -1, emissions.shape[-1])  # (S, N, C)
        found = emissions.to(dtype).gather(1, places).masked_fill(~real.unsqueeze(-1), 0.0)
        return _Chain(
            # A constant at a position changes no probability; this one keeps the sums of a long row near zero, where
            # float32 has most digits.
            emissions=found.log_softmax(dim=-1),
            order=order,
            real=real,
            start=self.start.to(dtype).masked_fill(~self.start_allowed, FORBIDDEN),
            step=self.transitions.to(dtype).masked_fill(~self.allowed, FORBIDDEN),
            end=self.end.to(dtype).masked_fill(~self.end_allowed, FORBIDDEN),
        )


def _impossible_length(allowed: Tensor, start: Tensor, end: Tensor) -> int | None:
    """The smallest length for which the rules leave no row of tags, None if there is none."""
    reached, seen = start, set[tuple[bool, ...]]()
    for length in count(1):
        if not bool((reached & end).any()):
            return length
        if (state := tuple(reached.tolist())) in seen:
            break  # from here on everything repeats
        seen.add(state)
        reached = (reached[:, None] & allowed).any(dim=0)  # (C,)
    return None


def _score(chain: _Chain, gold: Tensor) -> Tensor:
    """The score (S,) of the tags (S, N); -inf where they break the rules."""
    last = (chain.real.sum(dim=1, keepdim=True) - 1).clamp(min=0)  # (S, 1)
    emitted = chain.emissions.gather(2, gold.unsqueeze(-1)).squeeze(-1) * chain.real  # (S, N)
    moved = chain.step[gold[:, :-1], gold[:, 1:]] * chain.real[:, 1:]  # (S, N-1)
    ends = chain.start[gold[:, 0]] + chain.end[gold.gather(1, last).squeeze(1)]  # (S,)
    score = ends + emitted.sum(dim=1) + moved.sum(dim=1)  # (S,)
    return score.masked_fill(score < FORBIDDEN / 2, float("-inf"))


def _log_partition(chain: _Chain) -> Tensor:
    """log Z, (S,)."""
    return (_alphas(chain)[:, -1] + chain.end).logsumexp(dim=-1)


def _alphas(chain: _Chain) -> Tensor:
    """For each position and tag the log of the sum over all beginnings that lead there, (S, N, C)."""
    alpha = chain.start + chain.emissions[:, 0]  # (S, C)
    alphas = [alpha]
    for n in range(1, chain.emissions.shape[1]):
        stepped = (alpha.unsqueeze(2) + chain.step).logsumexp(dim=1) + chain.emissions[:, n]  # (S, C)
        alpha = torch.where(chain.real[:, n, None], stepped, alpha)
        alphas.append(alpha)
    return torch.stack(alphas, dim=1)


def _betas(chain: _Chain) -> Tensor:
    """For each position and tag the log of the sum over all that may come after it, (S, N, C)."""
    beta = chain.end.expand_as(chain.emissions[:, 0])  # (S, C)
    betas = [beta]
    for n in range(chain.emissions.shape[1] - 1, 0, -1):
        stepped = (chain.step + (chain.emissions[:, n] + beta).unsqueeze(1)).logsumexp(dim=2)  # (S, C)
        beta = torch.where(chain.real[:, n, None], stepped, beta)
        betas.append(beta)
    return torch.stack(betas[::-1], dim=1)


def _best_paths(chain: _Chain) -> Tensor:
    """The highest-scoring tags (S, N); past the end of a row its last tag is repeated."""
    best = chain.start + chain.emissions[:, 0]  # (S, C)
    stay = torch.arange(best.shape[1], device=best.device).expand_as(best)  # (S, C)
    pointers = []
    for n in range(1, chain.emissions.shape[1]):
        real = chain.real[:, n, None]  # (S, 1)
        arriving, source = (best.unsqueeze(2) + chain.step).max(dim=1)  # (S, C) each
        best = torch.where(real, arriving + chain.emissions[:, n], best)
        pointers.append(torch.where(real, source, stay))
    tag = (best + chain.end).argmax(dim=1, keepdim=True)  # (S, 1)
    path = [tag]
    for pointer in reversed(pointers):
        tag = pointer.gather(1, tag)
        path.append(tag)
    return torch.cat(path[::-1], dim=1)
