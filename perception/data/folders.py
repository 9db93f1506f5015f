"""What lies in a folder: pictures, or files of one suffix, by stem. Hidden files do not count.

A folder on a network share is asked with patience, like the files in it: one that does not answer is not one that is
not there.
"""

import errno
import os
from pathlib import Path

from perception.errors import InputError
from perception.files import patiently

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


def image_files(folder: Path) -> dict[str, Path]:
    """The pictures right inside ``folder`` by stem, in order of stem; none where there is no such folder.

    Raises :class:`InputError` where two share a stem, since labels and masks could belong to either.
    """
    files, doubles = find_images(folder)
    if doubles:
        double = doubles[0]
        raise InputError(f"{double}: shares its name with {files[double.stem].name}, rename or remove one")
    return files


def find_images(folder: Path) -> tuple[dict[str, Path], list[Path]]:
    """Like :func:`image_files`, but pictures whose stem an earlier one has are listed apart."""
    files: dict[str, Path] = {}
    doubles = []
    for file in sorted(_visible(folder), key=lambda file: (file.stem, file.suffix)):
        if file.suffix.lower() in IMAGE_SUFFIXES and files.setdefault(file.stem, file) != file:
            doubles.append(file)
    return files, doubles


def stems(folder: Path, suffix: str) -> set[str]:
    """Stems of the files right inside ``folder`` with ``suffix``, in small letters or capitals; none where there is no
    such folder."""
    return {file.stem for file in _visible(folder) if file.suffix in (suffix, suffix.upper())}


def file_of(folder: Path, stem: str, suffix: str) -> Path:
    """The file in ``folder`` of a stem that :func:`stems` found; raises :class:`InputError` where there are two."""
    file, capitals = folder / f"{stem}{suffix}", folder / f"{stem}{suffix.upper()}"
    if not is_there(capitals):
        return file
    # On disks where capitals do not count both names are of one file.
    if is_there(file) and not file.samefile(capitals):
        raise InputError(f"{capitals}: shares its name with {file.name}, rename or remove one")
    return capitals


def is_there(path: Path) -> bool:
    """Whether there is such a file or folder; raises :class:`InputError` where that cannot be found out."""

    def found() -> bool:
        # Not pathlib's: from Python 3.13 on it takes every failure for a no.
        try:
            os.stat(path)  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    return patiently(path, found)


def entries(folder: Path) -> list[tuple[Path, bool]]:
    """What lies right inside ``folder``, and whether it is a folder; nothing where there is no such folder.

    Raises :class:`InputError` where it cannot be read.
    """

    def listed() -> list[tuple[Path, bool]]:
        try:
            with os.scandir(folder) as found:
                return [(folder / entry.name, _is_folder(entry)) for entry in found if not entry.name.startswith(".")]
        except (FileNotFoundError, NotADirectoryError):
            return []

    return patiently(folder, listed)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        # A link that leads to itself is bad by itself, and no reason to refuse what lies beside it.
        if error.errno != errno.ELOOP:
            raise
        return False


def _visible(folder: Path) -> list[Path]:
    return [path for path, _ in entries(folder)]
