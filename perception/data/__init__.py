"""Data sets on disk, read one frame at a time: three layouts, found out automatically, and pictures without labels.

Examples:
    for sample in open_dataset(Path("bdd100k"), "val"): ...     samples as in perception.tasks, in order of name
    for name, image in pictures(Path("drive.mp4")): ...         of a picture, a folder of pictures or a video
"""

from perception.data.dataset import ON_BAD, Dataset, OnBad, open_dataset, open_pictures
from perception.data.images import number_of_pictures, pictures

__all__ = ["ON_BAD", "Dataset", "OnBad", "number_of_pictures", "open_dataset", "open_pictures", "pictures"]
