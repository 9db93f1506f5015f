import argparse

import pytest

from compress.commands import register_train


@pytest.fixture
def config(monkeypatch):
    """The network and configuration that a ``train`` command line asks for."""

    def run(*options):
        asked = []
        monkeypatch.setattr("compress.train.train", lambda network, config, *_: asked.append((network, config)))
        parser = argparse.ArgumentParser()
        register_train(parser.add_subparsers())
        arguments = parser.parse_args(["train", "--data", "drawn", "--out", "x.safetensors", *options])
        arguments.run(arguments)
        return asked[0]

    return run


def test_what_is_not_asked_for_is_left_to_the_network(config):
    assert config() == ("yolop", {})
    assert config("--network", "rmt-ppad") == ("rmt-ppad", {})


def test_a_network_is_shaped_on_the_command_line(config):
    options = ["--width", "0.25", "--depth", "0.5", "--size", "192x320", "--resize", "letterbox"]
    expected = {"width": 0.25, "depth": 0.5, "size": (192, 320), "resize": "letterbox"}
    assert config("--network", "rmt-ppad", *options) == ("rmt-ppad", expected)
