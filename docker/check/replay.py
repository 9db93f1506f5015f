"""Follows a Dockerfile in a root filesystem that stands in for its base image, as far as that goes."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dockerfile import Instruction, expand
from findings import Finding, last_line
from rootfs import PATH, Root

# What is NVIDIA's: steps that need it, by what gives them away.
_BEYOND = {
    "FROM": "stood in for by Debian with Python 3.11, without CUDA and TensorRT",
    "--requirement pycuda.lock.txt": "pycuda is compiled for the base image's CUDA",
    "find_spec('tensorrt')": "TensorRT is the base image's",
    "HEALTHCHECK": "asks for a GPU and TensorRT",
    "VOLUME": "volumes are Docker's",
}
# Why the steps of the others are not followed.
_ALIKE = {
    "jetpack7.Dockerfile": "differ from those of jetpack6.Dockerfile in base and lock file only",
    "dev.Dockerfile": "for x86; they come down to make install",
    "compose.yaml": "compose is Docker's",
}
# Enough to see that all parts work; speed under emulation says nothing.
_SHORT = ("--seconds", "1", "--count", "3", "--threads", "1")
_BAD_INPUT = 2


def left_out(folder: Path, followed: Path) -> Iterator[Finding]:
    """One finding for each file of ``folder`` that says how an image is made or run, but for the one ``followed``."""
    for path in (*sorted(folder.glob("*.Dockerfile")), *sorted(folder.glob("*.yaml"))):
        if path != followed and path.name != "hadolint.yaml":
            yield Finding(f"steps of {path.name}", "not tried", _ALIKE.get(path.name, "only one image is followed"))


class Replay:
    """An image in the making.

    Args:
        root: stands in for the base image.
        context: folder that COPY takes from.
        say: hears what is going on.
    """

    def __init__(self, root: Root, context: Path, say: Callable[[str], None]):
        self._root, self._context, self._say = root, context, say
        self._variables = {"PATH": PATH}
        self._folder, self._user = "/", "root"

    def follow(self, instructions: Sequence[Instruction]) -> Iterator[Finding]:
        """One finding for each instruction but CMD, up to the first that fails."""
        for instruction in instructions:
            if instruction.name == "CMD":
                continue
            finding = self._step(instruction)
            yield finding
            if finding.outcome == "FAILS":
                return

    def try_out(self, command: Sequence[str], onnx: Path) -> Iterator[Finding]:
        """The image's default command on an ONNX file, and how it builds engines, which it can only refuse here.

        Args:
            command: that measures an engine and writes a report.
            onnx: network in the engine's place.
        """
        shutil.copyfile(onnx, self._inside(onnx.name))
        yield self._refusal(["python", "-m", "export", "engine", onnx.name, "--out", "student.engine"])
        user, self._user = self._user, "root"
        yield self._shell("pip install --no-cache-dir onnxruntime")
        self._user = user
        yield self._benchmark([onnx.name if word.endswith(".engine") else word for word in command])

    def _step(self, instruction: Instruction) -> Finding:
        name, value = instruction
        for sign, why in _BEYOND.items():
            if sign in str(instruction):
                return Finding(str(instruction), "not tried", why)
        if name == "RUN":
            return self._shell(value)
        if name == "COPY":
            return self._copy(instruction)
        if name == "ENV":
            variable, _, setting = value.partition("=")
            self._variables[variable] = expand(setting, self._variables)
        elif name == "WORKDIR":
            self._folder = value
            self._inside().mkdir(parents=True, exist_ok=True)
        elif name == "USER":
            self._user = value
        elif name != "ARG":
            raise ValueError(f"{name}: a Dockerfile's instruction that this check does not know")
        return Finding(str(instruction), "holds")

    def _copy(self, instruction: Instruction) -> Finding:
        *sources, target = instruction.words()
        for source in sources:
            outside, inside = self._context / source, self._inside(target)
            if outside.is_dir():
                shutil.copytree(outside, inside, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
            elif outside.is_file():
                shutil.copyfile(outside, inside / outside.name)
            else:
                return Finding(str(instruction), "FAILS", f"{source} does not exist")
        return Finding(str(instruction), "holds")

    def _shell(self, command: str) -> Finding:
        start = time.monotonic()
        status, said = self._run(["sh", "-c", command])
        what = f"RUN {command}"
        return Finding(what, "FAILS", said) if status else Finding(what, "holds", f"{time.monotonic() - start:.0f} s")

    def _refusal(self, command: Sequence[str]) -> Finding:
        status, said = self._run(command)
        return Finding(" ".join(command), "holds" if status == _BAD_INPUT else "FAILS", said)

    def _benchmark(self, command: Sequence[str]) -> Finding:
        """The report must be there, and the exit status be what the gate in it says."""
        status, said = self._run([*command, *_SHORT])
        what = " ".join([*command, *_SHORT])
        try:
            report = json.loads(self._inside("report.json").read_text(encoding="utf-8"))
        except OSError:
            return Finding(what, "FAILS", said)
        (gate,) = report["models"][-1]["gates"]
        machine = report["device"]["os"]
        why = f"{machine}: {gate['of']} {gate['value']:.2f} FPS emulated, exit status {status}, as it should be"
        return Finding(what, "holds", why) if status == (not gate["passed"]) else Finding(what, "FAILS", said)

    def _run(self, command: Sequence[str]) -> tuple[int, str]:
        """Exit status and the last line on standard error."""
        self._say(" ".join(command))
        done = self._root.run(command, self._variables, self._user, self._folder)
        return done.returncode, last_line(done.stderr)

    def _inside(self, name: str = "") -> Path:
        """Where ``name``, seen from the working folder inside, lies outside."""
        return self._root.path / self._folder.lstrip("/") / name
