"""What importance costs beside the computation that nothing can spare: one forward pass and one backward pass a task.

    python benchmarks/importance.py [FILE] [--batch 16] [--times 7]

Both take turns on the same random batches; the ratio is that of neighbours in time. At most 1.3 is wanted. Memory is
the most that the process held meanwhile (Linux), and what the gradients of all tasks take of it.
"""

import argparse
import sys
from pathlib import Path
from statistics import median
from time import process_time

import torch

from compress.gradients import measure, ranked_weights, task_gradients
from compress.groups import ChannelGroups
from compress.names import CONFLICT_SOURCES
from panoedge.demo import TEACHER
from perception import checkpoint
from perception.networks.base import Targets

LIMIT = 1.3


def random_batch(size: tuple[int, int], batch: int) -> tuple[torch.Tensor, Targets]:
    """Noise with one box a picture and masks of a few per cent; how long it takes does not depend on what is seen."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (batch, *size, 3), generator=generator, dtype=torch.uint8)
    boxes = torch.tensor([[number, 10.0, 10.0, 60.0, 60.0] for number in range(batch)])
    masks = [(torch.rand(batch, *size, generator=generator) < share).to(torch.uint8) for share in (0.2, 0.03)]
    return images, Targets(boxes, *masks)


def seconds(step) -> float:
    """Processor time of one call: other work on the machine does not count."""
    start = process_time()
    step()
    return process_time() - start


def peak(step) -> float:
    """The most memory that the process holds during a call, in MB."""
    Path("/proc/self/clear_refs").write_text("5")  # forget earlier peaks
    step()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1e3


def main() -> int:
    """Print the ratio of each source of conflict; the exit status says whether the first one is within the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, nargs="?", default=TEACHER, help="checkpoint")
    parser.add_argument("--batch", type=int, default=16, help="images a batch")
    parser.add_argument("--times", type=int, default=7, help="measurements, in turn; the median counts")
    arguments = parser.parse_args()
    torch.set_flush_denormal(True)
    network = checkpoint.load(arguments.file).network.to(memory_format=torch.channels_last)
    groups = ChannelGroups(network)
    batch = random_batch(network.spec.size, arguments.batch)
    weights = ranked_weights(network, groups)
    steps = {"bare": lambda: task_gradients(network, weights, *batch)}
    steps |= {source: lambda source=source: measure(network, groups, [batch], source) for source in CONFLICT_SOURCES}
    held = {name: peak(step) for name, step in steps.items()}  # warms up, too
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(arguments.times):
        for name, step in steps.items():
            taken[name].append(seconds(step))
    copies = len(network.spec.tasks)
    ranked = sum(weight.numel() for weight in weights.values())
    everything = sum(parameter.numel() for parameter in network.parameters())
    each = 1000 * median(taken["bare"]) / arguments.batch
    print(f"bare: {each:.1f} ms an image, batch {arguments.batch}, {held['bare']:.0f} MB")
    print(f"gradients: {copies} x {ranked:,} of {everything:,} weights, {4e-6 * copies * ranked:.1f} MB")
    ratios = {}
    for name in CONFLICT_SOURCES:
        found = sorted(mine / its for mine, its in zip(taken[name], taken["bare"], strict=True))
        ratios[name] = median(found)
        print(f"{name}: {ratios[name]:.2f} times bare ({found[0]:.2f} to {found[-1]:.2f}), {held[name]:.0f} MB")
    return int(ratios[CONFLICT_SOURCES[0]] > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
