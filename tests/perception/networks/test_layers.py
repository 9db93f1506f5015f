import pytest
import torch

from perception.errors import InputError
from perception.networks.layers import Concat, Upsample, chain, check_width, scaled


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    [(48, 1, 48), (3, 1.0, 3), (256, 0.25, 64), (48, 0.25, 16), (100, 0.5, 56), (32, 0.01, 8), (64, 1.25, 80)],
)
def test_scaled_widths_are_multiples_of_8_unless_as_published(channels, width, expected):
    assert scaled(channels, width) == expected


@pytest.mark.parametrize("width", [0, -1, 4.5])
def test_widths_that_make_no_network(width):
    with pytest.raises(InputError, match=f"width {width}: must be above 0 and at most 4"):
        check_width(width)


def test_chain_upsample_concat():
    x = torch.arange(4.0).view(1, 1, 2, 2)
    assert torch.equal(chain(torch.nn.ModuleList([Upsample(), torch.nn.MaxPool2d(2)]), x), x)
    assert Concat()([x, x]).shape == (1, 2, 2, 2)
