import json
from dataclasses import replace

import pytest

from compress.distill import DistillSettings
from compress.plan import Budget
from compress.prune import PruneSettings
from compress.rounds import compress
from perception import checkpoint
from perception.cost import cost
from perception.errors import InputError

PRUNING = PruneSettings(
    Budget("params", 0.7), rounds=1, calibration=2, reestimation=2, batch=2, round_to=4, device="cpu"
)


@pytest.fixture
def teacher(tmp_path, network):
    path = tmp_path / "teacher.safetensors"
    checkpoint.save(path, network, [{"stage": "train"}])
    return path


def test_rounds_together_keep_the_budget(teacher, settings, network, tmp_path):
    out = tmp_path / "student.safetensors"
    compress(teacher, PRUNING, settings({"epochs": 1}), DistillSettings(), 2, out)
    made = checkpoint.load(out)
    assert [stage["stage"] for stage in made.history] == ["train", "prune", "distill", "prune", "distill"]
    first, second = (stage for stage in made.history if stage["stage"] == "prune")
    # The second makes up for what the first missed.
    assert second["budget"]["share"] == pytest.approx(0.7 / first["kept"]["params"])
    assert 0.7 * 0.99 <= cost(made.network).parameters / cost(network).parameters <= 0.7 * 1.005


def test_costs_stay_those_of_the_network_that_came_in(teacher, settings, network, tmp_path):
    layers = [{"ms": 1.0, "modules": [path]} for path, module in network.named_modules() if hasattr(module, "stride")]
    model = {"network": "yolop", "parameters": cost(network).parameters, "profile": {"layers": layers}}
    (tmp_path / "report.json").write_text(
        json.dumps({"models": [model | {"speed": {"network": {"ms": {"p50": 5.0}}}}]})
    )
    pruning = replace(
        PRUNING, budget=Budget("latency", 0.8), protect=0.0, refine=1, costs=str(tmp_path / "report.json")
    )
    out = tmp_path / "student.safetensors"
    compress(teacher, pruning, settings({"epochs": 1}), DistillSettings(), 2, out)
    first, second = (stage for stage in checkpoint.load(out).history if stage["stage"] == "prune")
    assert first["before"]["latency"] == pytest.approx(5)
    assert second["before"]["latency"] == pytest.approx(first["after"]["latency"])
    assert second["after"]["latency"] == pytest.approx(4, rel=0.02)


def test_resume_keeps_the_rounds_that_are_done(teacher, settings, tmp_path):
    out = tmp_path / "student.safetensors"
    compress(teacher, PRUNING, settings({"epochs": 1}), DistillSettings(), 2, out)
    first = (tmp_path / "student.round-1.safetensors").stat().st_mtime_ns
    out.unlink()
    # As a process leaves them that is killed right after it wrote a checkpoint.
    (tmp_path / "student.round-1.state.safetensors").touch()
    (tmp_path / ".student.round-1.safetensors.0.part").mkdir()
    compress(teacher, PRUNING, settings({"epochs": 1}), DistillSettings(), 2, out, resume=True)
    assert out.exists() and (tmp_path / "student.round-1.safetensors").stat().st_mtime_ns == first
    assert not [path for path in tmp_path.iterdir() if "state" in path.name or path.suffix == ".part"]


def test_what_was_made_with_other_settings_is_not_resumed(teacher, settings, tmp_path):
    out, pruning = tmp_path / "student.safetensors", replace(PRUNING, importance="random")

    def run(pruning=pruning, epochs=1, features=0.5, rounds=2):
        compress(teacher, pruning, settings({"epochs": epochs}), DistillSettings(features), rounds, out, resume=True)

    run()
    other = replace(pruning, budget=Budget("params", 0.8)), replace(pruning, importance="magnitude")
    with pytest.raises(InputError, match=r"round-1\.safetensors: was made with another budget; repeat those or drop"):
        run(other[0])
    with pytest.raises(InputError, match="another importance, score;"):
        run(other[1])
    with pytest.raises(InputError, match="another keep;"):
        run(replace(pruning, keep=["model.1"]))
    with pytest.raises(InputError, match="another schedule;"):
        run(epochs=2)
    with pytest.raises(InputError, match="another features;"):
        run(features=1.0)
    with pytest.raises(InputError, match=r"student\.safetensors: went through 5 stages, not 3"):
        run(rounds=1)
    (tmp_path / "student.round-1.safetensors").unlink()
    with pytest.raises(InputError, match=r"round-1\.pruned\.safetensors: was made with another budget"):
        run(other[0])
    teacher.unlink()
    with pytest.raises(InputError, match=r"teacher\.safetensors"):
        run()


def test_no_round_is_refused(teacher, settings, tmp_path):
    with pytest.raises(InputError, match="rounds 0"):
        compress(teacher, PRUNING, settings(), DistillSettings(), 0, tmp_path / "student.safetensors")
