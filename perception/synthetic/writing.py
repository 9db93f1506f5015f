"""Write synthetic scenes to disk in the YOLOP layout, with several processes."""

import json
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import cv2
import numpy as np

from perception.errors import InputError
from perception.files import scratch
from perception.geometry import check_size
from perception.progress import track
from perception.synthetic.scene import SIZE, Scene, render

_SPLITS = ("train", "val")
_JPEG_QUALITY = 92
_FOLDERS = ("images", "det_annotations", "da_seg_annotations", "ll_seg_annotations")
# Folder, split, number of the scene, seed, size.
_Job = tuple[Path, str, int, int, tuple[int, int]]


def write(
    out: Path, train: int, val: int, seed: int = 0, size: tuple[int, int] = SIZE, workers: int | None = None
) -> None:
    """Render ``train`` and ``val`` scenes into a new folder ``out``, which appears when all of them are there.

    Every scene has its own seed, made from ``seed``, the split and the scene's number: the splits share none, more
    scenes leave the first ones as they are, and the number of ``workers`` (all cores when None) changes nothing.
    Worker processes are spawned, so a script that calls this needs the usual ``if __name__ == "__main__"``.

    Raises:
        InputError: ``out`` exists and is not an empty folder or cannot be written, a number makes no sense, or a worker
            was killed.
    """
    out = Path(out)
    check_size(size)
    if min(train, val, seed) < 0 or train + val == 0 or (workers is not None and workers < 1):
        raise InputError(
            f"{out}: cannot hold {train} train and {val} val scenes of seed {seed} made by {workers} workers; "
            "use whole numbers from 0, at least one scene and one worker"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: already exists and is not an empty folder, choose another one")
    with scratch(out) as temporary:
        building = temporary / out.name
        for folder in _FOLDERS:
            for split in _SPLITS:
                (building / folder / split).mkdir(parents=True)
        counts = zip(_SPLITS, (train, val), strict=True)
        jobs = [(building, split, i, seed, size) for split, count in counts for i in range(count)]
        _run(jobs, min(workers or os.cpu_count() or 1, len(jobs)))
        # Else the folder's name could reach the disk before its files do, and the power fail in between.
        os.sync()
        building.replace(out)


def _run(jobs: list[_Job], workers: int) -> None:
    if workers == 1:
        for job in track(jobs, len(jobs), "scenes"):
            _render_and_save(job)
        return
    # Spawned, not forked: safe beside threads, and the same on every system.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_begin) as pool:
        try:
            for _ in track(pool.map(_render_and_save, jobs, chunksize=4), len(jobs), "scenes"):
                pass
        except BrokenProcessPool:
            raise InputError("a process that draws scenes was killed; fewer --workers take less memory") from None
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _begin() -> None:
    """Make a worker process single-threaded, and end it when its parent ends, however that is interrupted or killed."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _render_and_save(job: _Job) -> None:
    root, split, number, seed, size = job
    scene = render((seed, _SPLITS.index(split), number), size)
    _save(root, split, f"{split}-{number:06d}", scene)


def _save(root: Path, split: str, name: str, scene: Scene) -> None:
    images, boxes, drivable, lane = (root / folder / split for folder in _FOLDERS)
    _encode(images / f"{name}.jpg", scene.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    _encode(drivable / f"{name}.png", scene.drivable * np.uint8(255))
    _encode(lane / f"{name}.png", scene.lane * np.uint8(255))
    objects = [
        {"category": category, "box2d": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))}
        for category, box in zip(scene.categories, scene.boxes.tolist(), strict=True)
    ]
    label = {"name": name, "frames": [{"timestamp": 0, "objects": objects}]}
    (boxes / f"{name}.json").write_text(json.dumps(label, indent=2) + "\n", encoding="utf-8")


def _encode(path: Path, picture: np.ndarray, options: list[int] | None = None) -> None:
    _, data = cv2.imencode(path.suffix, picture, options or [])
    path.write_bytes(data.tobytes())
