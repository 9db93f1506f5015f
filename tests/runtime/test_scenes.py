import cv2
import numpy as np
import pytest

from runtime.backends import open_backend
from runtime.pipeline import Frame, SourceLost
from runtime.scenes import save_scenes
from runtime.sources import Source, drawn_source


@pytest.fixture
def backend(network):
    with open_backend(network, "cpu") as opened:
        yield opened


def test_frames_are_painted_and_named_after_the_report(backend, tmp_path):
    scenes = save_scenes([backend], drawn_source((90, 160)), 2, tmp_path / "orin.json")
    assert [scene["title"] for scene in scenes] == ["drawn 160x90, drawn-0", "drawn 160x90, drawn-2"]
    assert scenes[1]["panels"] == [{"label": "known", "file": "orin-overlays/02-1.jpg"}]
    plain = next(drawn_source((90, 160)).frames()).image
    painted = cv2.imread(str(tmp_path / "orin-overlays" / "01-1.jpg"))
    assert np.abs(painted[..., ::-1].astype(int) - plain).max() > 50


def test_a_short_source_gives_what_it_has(backend, tmp_path):
    assert len(save_scenes([backend], drawn_source((90, 160), count=2), 5, tmp_path / "orin.json")) == 2


def test_a_source_that_is_lost_leaves_what_it_gave(backend, tmp_path):
    def frames():
        yield Frame("first", np.zeros((90, 160, 3), np.uint8))
        raise SourceLost("camera 0: gone")

    assert len(save_scenes([backend], Source("camera 0", "camera", frames, 30.0), 3, tmp_path / "orin.json")) == 1


def test_networks_of_one_name_are_told_apart(backend, tmp_path):
    (scene,) = save_scenes([backend, backend], drawn_source((90, 160)), 1, tmp_path / "orin.json")
    assert [panel["label"] for panel in scene["panels"]] == ["known (1)", "known (2)"]
