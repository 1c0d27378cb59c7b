"""Records that clients want scored at once: JSON or CSV in, columns of the model's inputs out."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scheduler import strict_json
from zementis.inference import Field

MAX_RECORDS = 100_000
_NUMBER = re.compile(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*")
_BOOLEANS = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}


class UnreadableRecord(ValueError):
    """A record is not one. ``number`` counts from 1."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Failed to parse input at record {number}.")
        self.number = number


class TooManyRecords(ValueError):
    """More records than one request may hold."""


def from_json(data: bytes) -> list[Mapping[str, Any]]:
    """Return the records of a JSON object, of an array of them, or of ``{"records": […]}``."""
    try:
        parsed = strict_json.read(data)
    except strict_json.UnreadableJson:
        raise UnreadableRecord(1) from None
    if isinstance(parsed, dict) and isinstance(parsed.get("records"), list):
        parsed = parsed["records"]
    records = parsed if isinstance(parsed, list) else [parsed]
    _check_count(records)
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise UnreadableRecord(number)
    return records


def from_csv(data: bytes) -> list[Mapping[str, Any]]:
    """Return the records of a CSV text with a header; an empty cell is a missing value."""
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        raise UnreadableRecord(1) from None
    if not rows:
        raise UnreadableRecord(1)
    header, body = [name.strip() for name in rows[0]], [row for row in rows[1:] if row]
    _check_count(body)
    if not body or len(set(header)) != len(header):
        raise UnreadableRecord(1)
    for number, row in enumerate(body, start=1):
        if len(row) != len(header):
            raise UnreadableRecord(number)
    return [{name: cell if cell != "" else None for name, cell in zip(header, row, strict=True)} for row in body]


def columns(records: Sequence[Mapping[str, Any]], inputs: Iterable[Field]) -> dict[str, list[Any]]:
    """Return one list per input, None where a record has no value. Raises ``UnreadableRecord``."""
    fields = list(inputs)
    result: dict[str, list[Any]] = {field.name: [] for field in fields}
    for number, record in enumerate(records, start=1):
        for field in fields:
            try:
                result[field.name].append(_value(record.get(field.name), field))
            except ValueError:
                raise UnreadableRecord(number) from None
    return result


def _value(value: Any, field: Field) -> Any:
    """Return ``value`` as the input takes it; numbers may come as text, as in the vendor's examples."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if field.type in {"DOUBLE", "FLOAT", "INTEGER"}:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise ValueError(value)
        if isinstance(value, str) and not _NUMBER.fullmatch(value):
            raise ValueError(value)
        try:
            number = float(value)
        except OverflowError:
            raise ValueError(value) from None
        if number - number != 0.0:
            raise ValueError(value)
        return number
    if field.type == "BOOLEAN":
        text = json.dumps(value) if isinstance(value, bool) else str(value).strip().lower()
        if text not in _BOOLEANS:
            raise ValueError(value)
        return _BOOLEANS[text]
    if isinstance(value, (dict, list)):
        raise ValueError(value)
    text = value if isinstance(value, str) else json.dumps(value)
    strict_json.check_storable(text)
    return text


def _check_count(records: Sequence[Any]) -> None:
    if len(records) > MAX_RECORDS:
        raise TooManyRecords(f"A request holds at most {MAX_RECORDS} records; this one has {len(records)}.")
