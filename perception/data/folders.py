"""What lies in a folder: pictures, or files of one suffix, by stem. Hidden files do not count."""

from pathlib import Path

from perception.errors import InputError

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
    """The file in ``folder`` of a stem that :func:`stems` found."""
    file, capitals = folder / f"{stem}{suffix}", folder / f"{stem}{suffix.upper()}"
    return capitals if capitals.exists() and not file.exists() else file


def _visible(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if not file.name.startswith(".")] if folder.is_dir() else []
