"""The made-up numbers that the test models are fitted on, and what is kept of their answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FOLDER = Path(__file__).resolve().parent
SEED = 11
ROWS = 300
COLUMNS = ["temperature", "pressure", "vibration", "current"]
TIMESTAMP = "2026-11-22T00:00:00Z"

Answers = dict[str, np.ndarray[Any, Any]]


def numbers(rows: int, *, seed: int) -> pd.DataFrame:
    """Give rows of four made-up measurements."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "temperature": random.normal(60.0, 12.0, rows),
            "pressure": random.normal(4.0, 0.7, rows),
            "vibration": random.gamma(2.0, 1.5, rows),
            "current": random.uniform(1.0, 9.0, rows),
        }
    )


def load_of(frame: pd.DataFrame) -> Any:
    """Give a made-up load (a regression target) of the rows."""
    return (
        0.3 * frame["temperature"]
        - 5.0 * frame["pressure"]
        + 2.0 * np.sin(frame["vibration"])
        + frame["current"] ** 1.5
    ).to_numpy()


def state_of(frame: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Give a made-up state (a class of three) of the rows."""
    load = load_of(frame)
    return np.where(load < 12.0, "idle", np.where(load < 24.0, "busy", "hot"))


def alarm_of(frame: pd.DataFrame) -> Any:
    """Give a made-up alarm (0 or 1) of the rows."""
    return (load_of(frame) > 20.0).astype(np.int64)


TRAINING = numbers(900, seed=SEED)
ROWS_ASKED = numbers(ROWS, seed=SEED + 1)
expected: dict[str, np.ndarray[Any, Any]] = {}


def keep(name: str, asked: pd.DataFrame, answers: Answers) -> None:
    """Note the rows and the estimator's answers."""
    for column in asked:
        values = asked[column].to_numpy()
        expected[f"{name}|in|{column}"] = values if values.dtype.kind == "f" else values.astype(str)
    for output, values in answers.items():
        expected[f"{name}|out|{output}"] = np.asarray(values)
