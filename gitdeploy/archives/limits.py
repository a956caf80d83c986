"""How much one zip may bring."""

from __future__ import annotations

import msgspec

from gitdeploy.config import Options

MAX_DEPTH = 100  # folders above a file; each is an open descriptor while it is written
NAME_MAX = 255  # bytes of one name, NAME_MAX of every Linux file system in use
MAX_DIRECTORY = 32 << 20  # bytes of a zip's directory, which is kept in memory
PATH_MAX = 4096  # bytes of a path with the terminating NUL


class ZipLimits(msgspec.Struct, frozen=True):
    """Bounds of an archive; those of its upload in bytes are the receiver's.

    `entries` counts files and folders, also those that are only named by a path; `unpacked` is
    bytes of all files together; `ratio` is unpacked bytes for each one packed, of the whole and
    of each file, and looked at from `floor` bytes on: a small file of zeros does no harm.
    """

    entries: int
    unpacked: int
    ratio: int
    floor: int = 16 << 20

    @classmethod
    def of(cls, options: Options) -> ZipLimits:
        """The bounds as the server's options have them now."""
        return cls(
            entries=options.max_zip_entries,
            unpacked=options.max_unzipped_size,
            ratio=options.max_zip_ratio,
        )
