"""Packed uploads."""

import gzip
import io
import zipfile

import pytest

from zementis.inference import InvalidModel, Limits, unpack


def zipped(*names: str, content: bytes = b"model") -> bytes:
    """Give a zip of files of the same content."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return packed.getvalue()


def refusal(data: bytes, **limits: int) -> str:
    """Give the message an archive is refused with."""
    with pytest.raises(InvalidModel) as error:
        unpack(data, limits=Limits(**limits))
    return str(error.value)


@pytest.mark.parametrize(
    "data",
    [
        b"model",
        gzip.compress(b"model", mtime=0),
        gzip.compress(b"mo", mtime=0) + gzip.compress(b"del", mtime=0),
        zipped("a.pmml"),
        zipped("folder/", "folder/a.pmml", "__MACOSX/._a.pmml"),
    ],
)
def test_a_file_is_unpacked(data: bytes) -> None:
    assert unpack(data) == b"model"


def test_one_layer_is_unpacked() -> None:
    inner = gzip.compress(b"model", mtime=0)
    assert unpack(zipped("a.gz", content=inner)) == inner


def test_a_zip_of_several_files_is_refused() -> None:
    assert refusal(zipped("a", "b")) == "The zip file must hold exactly one file; it holds 2."


def test_an_empty_zip_is_refused() -> None:
    assert refusal(zipped()) == "The zip file must hold exactly one file; it holds 0."


def test_a_truncated_gzip_is_refused() -> None:
    assert refusal(gzip.compress(b"model" * 1000, mtime=0)[:-20]) == "The gzip file is truncated."


def test_a_damaged_zip_is_refused() -> None:
    whole = zipped("a", content=b"model" * 1000)
    assert refusal(whole[:60]).startswith("The zip file cannot be read:")
    assert refusal(whole[:40] + b"\xff" * 10 + whole[50:]).startswith("The zip file cannot be read:")


def test_an_encrypted_zip_is_refused() -> None:
    whole = bytearray(zipped("a"))
    # Bit 0 of the flags says encrypted: at 6 in the file's header, at 8 in the directory's.
    whole[6] |= 1
    whole[whole.index(b"PK\x01\x02") + 8] |= 1
    assert refusal(bytes(whole)).startswith("The zip file cannot be read:")


@pytest.mark.parametrize("data", [b"x" * 2000, gzip.compress(b"x" * 2000, mtime=0), zipped("a", content=b"x" * 2000)])
def test_more_than_allowed_is_refused(data: bytes) -> None:
    assert refusal(data, model_bytes=1024) == "The model file is larger than 0.000976562 MB."
