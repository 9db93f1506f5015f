import math

import pytest
import torch

from compress.baselines import TorchPruning
from compress.gradients import measure
from compress.groups import ChannelGroups
from compress.importance import Safe, importance
from compress.judge import Judged
from compress.names import IMPORTANCES
from perception.errors import InputError
from perception.networks.base import Decoded, Targets
from perception.spec import InputSpec

# Hidden channel c of the linear network: body[c], head[0, c] and head[1, c].
BODY, FIRST, SECOND = (1.0, 2.0, -1.0, 0.5), (3.0, 1.0, 0.5, 1.0), (-1.0, 2.0, 0.5, -4.0)


def red(value=255):
    images = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    images[..., 0] = value
    mask = torch.zeros(1, 32, 32, dtype=torch.uint8)
    return images, Targets(torch.zeros(0, 5), mask, mask)


def measured(network, batches=None):
    found = measure(network, ChannelGroups(network), batches or [red()])
    return found.importance["body"], found.conflict["body"], found.mean


def test_importance_by_hand(linear):
    by_task, _, mean = measured(linear((0, 1), (1, 1)))
    # What reads a hidden channel is a column of the head.
    expected = torch.tensor([[abs(b * h) for b, h in zip(BODY, head, strict=True)] for head in (FIRST, SECOND)])
    assert torch.allclose(by_task, expected.double())
    assert torch.allclose(mean, expected.double().mean(1))


def test_conflict_by_hand(linear):
    _, conflict, _ = measured(linear((0, 1), (1, 1)))
    expected = [
        max(0, -a * b / math.sqrt((a * a + w * w) * (b * b + w * w)))
        for w, a, b in zip(BODY, FIRST, SECOND, strict=True)
    ]
    assert conflict.tolist() == pytest.approx(expected)
    assert conflict[0] > 0.5 and conflict[1] == 0


@pytest.mark.parametrize(("signs", "expected"), [((1, 2), 0), ((1, -3), 1), ((1, 1, -1), 2 / 3)])
def test_conflict_of_aligned_and_opposed_tasks(linear, signs, expected):
    _, conflict, _ = measured(linear((0,) * len(signs), signs))
    assert conflict.tolist() == pytest.approx([expected] * 4)


def test_conflict_of_a_single_task_is_zero(linear):
    assert measured(linear((0,), (1,)))[1].tolist() == [0] * 4


def test_tasks_count_alike_whatever_the_size_of_their_losses(linear):
    rankings = []
    for signs in ((1, 1), (1, 1000)):
        network = linear((0, 1), signs)
        rankings.append(Safe()(network, ChannelGroups(network), [red()]).scores["body"])
    assert torch.allclose(*rankings)


@pytest.mark.parametrize("combine", ["max", "sum"])
def test_score_joins_tasks_and_charges_for_conflict(linear, combine):
    network = linear((0, 1), (1, 1))
    by_task, conflict, mean = measured(network)
    normalised = by_task / mean[:, None]
    joined = normalised.amax(0) if combine == "max" else normalised.sum(0)
    ranking = Safe(conflict=0.3, combine=combine)(network, ChannelGroups(network), [red()])
    assert torch.allclose(ranking.scores["body"], joined * (1 - 0.3 * conflict))


@pytest.mark.parametrize(("share", "kept"), [(0.0, []), (0.25, [1, 0]), (0.5, [1, 0, 3])])
def test_each_task_protects_its_share(linear, share, kept):
    network = linear((0, 1), (1, 1))  # |importance|: 3, 2, .5, .5 and 1, 4, .5, 2
    ranking = Safe(protect=share)(network, ChannelGroups(network), [red()])
    expected = {0.0: set(), 0.25: {0, 1}, 0.5: {0, 1, 3}}[share]
    assert set(ranking.forbidden["body"].nonzero().flatten().tolist()) == expected == set(kept)


def test_batches_are_averaged_in_any_order(linear):
    network = linear((0, 1), (1, 1))
    forth, back = (measured(network, order)[0] for order in ([red(255), red(51)], [red(51), red(255)]))
    assert torch.allclose(forth, back)
    assert torch.allclose(forth, 0.6 * measured(network)[0])


def test_measure_on_yolop(network, batches):
    groups = ChannelGroups(network)
    found = measure(network, groups, batches)
    again = measure(network, groups, batches[::-1])
    assert found.mean.shape == (3,) and (found.mean > 0).all()
    for group in groups:
        assert found.importance[group.path].shape == (3, group.channels)
        assert found.conflict[group.path].shape == (group.channels,)
        assert ((found.conflict[group.path] >= 0) & (found.conflict[group.path] <= 1)).all()
        assert torch.allclose(found.importance[group.path], again.importance[group.path])
    every = torch.cat(list(found.importance.values()), 1)
    assert (every == 0).any(1).all()  # each task has channels that another does not reach
    assert found.mean.tolist() == pytest.approx([float(row[row > 0].mean()) for row in every])
    drivable_head = found.importance["model.25.conv"]
    assert (drivable_head[1] > 0).any() and not drivable_head[[0, 2]].any()
    assert all(parameter.grad is None for parameter in network.parameters())


def squared(linear):
    class Squared(linear):
        def losses(self, raw, targets):
            return {task: (loss - 4) ** 2 / 2 for task, loss in super().losses(raw, targets).items()}

    return Squared


@pytest.mark.parametrize(
    ("doomed", "expected"), [([2, 3], [3, 2, 0.5, 0.5]), ([0], [3, 2, 0.5, 0.5]), ([0, 1], [4.5, 3, 0.5, 0.5])]
)
def test_channels_that_go_together_are_looked_at_together(linear, doomed, expected):
    # Channels add 3, 2, -0.5 and 0.5 to a sum of 5, whose distance from 4 is squared: 1, times each, is what they are
    # worth alone. Without the first it is 2, which costs 1.5; without the first two 4, which costs 7.5 for 3 and 2, and
    # halfway there 1.5, times each: 4.5 and 3, all of it. Without the last two nothing changes.
    network = squared(linear)((0,), (1,))
    before = network.head.weight.clone()
    asked = []

    def planned(ranking):
        asked.append(ranking.scores["body"] * 1.5)
        return {"body": doomed}

    ranking = Safe(protect=0, refine=3)(network, ChannelGroups(network), [red()], planned)
    # The same plan again ends it.
    assert [part.tolist() for part in asked] == [pytest.approx(each) for each in ([3, 2, 0.5, 0.5], expected)]
    assert ranking.by_task["task0"]["body"].tolist() == pytest.approx([2, 4 / 3, 1 / 3, 1 / 3])
    assert torch.equal(network.head.weight, before)


def test_a_task_protects_no_channel_that_it_does_not_reach(linear):
    network = linear((0, 1), (1, 1))
    with torch.no_grad():
        network.head.weight[1, 1:] = 0
    forbidden = Safe(protect=0.5)(network, ChannelGroups(network), [red()]).forbidden["body"]
    assert forbidden.tolist() == [True, True, False, False]


@pytest.mark.parametrize(("weights", "best"), [({}, 1), ({"task0": 3.0}, 2)])
def test_the_plan_is_taken_that_costs_least(linear, weights, best):
    # The sum is 5, the losses 0.5 and 0.125; without any channel they are 8, as without the first two. Without the
    # third the sum is 5.5: the first task loses 8 % of its lead, the second gains. Without the second it is 3: the
    # first loses nothing, the second 21 %.
    network, plans, asked = squared(linear)((0, 0), (1, 0.7)), iter(([0, 1], [2], [1])), []

    def planned(ranking):
        asked.append(ranking)
        return {"body": next(plans)}

    before = network.head.weight.clone()
    ranking = Safe(protect=0, refine=2, weights=weights)(network, ChannelGroups(network), [red()], planned)
    assert ranking is asked[best]
    assert torch.equal(network.head.weight, before)


@pytest.mark.parametrize(
    ("first", "second", "better"),
    [((1.2, 0.3), (1.0, 1.0), "first"), ((1.2, 1.2), (2.0, 0.0), "first"), ((1.0, math.nan), (9.0, 9.0), "second")],
)
@pytest.mark.parametrize("scores", [{}, {"task0": 0.0, "task1": math.nan}], ids=["losses alone", "nothing shown"])
def test_the_worst_off_task_counts_most_and_the_others_too(linear, monkeypatch, first, second, better, scores):
    # Losses of the whole network, of none of its channels, and of two plans.
    losses = iter(((0.0, 0.0), (10.0, 10.0), first, second))
    monkeypatch.setattr(
        "compress.importance.judge", lambda *_: Judged(dict(zip(("task0", "task1"), next(losses), strict=True)), scores)
    )
    network, plans, asked = linear((0, 1), (1, 1)), iter(([0], [1])), {}

    def planned(ranking):
        asked["second" if asked else "first"] = ranking
        return {"body": next(plans)}

    assert Safe(protect=0, refine=1)(network, ChannelGroups(network), [red()], planned) is asked[better]


def test_plans_are_told_apart_by_the_tasks_that_they_reach(linear):
    network, plans, asked = squared(linear)((0, 1), (1, 1)), iter(([0, 1], [2], [0])), []
    with torch.no_grad():
        network.head.weight[1] = 0

    def planned(ranking):
        asked.append(ranking)
        return {"body": next(plans)}

    ranking = Safe(protect=0, refine=2)(network, ChannelGroups(network), [red()], planned)
    assert ranking.reached == ["task0"]
    # Without the first two the loss is 8, without the third 1.1, without the first 2.
    assert ranking is asked[1]


def test_masks_are_judged_by_what_they_show(linear):
    # As above, without the third the loss is least. But the lane shows where the sum is 5, or 2, without the first.
    class Masked(squared(linear)):
        def losses(self, raw, targets):
            return {"lane": super().losses(raw, targets)["task0"]}

        def decode(self, raw):
            return Decoded(lane=(((raw["logits"][:, 0] - 3.5).abs() - 1.5).abs() < 0.1).float())

    network, plans, asked = Masked((0,), (1,)), iter(([2], [0])), []
    network.spec = InputSpec((32, 32), tasks=("lane",))
    images, targets = red()
    batch = images, targets._replace(lane=torch.ones_like(targets.lane))

    def planned(ranking):
        asked.append(ranking)
        return {"body": next(plans)}

    ranking = Safe(protect=0, refine=1)(network, ChannelGroups(network), [batch], planned)
    assert ranking is asked[1]


def scores(network, **settings):
    return Safe(protect=0, **settings)(network, ChannelGroups(network), [red()]).scores["body"]


def test_rank_penalty_is_by_place_not_by_size(linear):
    network = linear((0, 1), (1, 1))
    by_task, conflict, mean = measured(network)
    tci = (by_task / mean[:, None]).amax(0)
    places = [sum(float(other < value) for other in part) / 4 for part in (tci, conflict) for value in part]
    expected = [a - 0.3 * b for a, b in zip(places[:4], places[4:], strict=True)]
    assert scores(network, conflict=0.3, penalty="rank").tolist() == pytest.approx(expected)


def test_tie_penalty_decides_among_near_equals_only(linear):
    network = linear((0, 1), (1, 1))
    with torch.no_grad():  # importance of channels 0 and 1 nearly alike; only in the former do tasks disagree
        network.head.weight[..., 0, 0] = torch.tensor([[2.0, 0.99, 0.1, 9.0], [-2.0, 0.99, 0.1, -9.0]])
    plain = scores(network, conflict=0)
    found = scores(network, conflict=1, penalty="tie")
    assert plain[0] > plain[1] and found[0] < found[1]
    assert found.argsort().tolist()[::3] == plain.argsort().tolist()[::3]


@pytest.mark.parametrize("combine", ["max", "sum"])
def test_weight_of_a_task_multiplies_its_importance(linear, network, batches, combine):
    groups = ChannelGroups(network)
    plain = Safe(0, combine, 0.1)(network, groups, batches)
    lane = Safe(0, combine, 0.1, weights={"lane": 3.0})(network, groups, batches)
    for group in groups:
        by_task = {task: parts[group.path] for task, parts in plain.by_task.items()}
        weighted = torch.stack([by_task["detection"], by_task["drivable"], 3 * by_task["lane"]])
        expected = weighted.amax(0) if combine == "max" else weighted.sum(0)
        assert torch.allclose(lane.scores[group.path], expected)
        assert not (plain.forbidden[group.path] & ~lane.forbidden[group.path]).any()
    kept = [sum(int(mask.sum()) for mask in ranking.forbidden.values()) for ranking in (plain, lane)]
    assert kept[1] > kept[0]


def test_weight_of_an_unknown_task_is_an_input_error(network, batches):
    with pytest.raises(InputError, match="protect lanes: yolop has detection, drivable, lane"):
        Safe(weights={"lanes": 2.0})(network, ChannelGroups(network), batches)


def test_given_up_is_a_share_of_each_tasks_importance(network, batches):
    groups = ChannelGroups(network)
    ranking = Safe()(network, groups, batches)
    everything = {group.path: list(range(group.channels)) for group in groups}
    assert ranking.given_up(everything) == pytest.approx(dict.fromkeys(network.spec.tasks, 1.0))
    assert ranking.given_up({}) == dict.fromkeys(network.spec.tasks, 0.0)
    lane_head = {"model.34.conv": everything["model.34.conv"]}
    only = ranking.given_up(lane_head)
    assert only["lane"] > 0 and only["detection"] == only["drivable"] == 0
    assert importance("random")(network, groups, []).given_up(everything) == {}


def test_a_weight_that_is_not_a_number_is_refused_with_its_task(network, batches):
    with torch.no_grad():
        network.model[0].conv.conv.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(InputError, match=r"importance for detection, drivable, lane is not finite in 2 of 2 batches"):
        measure(network, list(ChannelGroups(network)), batches)


@pytest.mark.parametrize("task", ["detection", "lane"])
def test_the_frames_whose_loss_is_not_a_number_are_named_with_their_task(network, batches, task):
    spoilt, losses = batches[1][1].drivable, network.losses

    def with_a_nan(raw, targets):
        factor = math.nan if targets.drivable is spoilt else 1
        return {name: value * factor if name == task else value for name, value in losses(raw, targets).items()}

    network.losses = with_a_nan
    frames = ", ".join(batches[1][1].names)
    assert len(batches[1][1].names) == 2
    with pytest.raises(InputError, match=f"importance for {task} is not finite in 1 of 2 batches.* frames {frames}; "):
        measure(network, list(ChannelGroups(network)), batches)


@pytest.mark.parametrize("name", IMPORTANCES)
def test_every_importance_scores_every_channel(network, batches, name):
    groups = ChannelGroups(network)
    ranking = importance(name)(network, groups, batches)
    for group in groups:
        assert ranking.scores[group.path].shape == ranking.forbidden[group.path].shape == (group.channels,)
        assert ranking.scores[group.path].isfinite().all()
        assert ranking.forbidden[group.path].dtype == torch.bool
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(mask.any() for mask in ranking.forbidden.values())


@pytest.mark.parametrize("name", ["safe", "taylor"])
def test_no_calibration_frames_is_an_input_error(network, name):
    with pytest.raises(InputError, match="no calibration frames"):
        importance(name)(network, ChannelGroups(network), [])


def test_a_baseline_gets_its_kind_of_budget_and_its_seed():
    assert importance("magnitude", "macs", 3) == TorchPruning("magnitude", "macs", 3)


def test_unknown_name_lists_the_known():
    with pytest.raises(InputError, match="'best': choose from safe, taylor, magnitude, random"):
        importance("best")
