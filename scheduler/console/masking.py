"""Arguments that people see masked and send back edited: what they left masked keeps its stored value."""

from __future__ import annotations

from typing import Any


def unmask(edited: Any, *, shown: Any, stored: Any) -> Any:
    """Return ``edited`` with every part that still equals its masked form in ``shown`` replaced from ``stored``."""
    if edited == shown:
        return stored
    if isinstance(edited, dict) and isinstance(shown, dict) and isinstance(stored, dict):
        return {
            key: unmask(value, shown=shown[key], stored=stored[key]) if key in shown and key in stored else value
            for key, value in edited.items()
        }
    if isinstance(edited, list) and isinstance(shown, list) and isinstance(stored, list) and len(edited) == len(stored):
        return [unmask(value, shown=old, stored=kept) for value, old, kept in zip(edited, shown, stored, strict=False)]
    return edited
