"""The pictures that exported files are calibrated and compared on."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from perception.data import number_of_pictures, open_dataset, pictures
from perception.errors import InputError
from perception.geometry import fit
from perception.spec import InputSpec

# Of the generated scenes, so many are made.
SCENES = 4


def look_at(images: Path | None, most: int) -> Iterator[np.ndarray]:
    """At most ``most`` pictures, uint8 ``[H, W, 3]``, of a picture, folder or video, evenly spread (the first ones of a
    video that does not say how long it is); generated scenes where there is none. Raises :class:`InputError` where
    there is nothing to read."""
    if images is None:
        # Here, so that commands which draw nothing do not load it.
        from perception.synthetic import render

        return (render(seed).image for seed in range(SCENES))
    step = max(1, -(-(number_of_pictures(images) or 0) // most))
    return (image for _, image in islice(pictures(images, step), most))


def learn_from(images: Path | None, data: Path | None, most: int) -> Iterator[np.ndarray]:
    """At most ``most`` pictures to calibrate on, uint8 ``[H, W, 3]``: ``images``, else frames of the labelled data set
    ``data``, evenly spread; generated scenes where there is neither.

    They come from its ``train`` split where it has one, so that its ``val`` split can judge the result.
    """
    if images is not None or data is None:
        return look_at(images, most)
    try:
        dataset = open_dataset(data, "train")
    except InputError:
        dataset = open_dataset(data)
    spread = np.linspace(0, len(dataset) - 1, min(most, len(dataset))).round().astype(int)
    return (dataset[int(index)].image for index in spread)


def batches(looked_at: Iterable[np.ndarray], spec: InputSpec, batch: int) -> Iterator[tuple[np.ndarray, int]]:
    """Pictures as the network takes them, with the number that count: the last batch repeats its last picture."""
    remaining = iter(looked_at)
    while images := list(islice(remaining, batch)):
        placed = [fit(image.shape[:2], spec.size, spec.resize).image(image) for image in images]
        yield np.stack(placed + placed[-1:] * (batch - len(placed))), len(placed)
