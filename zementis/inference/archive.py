"""Undo zip and gzip around a model file, never producing more than was allowed."""

from __future__ import annotations

import io
import zipfile
import zlib

from zementis.inference.errors import InvalidModel
from zementis.inference.limits import MEGABYTE, Limits

_ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
MOST_MEMBERS = 16
_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


def unpack(data: bytes, *, limits: Limits | None = None) -> bytes:
    """Give the model file itself: the content of a zip with one file, of a gzip, or ``data`` as it is.

    Raises InvalidModel: the archive is broken, encrypted, holds none or several files, or more than
    ``limits.model_bytes``. One layer only, so an archive within an archive is not a way around the limit.
    """
    bounds = limits or Limits()
    if len(data) > bounds.upload_bytes:
        raise InvalidModel(_too_large(bounds.upload_bytes))
    if data.startswith((_ZIP, _EMPTY_ZIP)):
        content = _unzip(data, allowed=bounds.model_bytes)
    elif data.startswith(_GZIP):
        content = _gunzip(data, allowed=bounds.model_bytes)
    else:
        content = data
    if len(content) > bounds.model_bytes:
        raise InvalidModel(_too_large(bounds.model_bytes))
    return content


def _unzip(data: bytes, *, allowed: int) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [
                member
                for member in archive.infolist()
                # Finder adds a resource fork beside every file it packs.
                if not member.is_dir() and not member.filename.startswith("__MACOSX/")
            ]
            if len(members) != 1:
                raise InvalidModel(f"The zip file must hold exactly one file; it holds {len(members)}.")
            # The sizes in a zip's directory are claims: read one byte past the limit and look.
            with archive.open(members[0]) as member:
                return member.read(allowed + 1)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError) as error:
        raise InvalidModel(f"The zip file cannot be read: {error}.") from error


def _gunzip(data: bytes, *, allowed: int) -> bytes:
    content = bytearray()
    remaining = data
    try:
        # A gzip file may be several members one after the other. What is left is copied for each.
        members = 0
        while remaining.startswith(_GZIP):
            members += 1
            if members > MOST_MEMBERS:
                raise InvalidModel(f"The gzip file has more than {MOST_MEMBERS} members.")
            member = zlib.decompressobj(_GZIP_WINDOW)
            content += member.decompress(remaining, allowed + 1 - len(content))
            if len(content) > allowed:
                break
            if not member.eof:
                raise InvalidModel("The gzip file is truncated.")
            remaining = member.unused_data
    except zlib.error as error:
        raise InvalidModel(f"The gzip file cannot be read: {error}.") from error
    return bytes(content)


def _too_large(allowed: int) -> str:
    return f"The model file is larger than {allowed / MEGABYTE:g} MB."
