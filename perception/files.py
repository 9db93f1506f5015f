"""Files are written whole or not at all, and read with patience."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from perception.errors import InputError

T = TypeVar("T")

# What a network share says while it is away; anything else will not go away by itself.
_PASSING = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN}
_PAUSES = (0.1, 0.5, 2.0)
# Seconds between two looks whether a lock is free.
_TURN = 0.2


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path of the same name; it replaces ``path`` when the block ends well and vanishes otherwise.

    Raises:
        InputError: ``path`` is a folder, a pipe or a device, or cannot be written (a full disk).
    """
    target = _replaceable(path)
    with scratch(target) as folder:
        temporary = folder / Path(path).name
        yield temporary
        # Else the new name could reach the disk before the bytes do, and the power fail in between.
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        # Some libraries write for the owner's eyes only; the folder was made with the permissions that are usual here.
        temporary.chmod(folder.stat().st_mode & 0o666)
        temporary.replace(target)


def _replaceable(path: Path) -> Path:
    """``path``, or what it links to; raises :class:`InputError` where that is no file and has its name."""
    path = Path(path).resolve() if Path(path).is_symlink() else Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder, a file name is needed")
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: is a pipe or a device, which cannot be replaced; a file name is needed")
    return path


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """Yield an empty hidden folder beside ``path`` to build in what will take its place; it goes when the block ends.

    What a killed process left there is removed by the next one that writes ``path``. Processes that write the same
    ``path`` at the same time get folders of their own.

    Raises:
        InputError: the folder, or something in it, cannot be written.
    """
    path = Path(path)
    folder = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder, lock = _claim(path)
        try:
            yield folder
        finally:
            # Before the lock is given back: from then on the folder could be another process's.
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
    except OSError as error:
        if error.filename and folder and folder.name not in str(error.filename):
            raise
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None


@contextmanager
def alone(path: Path, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Let one process at a time into such a block for ``path``; others wait for it to end, or to be killed.

    Args:
        path: what the block works on; need not exist.
        waits: called once where another process is in its block.

    Raises:
        InputError: its folder cannot be written.
    """
    path = check_writable(path)
    key = path.with_name(f".{path.name}.lock")
    told = False
    # Whoever was in the block before removes the file, so a lock may turn out to be of one that is gone.
    while (lock := _lock(key)) is None or not _is_open_at(lock, key):
        if lock is not None:
            os.close(lock)
            continue
        if not told:
            waits()
            told = True
        time.sleep(_TURN)
    try:
        yield
    finally:
        key.unlink(missing_ok=True)
        os.close(lock)


def remove(path: Path) -> None:
    """Remove a file, where there is one, and what killed processes left of it."""
    with scratch(path):
        Path(path).unlink(missing_ok=True)


def sweep(folders: Iterable[Path]) -> None:
    """Remove the scratch folders that killed processes left; those of living ones stay.

    For commands that go on from files that are there: they do not write those again, which would remove them.
    """
    for folder in list(folders):  # found before any is removed
        lock = _take(folder, folder.name[1:].rsplit(".", 2)[0])
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _claim(path: Path) -> tuple[Path, int]:
    """The first scratch folder of ``path`` that no living process holds, emptied, and the lock that holds it."""
    number = 0
    while True:
        folder = path.with_name(f".{path.name}.{number}.part")
        if (lock := _take(folder, path.name)) is not None:
            return folder, lock
        number += 1


def _take(folder: Path, name: str) -> int | None:
    """The lock of a scratch folder for a file of that name, emptied; None while a living process holds it."""
    # No file that is built here ends like this, because it has the name of what takes its place.
    key = folder / f"{name}.lock"
    while (lock := _lock(key)) is not None and not _is_open_at(lock, key):
        os.close(lock)
    if lock is not None:
        for left in folder.iterdir():
            if left != key:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
    return lock


def _lock(key: Path) -> int | None:
    """An open file that is ours alone until it is closed or the process ends; None while it is another's."""
    while True:
        # Not pathlib's: it fails where a folder that was there is removed before it looks.
        with suppress(FileExistsError):
            os.mkdir(key.parent)  # noqa: PTH102
        try:
            lock = os.open(key, os.O_RDWR | os.O_CREAT, 0o600)
            break
        except FileNotFoundError:  # its owner has just removed the folder
            continue
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            return None
        raise
    return lock


def _is_open_at(handle: int, path: Path) -> bool:
    """Whether ``path`` still is the open file, not removed or made anew since."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def patiently(path: Path, read: Callable[[], T]) -> T:
    """What ``read`` makes of ``path``; what a network share stumbles over now and then is tried again for seconds.

    Raises:
        InputError: it cannot be read.
    """
    pauses = iter(_PAUSES)
    while True:
        try:
            return read()
        except OSError as error:
            pause = next(pauses, None)
            if pause is None or error.errno not in _PASSING:
                raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
        time.sleep(pause)


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading that is one: a pipe or a device by its name would be waited for, or read, for ever.

    Raises:
        OSError: it is none, or cannot be opened.
    """
    # A pipe that nobody writes opens at once so.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    kind = os.fstat(handle).st_mode
    if stat.S_ISREG(kind):
        return os.fdopen(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "neither a file nor a link to one", str(path))


def read_bytes(path: Path) -> bytes:
    """Read a file :func:`patiently`."""

    def whole() -> bytes:
        with open_regular(path) as file:
            return file.read()

    return patiently(path, whole)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, data: Any) -> None:
    """Write indented JSON whole, with a final newline."""
    write_text(path, json.dumps(data, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; raises :class:`InputError` that names it."""
    try:
        return json.loads(read_bytes(path).decode("utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error})") from None
    except RecursionError:
        raise InputError(f"{path}: not valid JSON (nested too deeply)") from None


def sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def writable_folder(path: Path) -> Path:
    """Make ``path`` a folder that can be written, or raise :class:`InputError` before any work is done."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    return path


def check_writable(path: Path) -> Path:
    """Raise :class:`InputError` at once where ``path`` could not be written later; long commands call it first."""
    writable_folder(_replaceable(path).parent)
    return Path(path)
