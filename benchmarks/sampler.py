"""What watching the machine costs: processor time of the sampler, as a share of one core.

    python benchmarks/sampler.py

Measured on this machine's own files, and on as many as an AGX Orin has. Those lie in a temporary folder, where reading
is cheap; on a board the power monitors answer over a slow bus, and the reader sleeps meanwhile. The limit is 1 %.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from runtime.device import Sampler

LIMIT = 0.01


def lay_out_agx_orin(root: Path) -> None:
    """As many files of each kind as the board has, with values of the right form."""
    files = {"proc/stat": "cpu  1000 0 500 90000 100 0 20 0 0 0\n", "etc/nv_tegra_release": "# R36 (release)\n"}
    files |= {"proc/meminfo": "MemTotal: 64349568 kB\nMemAvailable: 51000000 kB\n", "proc/self/statm": "300000 125000"}
    for chip, rails in (("1-0040", 3), ("1-0041", 1)):
        for rail in range(1, rails + 1):
            folder = f"sys/bus/i2c/drivers/ina3221/{chip}/hwmon/hwmon{rails}"
            files[f"{folder}/in{rail}_label"] = f"RAIL_{chip}_{rail}"
            files[f"{folder}/in{rail}_input"] = files[f"{folder}/curr{rail}_input"] = "5000"
    for zone in range(9):
        files[f"sys/class/thermal/thermal_zone{zone}/type"] = f"zone{zone}-thermal"
        files[f"sys/class/thermal/thermal_zone{zone}/temp"] = "50000"
    for device in range(9):
        files[f"sys/class/thermal/cooling_device{device}/type"] = f"part{device}-throttle-alert"
        files[f"sys/class/thermal/cooling_device{device}/cur_state"] = "0"
    for counter in (1, 2, 3):
        files[f"sys/class/hwmon/hwmon5/oc{counter}_event_cnt"] = "0"
    for bound in ("cur", "min", "max"):
        files[f"sys/class/devfreq/17000000.gpu/{bound}_freq"] = "1300500000"
        for core in (0, 4, 8):
            files[f"sys/devices/system/cpu/cpufreq/policy{core}/scaling_{bound}_freq"] = "2201600"
    files["sys/class/devfreq/17000000.gpu/device/load"] = "900"
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


def share_of_a_core(root: Path, seconds: float) -> float:
    """Processor time of this process, which does nothing but watch, by time passed."""
    with Sampler(root):
        used, start = time.process_time(), time.monotonic()
        time.sleep(seconds)
        return (time.process_time() - used) / (time.monotonic() - start)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--times", type=int, default=5, help="measurements, in turn; the median counts")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lay_out_agx_orin(Path(folder))
        roots = {"this machine": Path("/"), "as many files as an AGX Orin": Path(folder)}
        shares: dict[str, list[float]] = {name: [] for name in roots}
        for _ in range(arguments.times):
            for name, root in roots.items():
                shares[name].append(share_of_a_core(root, arguments.seconds))
    for name, measured in shares.items():
        print(f"{name}: {median(measured):.2%} of one core ({min(measured):.2%} to {max(measured):.2%})")
    return int(max(median(measured) for measured in shares.values()) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
