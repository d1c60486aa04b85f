"""The text of a file that a user names: a regular file of a bounded size, in UTF-8."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

__all__ = ["MOST_BYTES", "file_text"]

MOST_BYTES = 256 << 20
"""The most that is read of one file."""


def file_text(path: str | Path, most: int = MOST_BYTES) -> str:
    """The text of a file.

    Raises `OSError` for what cannot be read, `UnicodeDecodeError` for what is no UTF-8. A pipe or a
    device may never begin, or never end, so they are refused, as is more than `most` bytes.

    >>> file_text("/dev/zero")
    Traceback (most recent call last):
    OSError: [Errno 22] it is no regular file (write into one what it gives)
    """
    file = Path(path)
    try:
        found = file.stat()
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, str(error)) from error
    if stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EISDIR, "Is a directory")
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file (write into one what it gives)")
    if found.st_size > most:
        raise OSError(errno.EFBIG, f"it has {found.st_size:,} bytes, and at most {most:,} are read")
    return file.read_bytes().decode("utf-8-sig")
