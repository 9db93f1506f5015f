import pytest
import torch

from compress.cost_model import CostModel
from compress.groups import ChannelGroups
from compress.latency import widths_to_measure
from compress.plan import ABOVE, BELOW, Budget, plan
from compress.ranking import Ranking
from perception.errors import InputError


@pytest.fixture
def groups(network):
    return ChannelGroups(network)


@pytest.fixture
def model(network, groups, stairs):
    return CostModel(network, groups, stairs(widths_to_measure(network)))


def ranked(groups, seed=0, forbid=()):
    """Random scores; channels of the layers in ``forbid`` may not go."""
    generator = torch.Generator().manual_seed(seed)
    scores = {group.path: torch.rand(group.channels, generator=generator, dtype=torch.float64) for group in groups}
    forbidden = {path: torch.full((len(part),), path in forbid) for path, part in scores.items()}
    return Ranking(scores, forbidden)


@pytest.mark.parametrize("text", ["params=0.673", "macs=0.5", "latency=0.6"])
def test_budget(text):
    budget = Budget.parse(text)
    assert f"{budget.kind}={budget.share}" == text


@pytest.mark.parametrize("text", ["", "0.5", "time=0.5", "params", "params=much", "params=0", "macs=1", "macs=nan"])
def test_budget_refuses(text):
    with pytest.raises(InputError, match="budget"):
        Budget.parse(text)


@pytest.mark.parametrize("kind", ["params", "macs", "latency"])
@pytest.mark.parametrize("share", [0.8, 0.6])
@pytest.mark.parametrize("seed", range(3))
def test_budget_is_met(groups, model, kind, share, seed):
    whole = model.cost(kind, {})
    removed = plan(groups, ranked(groups, seed), model, kind, share * whole, round_to=2)
    left = model.cost(kind, {path: len(channels) for path, channels in removed.items()})
    assert left / whole <= share * (1 + ABOVE)
    # Stairs of time may be high.
    assert left / whole >= share * ((1 - BELOW) if kind != "latency" else 0.9)


def test_widths_stay_round_and_above_the_floor(groups, model):
    floors = {group.path: group.channels // 2 for group in groups}
    target = 0.7 * model.cost("params", {})
    removed = plan(groups, ranked(groups), model, "params", target, round_to=8, floors=floors)
    assert any(removed.values())
    for group in groups:
        left = group.channels - len(removed[group.path])
        if removed[group.path]:  # else it may be narrower from the start
            assert left >= max(8, floors[group.path]) and left % 8 == 0
        assert len(set(removed[group.path])) == len(removed[group.path])


def test_the_lowest_scores_of_a_group_go(groups, model):
    ranking = ranked(groups)
    removed = plan(groups, ranking, model, "params", 0.7 * model.cost("params", {}), round_to=4)
    for path, channels in removed.items():
        order = ranking.scores[path].argsort().tolist()
        assert set(channels) == set(order[: len(channels)])


def test_forbidden_channels_stay(groups, model):
    ranking = ranked(groups)
    for path, scores in ranking.scores.items():
        ranking.forbidden[path][scores.argmin()] = True
    removed = plan(groups, ranking, model, "params", 0.7 * model.cost("params", {}), round_to=4)
    assert any(removed.values())
    for path, channels in removed.items():
        assert not ranking.forbidden[path][channels].any()


def test_a_group_of_high_scores_stays_whole(groups, model):
    ranking = ranked(groups)
    ranking.scores["model.5.conv"] += 10
    assert plan(groups, ranking, model, "macs", 0.8 * model.cost("macs", {}), round_to=4)["model.5.conv"] == []


def test_unreachable_budget(groups, model):
    everything = [group.path for group in groups]
    with pytest.raises(InputError, match=r"budget: 0\.500 of the params cannot be met, 1\.000 remain"):
        plan(groups, ranked(groups, forbid=everything), model, "params", 0.5 * model.cost("params", {}))
    with pytest.raises(InputError, match="cannot be met"):
        plan(groups, ranked(groups), model, "macs", 0.01 * model.cost("macs", {}))


def test_nothing_goes_where_the_budget_is_met_already(groups, model):
    removed = plan(groups, ranked(groups), model, "params", model.cost("params", {}))
    assert not any(removed.values())


def test_no_channel_goes_that_saves_no_time(groups, model):
    removed = plan(groups, ranked(groups), model, "latency", 0.7 * model.cost("latency", {}), round_to=4)
    counts = {path: len(channels) for path, channels in removed.items()}
    assert any(counts.values())
    for path in (path for path, count in counts.items() if count):
        fewer = {**counts, path: counts[path] - 4}
        assert model.saving("latency", fewer, path, 4) > 0


@pytest.mark.parametrize(("kind", "share"), [("latency", 0.7), ("macs", 0.8)])
def test_what_is_saved_is_bought_where_it_costs_least_importance(groups, model, kind, share):
    """Of two plans to the same cost, that by score for what is saved gives up less than that by mean score."""
    ranking = ranked(groups)
    target = share * model.cost(kind, {})

    def given_up(removed):
        return sum(float(ranking.scores[path][channels].sum()) for path, channels in removed.items())

    by_price = plan(groups, ranking, model, kind, target, round_to=4)
    left = 1.0
    while True:
        left -= 0.05
        by_mean = plan(groups, ranking, model, "params", left * model.cost("params", {}), round_to=4)
        if model.cost(kind, {path: len(channels) for path, channels in by_mean.items()}) <= 1.01 * target:
            break
    assert given_up(by_price) < 0.9 * given_up(by_mean)


def test_scores_below_zero(groups, model):
    """Only differences of scores count then, as with conflict taken from ranks."""
    target = 0.8 * model.cost("latency", {})
    below, above = ranked(groups), ranked(groups)
    lowest = min(float(scores.min()) for scores in above.scores.values())
    for path in below.scores:
        below.scores[path] -= 2.0
        above.scores[path] -= lowest
    assert plan(groups, below, model, "latency", target) == plan(groups, above, model, "latency", target)
