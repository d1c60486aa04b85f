"""Members of a zip file, Zstandard-compressed ones included, which Python's `zipfile` refuses."""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

from constrained.errors import RecordError
from constrained.models.loading import require
from constrained.packages import remedy

__all__ = ["read_members"]

ZSTANDARD = 93
"""The compression method's number, APPNOTE.TXT section 4.4.5."""

LARGEST = 2**30
"""Bytes that one member may unpack to."""


def read_members(path: str | Path, wanted: tuple[str, ...]) -> dict[str, bytes]:
    """The unpacked members whose names begin with one of `wanted`, by name, in the file's order.

    Raises `RecordError` for what is not a zip file, is damaged, or unpacks to more than 1 GiB per
    member, and `MissingPackage` where Zstandard needs pyarrow.
    """
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.startswith(wanted):
                    found[member.filename] = _unpacked(path, archive, member)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error) as error:
        raise RecordError(f"{path}: not a whole zip file ({error})") from error
    return found


def _unpacked(path: str | Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > LARGEST:
        raise RecordError(f"{path}: {member.filename} unpacks to {member.file_size:,} bytes")
    if member.compress_type != ZSTANDARD:
        return archive.read(member)
    require("pyarrow", "reading a Zstandard log", install=remedy("parquet"))
    import pyarrow  # type: ignore[import-untyped]

    with Path(path).open("rb") as file:
        file.seek(member.header_offset)
        header = file.read(30)
        name, extra = struct.unpack("<2H", header[26:30])
        file.seek(name + extra, 1)
        packed = file.read(member.compress_size)
    try:
        data = pyarrow.decompress(packed, member.file_size, codec="zstd", asbytes=True)
    except (OSError, pyarrow.ArrowException) as error:
        raise RecordError(f"{path}: {member.filename} is damaged ({error})") from error
    if zlib.crc32(data) != member.CRC:
        raise RecordError(f"{path}: {member.filename} is damaged (its checksum does not fit)")
    return bytes(data)
