from dataclasses import replace

import pytest

from panoedge.estimate.boards import BOARDS, board
from panoedge.estimate.graph import Kernel
from panoedge.estimate.published import PUBLISHED
from panoedge.estimate.roofline import error_band, errors, estimate, fit
from perception.errors import InputError


def test_boards_agree_with_the_published_peaks():
    # Sparse INT8 TOPS of the GPU are eight times the dense FP16 multiply-accumulates.
    published = {("orin-nano", "MAXN_SUPER"): 67, ("orin-nano", "15W"): 41, ("agx-orin", "MAXN"): 171}
    published |= {("agx-orin", "50W"): 109, ("agx-orin", "30W"): 41}
    for (device, mode), tops in published.items():
        assert board(device, mode).fp16_macs_per_s * 8e-12 == pytest.approx(tops, rel=0.02)


def test_the_fastest_mode_comes_first():
    for device, modes in BOARDS.items():
        assert board(device) is max(modes, key=lambda known: known.fp16_macs_per_s)
        assert board(device, modes[-1].mode.lower()) is modes[-1]


def test_an_unknown_mode():
    with pytest.raises(InputError, match="--mode 7W: not known of orin-nano; give one of MAXN_SUPER, 25W, 15W"):
        board("orin-nano", "7W")


def test_the_fit_is_plausible():
    calibration = fit(known for known in PUBLISHED if known.fitted)
    assert 0.3 < calibration.efficiency < 0.7
    assert 10_000 < calibration.cycles < 60_000


def test_the_fit_finds_the_constants_that_made_the_figures():
    truth = fit(PUBLISHED)
    made = [replace(known, ms=truth.predict(known)) for known in PUBLISHED]
    found = fit(made)
    assert (found.efficiency, found.cycles) == (pytest.approx(truth.efficiency), pytest.approx(truth.cycles))


def test_published_figures_of_networks_left_out_are_met_within_the_band():
    misses = errors()
    assert len(misses) == len(PUBLISHED)
    assert max(abs(miss) for _, miss in misses) == error_band()
    assert error_band() < 0.25


def test_the_figures_that_only_check_are_met_more_closely():
    misses = [abs(miss) for known, miss in errors() if not known.fitted]
    assert len(misses) == 6
    assert max(misses) < 0.15


def test_three_parts_add_up():
    chosen = board("orin-nano")
    calibration = fit(known for known in PUBLISHED if known.fitted)
    product = Kernel("conv", "Conv", macs=10**9, bytes=10**6)
    copying = Kernel("resize", "Resize", macs=0, bytes=10**8)
    launch = calibration.cycles / chosen.mhz / 1e3
    work = 1e9 / (calibration.efficiency * chosen.fp16_macs_per_s) * 1e3
    moving = 1e8 / 102.4e9 * 1e3
    guess = estimate([product, copying], chosen)
    assert guess.arithmetic == pytest.approx(work)
    assert guess.launching == pytest.approx(2 * launch)
    assert guess.total == pytest.approx(work + launch + moving), "the copy takes as long as the memory needs"
    assert guess.lowest < guess.total < guess.highest
    assert guess.highest - guess.total == pytest.approx(guess.total * error_band())


def test_a_network_without_memory_limits_takes_what_its_size_and_layers_predict():
    known = PUBLISHED[0]
    layers = [Kernel("conv", "Conv", macs=round(known.gmacs * 1e9 / known.layers), bytes=0)] * known.layers
    calibration = fit(seen for seen in PUBLISHED if seen.fitted)
    assert estimate(layers, known.board).total == pytest.approx(calibration.predict(known))


def test_faster_boards_and_modes_take_less():
    layers = [Kernel("conv", "Conv", 10**8, 10**5)] * 50
    for modes in BOARDS.values():
        times = [estimate(layers, mode).total for mode in modes]
        assert times == sorted(times)
    assert estimate(layers, board("agx-orin")).total < estimate(layers, board("orin-nano")).total
