import pytest

from perception.errors import InputError
from runtime.backends import open_backend
from runtime.evaluate import evaluate


@pytest.mark.parametrize("protocol", ["rmt-ppad", "yolop"])
def test_a_network_that_is_never_wrong(network, dataset, protocol):
    with open_backend(network, "cpu") as backend:
        metrics = evaluate(backend, dataset, "val", protocol)
    assert metrics["protocol"] == protocol
    assert metrics["frames"] == 3
    assert (metrics["data"], metrics["split"]) == (str(dataset), "val")
    assert metrics["detection"]["recall"] > 0.99
    assert metrics["detection"]["mAP50"] > 0.99
    assert metrics["drivable"]["mIoU"] == pytest.approx(1)
    assert metrics["lane"]["IoU"] == pytest.approx(1)


def test_larger_batches_agree(export_onnx, network, dataset, tmp_path):
    results = []
    for path in (network, export_onnx(tmp_path / "two.onnx", batch=2)):
        with open_backend(path, "cpu") as backend:
            results.append(evaluate(backend, dataset))
    assert results[0] == results[1]


def test_absent_split(network, dataset):
    with open_backend(network, "cpu") as backend, pytest.raises(InputError, match="val"):
        evaluate(backend, dataset, "test")
