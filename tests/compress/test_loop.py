import copy
import itertools
import math
import re
import signal
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from compress.augment import Augmentation
from compress.data import Frames, Source, loader
from compress.device import choose
from compress.loop import Average, Loop, Schedule
from perception import stop
from perception.errors import InputError
from perception.spec import InputSpec

CPU = choose("cpu", "fp32")


@pytest.fixture(scope="module")
def frames(dataset):
    return Frames([Source(dataset)], "train", InputSpec((64, 96)), Augmentation(), cache=True)


@pytest.fixture
def make(frames):
    """A loop that teaches a small convolutional network the drivable mask."""

    def build(state=None, spoil=(), log=None, **schedule) -> Loop:
        torch.manual_seed(1)
        network = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1))
        plan = Schedule(**{"epochs": 4, "batch": 2, "lr": 1e-2} | schedule)
        calls = iter(range(1000))

        def loss(images, targets):
            logits = network(images.permute(0, 3, 1, 2) / 255)[:, 0]
            value = nn.functional.binary_cross_entropy_with_logits(logits, targets.drivable[:, ::2, ::2].float())
            return {"drivable": value * (math.nan if next(calls) in spoil else 1)}

        return Loop(network, loss, loader(frames, plan.batch, plan.seed), plan, CPU, state=state, log=log)

    return build


def weights(module):
    return {key: value.clone() for key, value in module.state_dict().items()}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_schedule_rises_then_falls_along_a_cosine():
    plan = Schedule(warmup=0.1, final_lr=0.05)
    factors = [plan.factor(step, 100) for step in range(101)]
    assert factors[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert factors[10] == pytest.approx(1)
    assert factors[55] == pytest.approx((1 + 0.05) / 2)
    assert factors[100] == pytest.approx(0.05)
    assert all(later <= earlier for earlier, later in itertools.pairwise(factors[10:]))


def test_schedule_of_one_step():
    assert Schedule().factor(0, 1) == 1


@pytest.mark.parametrize("wrong", ({"epochs": 0}, {"batch": 0}, {"lr": 0.0}, {"lr": float("nan")}, {"seed": -1}))
def test_schedule_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(InputError, match=r"^(epochs|batch|learning rate|seed) "):
        Schedule(**wrong)


def test_average_follows_its_formula():
    module = nn.BatchNorm1d(1)
    average = Average(module, decay=0.5)
    for step, value in enumerate((1.0, 2.0, 5.0)):
        nn.init.constant_(module.bias, value)
        module.running_mean.fill_(value)
        average.update(module, step)
    expected = 0.0
    for step, value in enumerate((1.0, 2.0, 5.0)):
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    assert average.module.bias.item() == pytest.approx(expected)
    assert average.module.running_mean.item() == pytest.approx(expected)
    assert not average.module.training and not any(p.requires_grad for p in average.module.parameters())


def test_loss_falls_and_is_logged(make):
    logged = []
    loop = make(epochs=16, log=lambda tag, value, step: logged.append((tag, value, step)))
    epochs = []
    network = loop.run(epochs.append)
    losses = [value for tag, value, _ in logged if tag == "loss/drivable"]
    assert [step for tag, _, step in logged if tag == "lr"] == [0, 20, 40]
    assert losses[-1] < 0.8 * losses[0]
    assert epochs == list(range(1, 17))
    assert network is loop.average.module


class _Stopped(Exception):
    pass


def stop_after(epochs):
    def after(epoch):
        if epoch == epochs:
            raise _Stopped

    return after


def interrupt(make, state, epochs=2, **schedule):
    with pytest.raises(_Stopped):
        make(state, **schedule).run(stop_after(epochs))


def test_resumed_run_equals_an_uninterrupted_one(make, tmp_path):
    whole = make()
    whole.run()
    interrupt(make, tmp_path / "state.safetensors")
    second = make(tmp_path / "state.safetensors")
    assert second.resume() and second.epoch == 2
    second.run()
    assert equal(weights(second.network), weights(whole.network))
    assert equal(weights(second.average.module), weights(whole.average.module))


def test_time_and_validation_of_before_count_too(make, tmp_path, monkeypatch):
    now, scores = [0.0], {"epoch": 1, "lane_IoU": 0.5}
    monkeypatch.setattr("compress.loop.time", SimpleNamespace(monotonic=lambda: now[0]))
    first = make(tmp_path / "state.safetensors")

    def after(epoch):
        now[0] = 100.0
        first.curve.append(scores)
        stop_after(2)(epoch)

    with pytest.raises(_Stopped):
        first.run(after)
    now[0] = 500.0
    second = make(tmp_path / "state.safetensors")
    assert second.resume() and second.curve == [scores]
    now[0] = 530.0
    assert second.seconds == 130


def test_nothing_to_resume(make, tmp_path):
    assert not make().resume()
    assert not make(tmp_path / "state.safetensors").resume()


@pytest.mark.parametrize("change", [{"lr": 1e-3}, {"epochs": 5}, {"seed": 1}])
def test_resume_refuses_other_settings(make, tmp_path, change):
    state = tmp_path / "state.safetensors"
    interrupt(make, state)
    with pytest.raises(InputError, match=f"{next(iter(change))}.*--resume"):
        make(state, **change).resume()


def test_resume_refuses_a_damaged_file(make, tmp_path):
    state = tmp_path / "state.safetensors"
    interrupt(make, state)
    state.write_bytes(state.read_bytes()[:-50])
    with pytest.raises(InputError, match=r"state\.safetensors: cannot be resumed"):
        make(state).resume()


def test_a_step_that_is_not_finite_is_left_out(make):
    loop = make(spoil={0, 1, 2}, epochs=1)  # every step of the only epoch
    before = weights(loop.network)
    loop.run()
    assert equal(weights(loop.network), before)
    assert loop.faults.total == 3


def test_training_goes_on_after_a_step_that_is_not_finite(make, capsys):
    loop = make(spoil={1}, epochs=1)
    before = copy.deepcopy(dict(loop.network.named_parameters()))
    network = loop.run()
    assert all(value.isfinite().all() for value in network.state_dict().values())
    assert not torch.equal(loop.network[0].weight, before["0.weight"])
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("step")]
    assert re.fullmatch(r"step 2 left out: drivable loss nan, frames drawn/train-\d, drawn/train-\d", line)


def test_a_forward_pass_that_is_not_finite_leaves_no_trace_in_the_statistics(make, frames):
    """A batch norm averages what it sees before anybody can know that it is wrong."""
    clean, spoilt = make(epochs=2), make(epochs=2)
    spoilt.network[0].register_forward_hook(nan_at({3}))
    clean.run()
    averaged = spoilt.run()
    assert spoilt.faults.total == 1
    for network in (spoilt.network, averaged):
        assert all(value.isfinite().all() for value in network.state_dict().values())
    assert not equal(weights(clean.network), weights(spoilt.network))


def nan_at(calls):
    counter = itertools.count()
    return lambda module, inputs, output: output * math.nan if next(counter) in calls else None


def test_a_gradient_that_is_not_finite_is_named(make, capsys):
    loop = make(epochs=1)
    loop.network[3].weight.register_hook(lambda gradient: gradient * math.inf)
    loop.run()
    assert loop.faults.total == 3
    assert "step 1 left out: gradient of network.3.weight not finite, frames" in capsys.readouterr().err


def test_too_many_in_a_row_end_the_run(make):
    loop = make(spoil=set(range(5, 25)), epochs=10)
    with pytest.raises(InputError, match=r"^step 25 left out: drivable loss nan, frames .*; 20 in a row, lower --lr"):
        loop.run()
    assert make(spoil=set(range(30)) - {10, 20}, epochs=10).run() is not None


def test_the_count_of_steps_left_out_is_resumed(make, tmp_path):
    state = tmp_path / "state.safetensors"
    with pytest.raises(_Stopped):
        make(state, spoil={0, 4}).run(stop_after(2))
    second = make(state)
    second.resume()
    assert second.faults.total == 2


def test_an_interrupted_epoch_is_resumed_where_it_was(make, tmp_path):
    whole = make()
    whole.run()
    state = tmp_path / "state.safetensors"
    first = make(state, log=lambda tag, *_: tag == "lr" and signal.raise_signal(signal.SIGTERM))
    with pytest.raises(stop.Terminated):
        first.run()
    second = make(state)
    assert second.resume()
    assert (second.epoch, second._step) == (0, 1)
    second.run()
    assert equal(weights(second.network), weights(whole.network))
    assert equal(weights(second.average.module), weights(whole.average.module))


def test_extra_modules_are_trained_and_not_returned(frames):
    torch.manual_seed(0)
    network, extra = nn.Conv2d(3, 2, 1), nn.Conv2d(2, 1, 1)
    before = extra.weight.clone()

    def loss(images, targets):
        return {"sum": extra(network(images.permute(0, 3, 1, 2) / 255)).square().mean()}

    trained = Loop(network, loss, loader(frames, 2, 0), Schedule(epochs=1), CPU, extra=extra).run()
    assert not torch.equal(extra.weight, before)
    assert set(trained.state_dict()) == {"weight", "bias"}
