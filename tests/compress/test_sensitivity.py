import pytest
import torch

from compress.gradients import measure
from compress.groups import ChannelGroups
from compress.sensitivity import SensitivitySettings, least_important, mean_conflict, rooms, sensitivity
from perception import checkpoint
from perception.errors import InputError


def test_rooms_hold_every_group_once(network):
    found = rooms(network, 2)
    paths = [path for _, inside in found.values() for path in inside]
    assert sorted(paths) == sorted(group.path for group in ChannelGroups(network))
    numbers = [int(name.split(".")[1]) for name in found]
    assert numbers == sorted(numbers) and len(numbers) > 20
    assert len(rooms(network, 9)) == len(paths)


def test_regions_add_their_rooms(network):
    network.regions = {"lane head": ("model.34",), "all": ("model",)}
    found = rooms(network, 2)
    assert [name for name, (region, _) in found.items() if region == "lane head"] == ["model.34"] and len(found) > 20


def test_least_important_first_and_one_stays(network, batches):
    measured = measure(network, ChannelGroups(network), batches)
    (path, *_) = measured.importance
    largest = (measured.importance[path] / measured.mean[:, None]).amax(0)
    taken = least_important(measured, [path], 0.25)[path]
    assert len(taken) == len(largest) // 4
    assert largest[taken].max() <= min(value for c, value in enumerate(largest.tolist()) if c not in taken)
    assert len(least_important(measured, [path], 0.999)[path]) < len(largest)


def test_conflict_of_a_room_by_pair(network, batches):
    measured = measure(network, ChannelGroups(network), batches)
    paths = list(measured.by_pair)[:3]
    found = mean_conflict(measured, paths)
    assert list(found) == ["detection-drivable", "detection-lane", "drivable-lane"]
    lane = torch.cat([measured.by_pair[path][1] for path in paths]).mean()
    assert found["detection-lane"] == pytest.approx(float(lane), abs=1e-4)


def test_whole_network_and_every_room(tmp_path, network, dataset, monkeypatch):
    monkeypatch.setattr(type(network), "regions", {"some": ("model.4", "model.25")})
    path = tmp_path / "teacher.safetensors"
    checkpoint.save(path, network, [])
    settings = SensitivitySettings((0.5,), frames=3, calibration=2, reestimation=2, batch=2, device="cpu")
    found = sensitivity(path, dataset, settings)
    assert list(found["rooms"]) == ["model.4", "model.25"]
    assert list(found["whole"]["loss"]) == ["detection", "drivable", "lane"]
    before, after = found["whole"], found["rooms"]["model.25"]["thinned"]["0.5"]
    assert after["loss"].keys() == before["loss"].keys() and after["loss"]["drivable"] != before["loss"]["drivable"]
    assert after["kept"] < 1
    assert list(after["score"]) == ["recall", "mAP50", "drivable_mIoU", "lane_IoU", "lane_ACC"]


@pytest.mark.parametrize("wrong", [{"ratios": (0.0,)}, {"ratios": (1.0,)}, {"depth": 0}, {"frames": 0}])
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(InputError):
        SensitivitySettings(**wrong)
