"""What one setting takes, as the code that reads it declares it and the page of settings shows it."""

from collections.abc import Sequence
from dataclasses import dataclass

# The last word of a variable's name is its unit.
UNITS = {"SECONDS": "seconds", "MINUTES": "minutes", "DAYS": "days", "BYTES": "bytes", "MB": "MB"}
BINARY = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One environment variable.

    `takes` is its type in words, with unit and bounds. `default` and `meaning` are Markdown; the meaning is empty where
    nobody has told it. Settings of one `section` stand together.
    """

    name: str
    section: str
    takes: str
    default: str
    meaning: str


def sized(count: int) -> str:
    """So many bytes in the largest unit that leaves a whole number: `67108864` is 64 MiB."""
    return next((f"{count // size} {unit}" for size, unit in BINARY if count and count % size == 0), f"{count} bytes")


def whole_number(name: str, low: int, high: int) -> str:
    """What an integer takes, by the unit that its name ends with: `seconds, 1 to 86400`."""
    unit = UNITS.get(name.rpartition("_")[2])
    if unit == "bytes":
        return f"bytes, {sized(low)} to {sized(high)}"
    return f"{unit or 'whole number'}, {low} to {high}"


def listed(words: Sequence[str], last: str = "or") -> str:
    """Words as code: `one`, `two` or `three`."""
    quoted = [f"`{word}`" for word in words]
    return f" {last} ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))


def written(name: str, value: object) -> str:
    """A default as it would be written in the environment; `none` where there is none."""
    if isinstance(value, bool):
        return f"`{int(value)}`"
    if isinstance(value, int):
        size = sized(value) if name.endswith("_BYTES") and value % 1024 == 0 else ""
        return f"`{value}`{f' ({size})' if size else ''}"
    if isinstance(value, str):
        return f"`{value}`" if value else "none"
    return f"`{','.join(value)}`" if isinstance(value, (list, tuple)) and value else "none"
