from dataclasses import replace

import pytest
import torch

from compress.augment import Augmentation
from compress.data import Frames, Source, loader
from compress.train import state_file, train
from perception import checkpoint
from perception.errors import InputError

CONFIG = {"width": 0.25, "size": (64, 96)}
STILL = Augmentation(flip=0, rotate=0, scale=0, translate=0, hue=0, saturation=0, value=0, blur=0, noise=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("train")


def total_loss(network, batches):
    """Loss with the batches' own statistics: running ones lag behind in a run this short."""
    network.train()
    with torch.no_grad():
        return sum(float(sum(network.losses(network(network.normalise(x)), t).values())) for x, t in batches)


def test_overfits_a_few_frames(folder, settings, dataset, network):
    batches = loader(Frames([Source(dataset)], "train", network.spec), batch=6, seed=0)
    before = total_loss(network, batches)
    plan = settings({"epochs": 30, "batch": 6, "lr": 1e-2, "ema": 0.5}, augmentation=STILL, cache=True)
    trained = train("yolop", CONFIG, plan, folder / "overfit.safetensors")
    assert total_loss(trained, batches) < 0.75 * before


def test_leaves_checkpoint_history_and_log(folder, settings):
    out = folder / "teacher.safetensors"
    trained = train("yolop", CONFIG, settings(validate_every=1, validate_frames=2), out)
    loaded = checkpoint.load(out)
    for key, value in loaded.network.state_dict().items():
        assert torch.equal(value, trained.state_dict()[key])
    (stage,) = loaded.history
    assert stage["stage"] == "train" and stage["frames"] == 6 and stage["data"] == ["drawn:1"]
    assert stage["schedule"]["epochs"] == 2 and stage["precision"] == "float32"
    assert [point["epoch"] for point in stage["validation"]] == [1, 2]
    assert 0 <= stage["validation"][0]["lane_IoU"] <= 1
    assert list((folder / "teacher.log").glob("events.*"))
    assert not state_file(out).exists()


def test_same_seed_same_weights(folder, settings):
    first, again, other = (
        train("yolop", CONFIG, settings({"epochs": 1, "seed": seed}), folder / "seed.safetensors").state_dict()
        for seed in (3, 3, 4)
    )
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["model.0.conv.conv.weight"], other["model.0.conv.conv.weight"])


def test_starts_from_a_checkpoint(folder, settings, network):
    begun = folder / "begun.safetensors"
    checkpoint.save(begun, network, [{"stage": "import"}])
    out = folder / "continued.safetensors"
    still = settings({"epochs": 1, "lr": 1e-12}, augmentation=STILL)
    trained = train("yolop", {"width": 1.0}, still, out, start=begun)
    for (name, mine), old in zip(trained.named_parameters(), network.parameters(), strict=True):
        assert torch.allclose(mine, old, atol=1e-6), name
    assert [stage["stage"] for stage in checkpoint.load(out).history] == ["import", "train"]


def test_tasks_count_by_their_weights(folder, settings, monkeypatch):
    """Logged losses of the first step, which no weight has moved yet."""
    seen = []
    monkeypatch.setattr("compress.event_log.EventLog.__call__", lambda self, *point: seen.append(point))
    for weights in ({}, {"lane": 2.0}):
        train("yolop", CONFIG, settings({"epochs": 1}, task_weights=weights), folder / "weighed.safetensors")
    firsts = {}
    for tag, value, step in seen:
        if step == 0 and "lane" in tag:
            firsts.setdefault(tag, []).append(value)
    ((plain, weighed),) = firsts.values()
    assert weighed == pytest.approx(2 * plain, rel=1e-4)


def test_interrupted_run_is_resumed(folder, settings, monkeypatch):
    plan = settings({"epochs": 2}, validate_every=1)
    whole = train("yolop", CONFIG, plan, folder / "whole.safetensors")
    out = folder / "stopped.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr("compress.train.validate", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train("yolop", CONFIG, plan, out)
    assert state_file(out).exists() and not out.exists()
    with pytest.raises(InputError, match="another task_weights; repeat those"):
        train("yolop", CONFIG, replace(plan, task_weights={"lane": 2.0}), out, resume=True)
    with pytest.raises(InputError, match="another network; repeat those"):
        train("yolop", {**CONFIG, "size": (64, 64)}, plan, out, resume=True)
    resumed = train("yolop", CONFIG, plan, out, resume=True)
    assert all(torch.equal(value, whole.state_dict()[key]) for key, value in resumed.state_dict().items())
    assert not state_file(out).exists()


@pytest.mark.parametrize("wrong", ({"validate_every": -1}, {"validate_frames": 0}, {"workers": -1}))
def test_settings_that_make_no_sense_are_refused(settings, wrong):
    with pytest.raises(InputError, match=f"^{next(iter(wrong)).replace('_', '-')} "):
        settings(**wrong)


def test_faults_are_found_before_work(folder, settings, tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        train("yolop", CONFIG, settings(), tmp_path)
    with pytest.raises(InputError, match="nowhere"):
        train("yolop", CONFIG, settings(sources=[Source(tmp_path / "nowhere")]), folder / "x.safetensors")
    with pytest.raises(InputError, match="unknown network 'resnet'"):
        train("resnet", {}, settings(), folder / "x.safetensors")
    with pytest.raises(InputError, match="task weight lanes: yolop has detection, drivable, lane"):
        train("yolop", CONFIG, settings(task_weights={"lanes": 2.0}), folder / "x.safetensors")
    with pytest.raises(InputError, match=r"network yolop: .*'depth' \(see --width, --depth"):
        train("yolop", {"depth": 0.5}, settings(), folder / "x.safetensors")
