import numpy as np
import pytest

from panoedge.models import CheckpointModel, open_model
from perception.errors import InputError


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8)


def test_a_checkpoint_answers_as_its_network_does(checkpoint_file, pictures):
    from perception import checkpoint
    from perception.networks.inference import inference

    expected = inference(checkpoint.load(checkpoint_file).network)(pictures)
    with open_model(checkpoint_file) as model:
        found = model.infer(pictures)
    assert (model.kind, model.path) == ("checkpoint", checkpoint_file)
    for part in ("boxes", "scores", "drivable", "lane"):
        assert np.allclose(getattr(found, part), getattr(expected, part), atol=1)


def test_a_checkpoint_and_its_export_say_the_same_of_themselves(checkpoint_file, onnx_file, pictures):
    with open_model(checkpoint_file, "cpu", 1) as network, open_model(onnx_file, "cpu", 1) as exported:
        assert isinstance(network, CheckpointModel) and exported.kind == "onnx"
        assert network.info == exported.info
        assert np.allclose(network.infer(pictures).scores, exported.infer(pictures).scores, atol=1e-4)


@pytest.mark.parametrize("name", ["weights.pt", "photograph.jpg", "model"])
def test_another_kind_of_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(InputError, match=rf"{name}: neither a checkpoint .* nor an exported network"):
        open_model(tmp_path / name)


@pytest.mark.parametrize("name", ["absent.safetensors", "absent.onnx", "absent"])
def test_an_absent_file_is_refused(tmp_path, name):
    with pytest.raises(InputError, match=f"{name}: no such file"):
        open_model(tmp_path / name)


def test_a_checkpoint_does_not_run_in_tensorrt(checkpoint_file):
    with pytest.raises(InputError, match="a checkpoint runs on cpu or cuda; export it first"):
        open_model(checkpoint_file, "tensorrt")
