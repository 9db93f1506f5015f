import argparse

import pytest

from compress.commands import register_prune, register_train
from perception.errors import InputError


@pytest.fixture
def asked(monkeypatch):
    """What a ``train`` command line asks for: network, configuration, settings."""

    def run(*options):
        asked = []
        monkeypatch.setattr("compress.train.train", lambda *given: asked.append(given[:3]))
        parser = argparse.ArgumentParser()
        register_train(parser.add_subparsers())
        arguments = parser.parse_args(["train", "--data", "drawn", "--out", "x.safetensors", *options])
        arguments.run(arguments)
        return asked[0]

    return run


def test_what_is_not_asked_for_is_left_to_the_network(asked):
    assert asked()[:2] == ("yolop", {})
    assert asked("--network", "rmt-ppad")[:2] == ("rmt-ppad", {})


def test_tasks_weigh_what_the_command_line_says(asked):
    assert asked()[2].task_weights == {}
    assert asked("--task-weights", "lane=2", "detection=0.5")[2].task_weights == {"lane": 2.0, "detection": 0.5}
    with pytest.raises(InputError, match=r"task weight lane 0\.0: must be above 0"):
        asked("--task-weights", "lane=0")


def test_a_network_is_shaped_on_the_command_line(asked):
    options = ["--width", "0.25", "--depth", "0.5", "--size", "192x320", "--resize", "letterbox"]
    expected = {"width": 0.25, "depth": 0.5, "size": (192, 320), "resize": "letterbox"}
    assert asked("--network", "rmt-ppad", *options)[:2] == ("rmt-ppad", expected)


def test_pruning_takes_the_protection_of_its_command_line(monkeypatch, capsys):
    asked = []

    def prune(source, data, settings, out, on_bad):
        asked.append(settings)
        return {"kept": {}, "given_up": [{"lane": 0.0123}]}

    monkeypatch.setattr("compress.prune.prune_checkpoint", prune)
    parser = argparse.ArgumentParser()
    register_prune(parser.add_subparsers())
    line = "prune x.safetensors --data drawn --budget params=0.5 --out y --penalty tie --protect 0.2 lane=2"
    arguments = parser.parse_args(line.split())
    arguments.run(arguments)
    assert (asked[0].protect, asked[0].weights, asked[0].penalty) == (0.2, {"lane": 2.0}, "tie")
    assert capsys.readouterr().out == "importance given up in round 1: lane 1.23 %\n"
