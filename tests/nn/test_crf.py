"""The chain against all its paths written out, one by one."""

from __future__ import annotations

import itertools
import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from bertie.core.errors import DataError, ModelError
from bertie.nn.crf import LinearChainCRF, allowed_transitions, left_aligned
from bertie.nn.losses import IGNORED

SEEDS = st.integers(0, 10_000)
BIO = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
BIOES = ["O", "B-PER", "I-PER", "E-PER", "S-PER", "B-LOC", "I-LOC", "E-LOC", "S-LOC"]


def random_crf(tags: int, generator: torch.Generator, forbid: float = 0.3) -> LinearChainCRF:
    """Random scores and rules; tag 0 may stand everywhere, so that every length has a path."""
    allowed = torch.rand(tags, tags, generator=generator) >= forbid
    start, end = torch.rand(2, tags, generator=generator) >= forbid
    allowed[0], allowed[:, 0], start[0], end[0] = True, True, True, True
    crf = LinearChainCRF(tags, allowed, start, end)
    for parameter in crf.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    return crf


def every_path(crf: LinearChainCRF, emissions: Tensor) -> dict[tuple[int, ...], float]:
    """All paths over emissions (N, C) with their scores, in Python's float64; forbidden ones are -inf."""
    scores = {}
    for path in itertools.product(range(emissions.shape[1]), repeat=len(emissions)):
        steps = list(itertools.pairwise(path))
        score = sum(emissions[n, tag].item() for n, tag in enumerate(path))
        if path:
            score += crf.start[path[0]].item() + crf.end[path[-1]].item()
            score += sum(crf.transitions[step].item() for step in steps)
            legal = crf.start_allowed[path[0]] and crf.end_allowed[path[-1]] and all(crf.allowed[s] for s in steps)
            score = score if legal else -math.inf
        scores[path] = score
    return scores


def probabilities(scores: dict[tuple[int, ...], float]) -> dict[tuple[int, ...], float]:
    total = sum(math.exp(score) for score in scores.values())
    return {path: math.exp(score) / total for path, score in scores.items()}


def random_row(seed: int, length: int, tags: int) -> tuple[LinearChainCRF, Tensor, Tensor, Tensor]:
    """A field, emissions (2, T, C), tags (2, T), a mask (2, T) with holes anywhere, perhaps empty."""
    generator = torch.Generator().manual_seed(seed)
    emissions = torch.randn(2, length, tags, generator=generator) * 3
    gold = torch.randint(tags, (2, length), generator=generator)
    mask = torch.rand(2, length, generator=generator) < 0.7
    return random_crf(tags, generator), emissions, gold.masked_fill(~mask, IGNORED), mask


@given(seed=SEEDS, length=st.integers(1, 5), tags=st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_likelihood_decode_and_marginals_are_those_of_all_paths(seed: int, length: int, tags: int) -> None:
    crf, emissions, gold, mask = random_row(seed, length, tags)
    nats = crf(emissions, gold, mask)
    decoded = crf.decode(emissions, mask)
    marginals = crf.marginals(emissions, mask)
    for s in range(2):
        scores = every_path(crf, emissions[s, mask[s]])
        chances = probabilities(scores)
        right = tuple(gold[s, mask[s]].tolist())
        assert nats[s].exp().reciprocal().item() == pytest.approx(chances[right], abs=1e-5)
        assert math.isinf(nats[s].item()) == math.isinf(scores[right]), "what is forbidden has probability zero"
        assert scores[tuple(decoded[s])] == pytest.approx(max(scores.values()), abs=1e-4)
        expected = torch.zeros(length, tags)
        for path, chance in chances.items():
            for place, tag in zip(mask[s].nonzero().flatten().tolist(), path, strict=True):
                expected[place, tag] += chance
        torch.testing.assert_close(marginals[s], expected, atol=1e-5, rtol=1e-4)


@given(seed=SEEDS, size=st.sampled_from([1.0, 1e3, 1e6]))
@settings(max_examples=30, deadline=None)
def test_forbidden_transitions_never_appear(seed: int, size: float) -> None:
    """However large the emissions that speak for them."""
    generator = torch.Generator().manual_seed(seed)
    allowed, start, end = allowed_transitions(BIOES)
    crf = LinearChainCRF(len(BIOES), allowed, start, end)
    mask = torch.rand(4, 12, generator=generator) < 0.8
    emissions = torch.randn(4, 12, len(BIOES), generator=generator) * size
    paths = crf.decode(emissions, mask)
    assert [len(path) for path in paths] == mask.sum(dim=1).tolist()
    for path in paths:
        assert all(allowed[step] for step in itertools.pairwise(path))
        assert not path or (start[path[0]] and end[path[-1]])
    marginals = crf.marginals(emissions, mask)
    first = marginals[torch.arange(4), mask.int().argmax(dim=1)]
    assert first[:, ~start].abs().max() == 0
    torch.testing.assert_close(marginals.sum(dim=-1), mask.float())


def test_gradients() -> None:
    crf, emissions, _, mask = random_row(seed=3, length=5, tags=3)
    crf.double()
    gold = torch.tensor(crf_paths(crf, emissions, mask))
    inputs = (emissions.double().requires_grad_(), *crf.parameters())

    def nats(emissions: Tensor, *_: Tensor) -> Tensor:
        return crf(emissions, gold, mask)

    assert torch.isfinite(nats(*inputs)).all()
    assert torch.autograd.gradcheck(nats, inputs)


def crf_paths(crf: LinearChainCRF, emissions: Tensor, mask: Tensor) -> list[list[int]]:
    """Legal tags for every row, IGNORED between them."""
    rows = []
    for path, real in zip(crf.decode(-emissions, mask), mask.tolist(), strict=True):
        tags = iter(path)
        rows.append([next(tags) if is_real else IGNORED for is_real in real])
    return rows


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_gradient_is_the_marginal_minus_the_truth(seed: int) -> None:
    """Lafferty et al. 2001: expected counts against counted ones."""
    crf, emissions, _, mask = random_row(seed, length=6, tags=4)
    gold = torch.tensor(crf_paths(crf, emissions, mask))
    emissions.requires_grad_()
    (gradient,) = torch.autograd.grad(crf(emissions, gold, mask).sum(), emissions)
    truth = F.one_hot(gold.clamp(min=0), 4) * mask.unsqueeze(-1)
    torch.testing.assert_close(gradient, crf.marginals(emissions, mask).detach() - truth, atol=1e-5, rtol=1e-4)


def test_padding_and_what_stands_between_change_nothing() -> None:
    """Not even NaN there, and no gradient goes there."""
    crf, emissions, _, _ = random_row(seed=5, length=4, tags=3)
    mask = torch.tensor([[True, True, True, True], [True, True, False, False]])
    gold = torch.tensor(crf_paths(crf, emissions, mask))
    places = torch.tensor([1, 3, 4, 7])  # [CLS] first, further pieces between, padding last
    wide = torch.full((2, 9, 3), torch.nan)
    wide[:, places] = emissions.masked_fill(~mask.unsqueeze(-1), torch.nan)
    wide.requires_grad_()
    wide_gold = torch.full((2, 9), IGNORED)
    wide_gold[:, places] = gold
    wide_mask = torch.zeros(2, 9, dtype=torch.bool)
    wide_mask[:, places] = mask
    nats = crf(wide, wide_gold, wide_mask)
    torch.testing.assert_close(nats, crf(emissions, gold, mask))
    assert crf.decode(wide, wide_mask) == crf.decode(emissions, mask)
    marginals = crf.marginals(wide, wide_mask)
    torch.testing.assert_close(marginals[:, places], crf.marginals(emissions, mask))
    (gradient,) = torch.autograd.grad(nats.sum(), wide)
    assert torch.isfinite(gradient).all()
    assert gradient[~wide_mask].abs().max() == 0 == marginals[~wide_mask].abs().max()


def test_a_row_without_tags() -> None:
    crf, emissions, gold, _ = random_row(seed=1, length=3, tags=3)
    emissions.requires_grad_()
    nothing = torch.zeros(2, 3, dtype=torch.bool)
    nats = crf(emissions, gold, nothing)
    assert nats.tolist() == [0, 0]
    nats.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in [emissions, *crf.parameters()] if p.grad is not None)
    assert crf.decode(emissions, nothing) == [[], []]
    assert crf.marginals(emissions, nothing).abs().max() == 0


def test_what_is_forbidden_costs_infinity_and_gives_no_nan() -> None:
    crf = LinearChainCRF(len(BIO), *allowed_transitions(BIO))
    emissions = torch.zeros(1, 2, len(BIO), requires_grad=True)
    nats = crf(emissions, torch.tensor([[0, 2]]), torch.ones(1, 2, dtype=torch.bool))
    assert nats.item() == math.inf
    nats.sum().backward()
    assert emissions.grad is not None and torch.isfinite(emissions.grad).all()


def test_at_first_it_is_a_softmax_at_each_position() -> None:
    crf = LinearChainCRF(4)
    emissions, gold = torch.randn(3, 5, 4), torch.randint(4, (3, 5))
    mask = torch.arange(5) < torch.tensor([[5], [3], [1]])
    expected = F.cross_entropy(emissions.transpose(1, 2), gold, reduction="none") * mask
    torch.testing.assert_close(crf(emissions, gold, mask), expected.sum(dim=1))
    torch.testing.assert_close(crf.marginals(emissions, mask), emissions.softmax(-1) * mask.unsqueeze(-1))
    assert crf.decode(emissions, mask)[1] == emissions[1, :3].argmax(-1).tolist()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_float32_inside(dtype: torch.dtype) -> None:
    crf, emissions, _, mask = random_row(seed=7, length=6, tags=3)
    rounded = emissions.to(dtype)
    gold = torch.tensor(crf_paths(crf, emissions, mask))
    with torch.autocast("cpu", dtype):
        nats, marginals = crf(rounded, gold, mask), crf.marginals(rounded, mask)
    assert nats.dtype == marginals.dtype == torch.float32
    assert torch.equal(nats, crf(rounded.float(), gold, mask))
    assert torch.equal(marginals, crf.marginals(rounded.float(), mask))


def test_a_long_row_keeps_its_digits() -> None:
    generator = torch.Generator().manual_seed(0)
    crf = random_crf(9, generator)
    emissions = torch.randn(2, 512, 9, generator=generator) * 10 + 100
    mask = torch.ones(2, 512, dtype=torch.bool)
    gold = torch.tensor(crf.decode(emissions, mask))
    nats, marginals = crf(emissions, gold, mask), crf.marginals(emissions, mask)
    crf.double()
    torch.testing.assert_close(nats.double(), crf(emissions.double(), gold, mask), atol=1e-3, rtol=1e-5)
    torch.testing.assert_close(marginals.double(), crf.marginals(emissions.double(), mask), atol=1e-4, rtol=0)


def test_learns_what_only_neighbours_tell() -> None:
    """Emissions say nothing; tags alternate."""
    crf = LinearChainCRF(2)
    optimizer = torch.optim.Adam(crf.parameters(), lr=0.3)
    emissions, mask = torch.zeros(1, 6, 2), torch.ones(1, 6, dtype=torch.bool)
    gold = torch.tensor([[0, 1, 0, 1, 0, 1]])
    for _ in range(30):
        optimizer.zero_grad()
        nats = crf(emissions, gold, mask).mean()
        nats.backward()
        optimizer.step()
    assert nats.item() < 0.1
    assert crf.decode(emissions, mask) == gold.tolist()


def test_every_tensor_is_made_where_the_emissions_are() -> None:
    """With another default device a tensor made without one would not fit to the rest."""
    crf, emissions, gold, mask = random_row(seed=2, length=5, tags=3)
    with torch.device("meta"):
        assert crf(emissions, gold, mask).device.type == "cpu"
        assert len(crf.decode(emissions, mask)) == 2
        assert crf.marginals(emissions, mask).device.type == "cpu"


def test_is_made_without_data() -> None:
    rules = allowed_transitions(BIO)
    with torch.device("meta"):
        crf = LinearChainCRF(len(BIO), *rules)
    assert crf.transitions.is_meta and crf.allowed.is_meta
    assert set(crf.state_dict()) == {"transitions", "start", "end"}, "rules are no weights"


@given(seed=SEEDS, rows=st.integers(1, 4), length=st.integers(1, 60), share=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_left_aligned_keeps_order_and_loses_nothing(seed: int, rows: int, length: int, share: float) -> None:
    """Also of long rows, where a sort that is not stable shows."""
    mask = torch.rand(rows, length, generator=torch.Generator().manual_seed(seed)) < share
    order, real = left_aligned(mask)
    assert [places[kept].tolist() for places, kept in zip(order, real, strict=True)] == [
        row.nonzero().flatten().tolist() for row in mask
    ]
    assert order.shape[1] == max(1, int(mask.sum(dim=1).max()))
    assert all(torch.equal(a, b) for a, b in zip(left_aligned(mask.long()), (order, real), strict=True))


@pytest.mark.parametrize(
    ("tags", "grammar"),
    [
        (BIO, "(O |B-PER (I-PER )*|B-LOC (I-LOC )*)*"),
        (BIOES, "(O |S-PER |S-LOC |B-PER (I-PER )*E-PER |B-LOC (I-LOC )*E-LOC )*"),
        (["B", "I", "E", "S"], "(S |B (I )*E )*"),
    ],
)
def test_the_rules_are_the_grammar(tags: list[str], grammar: str) -> None:
    """All rows of up to four tags: the rules let through what the expression matches."""
    allowed, start, end = allowed_transitions(tags)
    for length in range(1, 5):
        for path in itertools.product(range(len(tags)), repeat=length):
            legal = start[path[0]] and end[path[-1]] and all(allowed[step] for step in itertools.pairwise(path))
            text = "".join(f"{tags[tag]} " for tag in path)
            assert bool(legal) == bool(re.fullmatch(grammar, text)), text


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (["O", "X-PER", "PER"], "(?s)'X-PER' is neither O nor .*'PER' is neither"),
        (["O", "O-PER"], "'O-PER' is neither"),
        (["O", "I-PER"], "'I-PER' can stand nowhere in BIO without 'B-PER'"),
        (["O", "B-PER", "S-PER"], "'B-PER' can stand nowhere in BIOES without 'E-PER'"),
        (["O", "S-PER", "I-LOC"], "(?s)'I-LOC' .* without 'B-LOC'.*'I-LOC' .* without 'E-LOC'"),
    ],
)
def test_tags_that_cannot_be_used_are_refused(tags: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        allowed_transitions(tags)


def test_rules_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"allowed is \(3, 3\), expected \(2, 2\) for 2 tags"):
        LinearChainCRF(2, torch.ones(3, 3))
    with pytest.raises(ModelError, match="no row of 1 tags"):
        LinearChainCRF(2, *allowed_transitions(["B-PER", "E-PER"]))
    only_pairs = torch.tensor([[False, True], [True, False]])
    with pytest.raises(ModelError, match="no row of 2 tags"):
        LinearChainCRF(2, only_pairs, torch.tensor([True, False]), torch.tensor([True, False]))
