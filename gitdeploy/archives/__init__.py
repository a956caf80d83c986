"""Zips in and out: what is uploaded, and what is handed out as a whole directory.

In: a zip of any system and anybody's making, judged whole before a byte is written. Out: a new
directory with its files, or a directory as a zip that is made while it is sent.
"""

from gitdeploy.archives.errors import ArchiveError
from gitdeploy.archives.extract import Extracted, extract
from gitdeploy.archives.limits import ZipLimits
from gitdeploy.archives.pack import pack
from gitdeploy.archives.stream import stream

__all__ = ["ArchiveError", "Extracted", "ZipLimits", "extract", "pack", "stream"]
