import torch

from compress.validate import validate
from perception.data import open_dataset
from perception.evaluation import headline
from perception.networks.base import Decoded, Network
from perception.spec import InputSpec


def test_network_goes_on_as_it_was(dataset, network):
    network.train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    validate(network, open_dataset(dataset, "val"))
    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_frames_limit(dataset, network):
    assert validate(network, open_dataset(dataset, "val"), frames=2, batch=1)["frames"] == 2


class _Knows(Network):
    """Answers with the labels of the drawn data set, read from the picture's colours."""

    name = "knows"

    def __init__(self):
        super().__init__()
        self.spec = InputSpec((64, 96))
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, images):
        return images * 255

    def decode(self, raw):
        dark = (raw[:, 0] < 55) & (raw[:, 2] < 110)
        rows, columns = dark.any(2), dark.any(1)
        first = [part.float().argmax(1) for part in (columns, rows)]
        last = [part.shape[1] - part.flip(1).float().argmax(1) for part in (columns, rows)]
        boxes = torch.stack([*first, *last], 1).float()[:, None]
        lane = (raw.amin(1) > 205).float()
        return Decoded(boxes, torch.ones(len(raw), 1), lane, lane)


def test_a_network_that_is_right_scores_high(dataset):
    scores = headline(validate(_Knows(), open_dataset(dataset, "val")))
    assert scores["recall"] == 1 and scores["mAP50"] > 0.99
    assert scores["lane_IoU"] > 0.4 and scores["lane_ACC"] > 0.5
