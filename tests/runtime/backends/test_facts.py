"""What a backend says of itself stands beside what the machine says, in one record."""

import pytest

from runtime.backends import open_backend
from runtime.backends.tensorrt import TensorRT
from runtime.device import probe


def said_by_the_machine(machine_has_a_card):
    card = "A card, 550.54, 8192 MiB, 150.00 W, 8.9" if machine_has_a_card else ""
    return set(probe(ask=lambda command: card))


@pytest.mark.parametrize("card", [True, False])
def test_an_onnx_file_hides_nothing(network, card):
    with open_backend(network, "cpu") as backend:
        assert set(backend.describe()) & said_by_the_machine(card) == set()


def test_an_engine_hides_nothing_but_another_name_of_the_gpu(fake_gpu, engine_file):
    fake_gpu()
    with TensorRT(engine_file()) as backend:
        # A board's TensorRT says its version itself, beside the package's.
        assert set(backend.describe()) & said_by_the_machine(True) <= {"gpu", "tensorrt"}
