import shutil
from dataclasses import replace

import pytest
import torch

from compress.augment import Augmentation
from compress.data import Source
from compress.distill import DistillSettings, FeatureDistance, Taps, distill, standardise
from compress.groups import ChannelGroups
from compress.train import state_file
from perception import checkpoint
from perception.errors import InputError
from perception.networks.yolop import YOLOP
from perception.tasks import TASKS

STILL = Augmentation(flip=0, rotate=0, scale=0, translate=0, hue=0, saturation=0, value=0, blur=0, noise=0)


@pytest.fixture
def files(tmp_path, network):
    """A teacher and the half of it."""
    teacher, student = tmp_path / "teacher.safetensors", tmp_path / "pruned.safetensors"
    checkpoint.save(teacher, network, [{"stage": "train"}])
    groups = ChannelGroups(network)
    groups.remove({group.path: range(0, group.channels, 2) for group in groups})
    checkpoint.save(student, network, [{"stage": "prune"}])
    return student, teacher


def features(seed, channels=4):
    generator = torch.Generator().manual_seed(seed)
    return {"tap": 3 + 2 * torch.randn(2, channels, 5, 7, generator=generator)}


def same_size_distance(student, teacher):
    """The distance with an adapter that changes nothing."""
    distance = FeatureDistance(student, teacher)
    torch.nn.init.dirac_(distance.adapters["tap"].weight)
    distance.fitted.fill_(True)
    with torch.no_grad():
        return distance(student, teacher).item()


def test_standardise():
    result = standardise(features(0)["tap"])
    assert torch.allclose(result.mean((0, 2, 3)), torch.zeros(4), atol=1e-5)
    assert torch.allclose(result.square().mean((0, 2, 3)), torch.ones(4), atol=1e-4)
    assert standardise(torch.ones(2, 3, 4, 4)).abs().max() == 0


def test_distance_is_of_patterns_not_of_scales():
    mine, other = features(0), features(1)
    rescaled = {"tap": mine["tap"] * torch.tensor([1.0, 2, 5, 9]).view(1, 4, 1, 1) - 4}
    assert same_size_distance(mine, rescaled) == pytest.approx(0, abs=1e-4)
    assert same_size_distance(mine, {"tap": -mine["tap"]}) == pytest.approx(4, abs=1e-3)
    correlation = (standardise(mine["tap"]) * standardise(other["tap"])).mean().item()
    assert same_size_distance(mine, other) == pytest.approx(2 - 2 * correlation, abs=1e-3)


def test_adapters_begin_where_they_fit_best():
    student = features(0, 6)
    mixing = torch.randn(4, 6, generator=torch.Generator().manual_seed(2))
    mixed = {"tap": torch.einsum("nchw,dc->ndhw", student["tap"], mixing) + 5}
    distance = FeatureDistance(student, mixed)
    assert distance(student, mixed).item() < 1e-4
    assert distance.fitted
    first = distance.adapters["tap"].weight.clone()
    # Once: what training makes of them afterwards stays.
    assert distance(features(1, 6), mixed).item() > 0.5
    assert torch.equal(distance.adapters["tap"].weight, first)


def test_fit_survives_channels_that_are_dead_or_doubled():
    student, teacher = features(0, 6), features(1, 4)
    student["tap"][:, 0] = 1
    student["tap"][:, 1] = student["tap"][:, 2]
    distance = FeatureDistance(student, teacher)
    assert 0 < distance(student, teacher).item() < 2
    assert distance.adapters["tap"].weight.isfinite().all()


def test_adapters_bridge_widths_and_learn():
    student, teacher = features(0, 6), features(1, 4)
    distance = FeatureDistance(student, teacher)
    before = distance(student, teacher)
    before.backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in distance.parameters())
    assert distance.adapters["tap"].weight.shape == (4, 6, 1, 1)


def test_taps_catch_what_the_modules_put_out(network):
    taps = Taps(network)
    with torch.no_grad():
        network(torch.rand(1, 3, 64, 96))
    assert list(taps.features) == list(YOLOP.taps)
    assert [tuple(part.shape[2:]) for part in taps.features.values()][:3] == [(8, 12), (4, 6), (2, 3)]


def recorded_loss(folder, tag):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    return [event.value for event in events.Scalars(tag)]


@pytest.mark.parametrize("labelled", [True, False])
def test_features_come_closer(files, settings, dataset, tmp_path, labelled):
    sources = [Source(dataset, labelled=labelled)]
    plan = settings({"epochs": 21, "batch": 6, "lr": 5e-3}, sources=sources, augmentation=STILL, cache=True)
    out = tmp_path / "student.safetensors"
    student = distill(*files, plan, DistillSettings(), out)
    first, last = recorded_loss(tmp_path / "student.log", "loss/features")
    assert last < 0.8 * first
    loaded = checkpoint.load(out)
    assert all(torch.equal(value, student.state_dict()[key]) for key, value in loaded.network.state_dict().items())
    stage = loaded.history[-1]
    assert [each["stage"] for each in loaded.history] == ["prune", "distill"]
    assert stage["data"] == [f"{dataset.name}:1{'' if labelled else ' unlabelled'}"] and len(stage["teacher"]) == 64
    assert not state_file(out).exists()


def test_adapters_are_thrown_away_and_widths_kept(files, settings, tmp_path):
    out = tmp_path / "student.safetensors"
    distill(*files, settings({"epochs": 1}), DistillSettings(), out)
    pupil, student = (checkpoint.load(file).network for file in (files[0], out))
    assert checkpoint.layer_widths(student) == checkpoint.layer_widths(pupil)
    assert pupil.state_dict().keys() == student.state_dict().keys()


def test_labels_of_unlabelled_data_are_not_read(files, settings, dataset, tmp_path):
    """And a folder of the same pictures is as good."""
    beside = settings({"epochs": 1}, sources=[Source(dataset, labelled=False)])
    first = distill(*files, beside, DistillSettings(), tmp_path / "a.safetensors")
    shutil.copytree(dataset / "images/train", tmp_path / "pictures")
    alone = settings({"epochs": 1}, sources=[Source(tmp_path / "pictures", labelled=False)])
    second = distill(*files, alone, DistillSettings(), tmp_path / "b.safetensors")
    assert all(torch.equal(value, second.state_dict()[key]) for key, value in first.state_dict().items())


def test_few_labels_and_more_pictures_without(files, settings, dataset, tmp_path, capsys, monkeypatch):
    """Batches are of one kind; labels are asked for where they are, and the teacher's answers everywhere."""
    shutil.copytree(dataset / "images/train", tmp_path / "pictures")
    learned, imitated = [], []
    losses, imitation = YOLOP.losses, YOLOP.imitation

    def noted(network, raw, targets):
        learned.append(targets.tasks)
        return losses(network, raw, targets)

    def seen(network, raw, answer):
        imitated.append(len(answer))
        return imitation(network, raw, answer)

    monkeypatch.setattr(YOLOP, "losses", noted)
    monkeypatch.setattr(YOLOP, "imitation", seen)
    sources = [Source(dataset), Source(tmp_path / "pictures", 2, labelled=False)]
    plan = settings({"epochs": 1, "batch": 2}, sources=sources, validate_every=1)
    distill(*files, plan, DistillSettings(), tmp_path / "s.safetensors")
    assert learned == [TASKS] * 3 and len(imitated) == 9
    assert "pictures: has no val split that can be measured on" in capsys.readouterr().err
    (row,) = checkpoint.load(tmp_path / "s.safetensors").history[-1]["validation"]
    assert row["epoch"] == 1 and "lane_IoU" in row


def test_pictures_that_are_taken_for_a_data_set(files, settings, dataset, tmp_path):
    pictures = settings({"epochs": 1}, sources=[Source(dataset / "images/train")])
    with pytest.raises(InputError, match="not a data set of a known layout"):
        distill(*files, pictures, DistillSettings(), tmp_path / "c.safetensors")


def test_what_is_resumed_learns_from_the_same(files, settings, tmp_path, monkeypatch):
    plan, out = settings({"epochs": 2}, validate_every=1), tmp_path / "student.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr("compress.train.validate", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            distill(*files, plan, DistillSettings(), out)
    student, teacher = files
    with pytest.raises(InputError, match="another features, teacher;"):
        distill(student, student, plan, DistillSettings(features=0.1), out, resume=True)
    with pytest.raises(InputError, match="another start;"):
        distill(teacher, teacher, plan, DistillSettings(), out, resume=True)
    distill(student, teacher, plan, DistillSettings(), out, resume=True)


def test_networks_must_match(files, settings, tmp_path):
    other = tmp_path / "other.safetensors"
    checkpoint.save(other, YOLOP(0.25, (96, 96)), [])
    with pytest.raises(InputError, match="other"):
        distill(files[0], other, settings(), DistillSettings(), tmp_path / "x.safetensors")


def test_tasks_must_match(files, settings, tmp_path, monkeypatch):
    load = checkpoint.load

    def lacking(path):
        loaded = load(path)
        if path == files[1]:
            loaded.network.spec = replace(loaded.network.spec, tasks=("drivable", "lane"))
        return loaded

    monkeypatch.setattr("compress.distill.checkpoint.load", lacking)
    with pytest.raises(InputError, match=r"teacher\.safetensors: does drivable, lane, but .* does detection, drivable"):
        distill(*files, settings(), DistillSettings(), tmp_path / "x.safetensors")


@pytest.mark.parametrize("name", ["features", "answers"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_weights_that_make_no_sense(name, value):
    with pytest.raises(InputError, match=name):
        DistillSettings(**{name: value})


def test_teacher_is_left_alone(files, settings, tmp_path):
    before = files[1].read_bytes()
    distill(*files, settings({"epochs": 1}), DistillSettings(), tmp_path / "x.safetensors")
    assert files[1].read_bytes() == before
