"""How much a model file may cost while it is checked."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Bounds for one inspection. Bytes and seconds; each excess refuses the file and costs the caller nothing more."""

    upload_bytes: int = 64 * MEGABYTE
    """The file as it was uploaded, packed or not."""
    model_bytes: int = 64 * MEGABYTE
    """The file after zip or gzip was undone."""
    xml_tags: int = 4_000_000
    """Opening and closing tags: what an XML file costs in memory depends on these more than on its length."""
    xml_depth: int = 400
    """Nesting of XML elements. Real trees stay below 100; Java's stack ends somewhere above 1,000."""
    fields: int = 4_096
    """Inputs and outputs, each."""
    memory_bytes: int = 3072 * MEGABYTE
    """Address space of each process of the inspection (RLIMIT_AS); the JVM alone reserves 2 GB of it untouched."""
    cpu_seconds: int = 60
    """Processor time of each process of the inspection (RLIMIT_CPU)."""
    wall_seconds: float = 90.0
    """After this the inspection's processes are killed."""
