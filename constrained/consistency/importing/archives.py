"""Members of a zip file, Zstandard-compressed ones included, which Python's `zipfile` refuses."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO

from constrained.consistency.importing.files import LARGEST, open_bytes, pyarrow_module
from constrained.errors import RecordError

__all__ = ["members_of", "read_members"]

ZSTANDARD = 93
"""The compression method's number, APPNOTE.TXT section 4.4.5."""

METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, ZSTANDARD}
FLAGS = {0x2041: "is encrypted", 0x20: "holds a patch"}
"""Bits of a member's flags, and what they say of it (APPNOTE.TXT section 4.4.4)."""

LARGEST_MEMBER = LARGEST // 4
"""Bytes that one member may unpack to; all that are wanted may unpack to `LARGEST` together."""

LARGEST_DIRECTORY = 2**23
"""Bytes of a zip file's list of members: some 100,000 of them, a second's work."""

DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    IndexError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    UnicodeDecodeError,
    struct.error,
)
"""What `zipfile` raises for files that are damaged, or that are no usual zip files."""


def read_members(path: str | Path, wanted: tuple[str, ...]) -> dict[str, bytes]:
    """All of `members_of` at once, by name."""
    return dict(members_of(path, wanted))


def members_of(path: str | Path, wanted: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """(name, unpacked bytes) of the members whose names begin with one of `wanted`, one by one.

    Raises `RecordError` for what is not a zip file, is damaged, encrypted or packed in a way that
    no log is, and before anything is unpacked for members that unpack to more than 256 MiB, or to
    1 GiB together; `MissingPackage` where Zstandard needs pyarrow.
    """
    with open_bytes(path) as file:
        _check_directory(path, file)
        try:
            archive = zipfile.ZipFile(file)
            members = [m for m in archive.infolist() if m.filename.startswith(wanted)]
        except (*DAMAGE, ValueError) as error:
            raise RecordError(f"{path}: not a whole zip file ({error})") from error
        _check(path, members)
        for member in members:
            try:
                data = _unpacked(file, archive, member)
            except (*DAMAGE, ValueError) as error:
                raise RecordError(f"{path}: {member.filename} is damaged ({error})") from error
            yield member.filename, data


def _check_directory(path: str | Path, file: BinaryIO) -> None:
    """Refuse a list of members that takes long to read; its size stands at the end of the file.

    See APPNOTE.TXT sections 4.3.14 to 4.3.16. What is no zip file at all is found later.
    """
    start = max(0, file.seek(0, SEEK_END) - 2**16 - 22)
    file.seek(start)
    end = file.read()
    at = end.rfind(b"PK\x05\x06")
    size = int.from_bytes(end[at + 12 : at + 16], "little") if at >= 0 else 0
    large = end.rfind(b"PK\x06\x06", 0, max(at, 0))
    if size == 2**32 - 1 and large >= 0:
        size = int.from_bytes(end[large + 40 : large + 48], "little")
    file.seek(0)
    if size > LARGEST_DIRECTORY:
        raise RecordError(
            f"{path}: its list of members takes {size:,} bytes; {LARGEST_DIRECTORY:,} are read at "
            "most (give the scores as a table instead)"
        )


def _check(path: str | Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse members by what the zip file's directory says of them."""
    for member in members:
        for bits, problem in FLAGS.items():
            if member.flag_bits & bits:
                raise RecordError(f"{path}: {member.filename} {problem}")
        if member.compress_type not in METHODS:
            raise RecordError(
                f"{path}: {member.filename} is packed by method {member.compress_type}; stored, "
                "deflated and Zstandard members are read"
            )
        if member.file_size > LARGEST_MEMBER:
            raise RecordError(
                f"{path}: {member.filename} unpacks to {member.file_size:,} bytes; "
                f"{LARGEST_MEMBER:,} are read at most"
            )
    total = sum(member.file_size for member in members)
    if total > LARGEST:
        raise RecordError(
            f"{path}: its samples unpack to {total:,} bytes; {LARGEST:,} are read at most (give "
            "the scores as a table instead)"
        )


def _unpacked(file: BinaryIO, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.compress_type != ZSTANDARD:
        return archive.read(member)
    pyarrow = pyarrow_module("pyarrow", "reading a Zstandard log")
    file.seek(member.header_offset)
    name, extra = struct.unpack("<2H", file.read(30)[26:30])
    file.seek(name + extra, 1)
    packed = file.read(member.compress_size)
    try:
        data = pyarrow.decompress(packed, member.file_size, codec="zstd", asbytes=True)
    except (OSError, pyarrow.ArrowException) as error:
        raise zipfile.BadZipFile(str(error)) from error
    if zlib.crc32(data) != member.CRC:
        raise zipfile.BadZipFile("its checksum does not fit")
    return bytes(data)
