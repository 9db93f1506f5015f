import math

import pytest
import torch

from perception.networks.rmt_ppad.focal import focal_loss, varifocal_loss

LOG4 = math.log(4)  # the logit of probability 0.8


def test_focal_loss_by_hand():
    logits = torch.tensor([LOG4, LOG4, -LOG4, 0])
    target = torch.tensor([1.0, 0, 1, 0])
    expected = [
        -0.25 * 0.2**2 * math.log(0.8),
        -0.75 * 0.8**2 * math.log(0.2),
        -0.25 * 0.8**2 * math.log(0.2),
        -0.75 * 0.5**2 * math.log(0.5),
    ]
    assert focal_loss(logits, target).tolist() == pytest.approx(expected, rel=1e-5)
    assert focal_loss(logits, target, gamma=1.5)[1].item() == pytest.approx(-0.75 * 0.8**1.5 * math.log(0.2))


def test_varifocal_loss_by_hand():
    logits = torch.tensor([LOG4, LOG4, -LOG4, LOG4])
    quality = torch.tensor([0.6, 0, 1, 0])
    positive = torch.tensor([True, False, True, True])
    expected = [
        -0.6 * (0.6 * math.log(0.8) + 0.4 * math.log(0.2)),
        -0.75 * 0.8**2 * math.log(0.2),
        -math.log(0.2),
        0,  # a positive that misses its box altogether teaches nothing
    ]
    assert varifocal_loss(logits, quality, positive).tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("value", [1e4, 200.0, 90.0, -90.0, -200.0, -1e4])
def test_extreme_logits_have_finite_gradients(value):
    logits = torch.full((2,), value, requires_grad=True)
    target = torch.tensor([0.0, 1.0])
    terms = focal_loss(logits, target), focal_loss(logits, target, 1.5), varifocal_loss(logits, target, target > 0)
    for term in terms:
        assert term.isfinite().all()
        assert torch.autograd.grad(term.sum(), logits)[0].isfinite().all()
