"""Where in a file the bytes of a storage lie."""

import zlib
from typing import IO, NamedTuple

from perception.errors import InputError


class Place(NamedTuple):
    """A run of bytes.

    Attributes:
        start: of the first byte.
        nbytes: how many.
        crc: their checksum, where the format has one.
    """

    start: int
    nbytes: int
    crc: int | None = None

    def read(self, file: IO[bytes]) -> bytes:
        """The bytes; raises :class:`InputError` where the file is shorter or the checksum differs."""
        file.seek(self.start)
        data = file.read(self.nbytes)
        if len(data) != self.nbytes:
            raise InputError("truncated")
        if self.crc is not None and zlib.crc32(data) != self.crc:
            raise InputError("damaged: the checksum of a part of it is wrong")
        return data
