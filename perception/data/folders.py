"""What lies in a folder: pictures, or files of one suffix, by stem. Hidden files do not count."""

from pathlib import Path

from perception.errors import InputError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


def image_files(folder: Path) -> dict[str, Path]:
    """The pictures right inside ``folder`` by stem, in order of stem; none where there is no such folder.

    Raises :class:`InputError` where two share a stem, since labels and masks could belong to either.
    """
    files: dict[str, Path] = {}
    for file in sorted(_visible(folder), key=lambda file: (file.stem, file.suffix)):
        if file.suffix.lower() in IMAGE_SUFFIXES:
            if file.stem in files:
                raise InputError(f"{file}: shares its name with {files[file.stem].name}, rename or remove one")
            files[file.stem] = file
    return files


def stems(folder: Path, suffix: str) -> set[str]:
    """Stems of the files right inside ``folder`` with ``suffix``; none where there is no such folder."""
    return {file.stem for file in _visible(folder) if file.suffix == suffix}


def _visible(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if not file.name.startswith(".")] if folder.is_dir() else []
