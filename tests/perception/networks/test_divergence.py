import math

import pytest
import torch

from perception.networks.divergence import divergence


def test_by_hand():
    """Halves towards three quarters."""
    found = divergence(torch.zeros(1), torch.tensor([math.log(3)]))
    assert found.item() == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5), rel=1e-5)


def test_least_where_both_are_the_same():
    other = torch.linspace(-8, 8, 33)
    logits = other.clone().requires_grad_()
    found = divergence(logits, other)
    assert found.item() == pytest.approx(0, abs=1e-7)
    assert torch.autograd.grad(found, logits)[0].abs().max() < 1e-8
    assert divergence(other + 0.1, other) > 0 and divergence(other - 0.1, other) > 0


@pytest.mark.parametrize("far", [1e3, -1e3])
def test_far_logits_stay_finite_and_come_back(far):
    logits = torch.full((4,), far, requires_grad=True)
    found = divergence(logits, torch.zeros(4))
    assert found.isfinite()
    assert (torch.autograd.grad(found, logits)[0] * far > 0).all()


def test_half_precision_is_judged_in_float32():
    logits = torch.randn(64, generator=torch.Generator().manual_seed(0)).bfloat16()
    assert divergence(logits, logits + 1).dtype == torch.float32
