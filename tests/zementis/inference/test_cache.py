"""Loaded models of a worker."""

import os
from typing import Any

import numpy as np
import pytest

from tests.zementis.inference.pmml_files import document, split, tree
from zementis.inference import Scorer, cache, load
from zementis.inference.cache import ModelCache


def small() -> Scorer:
    """Load a tree."""
    return load(document(tree(split("1", "2"))), format="PMML", engine="trees")


def unwanted() -> Scorer:
    """Fail where a model is loaded although it should be cached."""
    raise AssertionError("loaded again")


def test_a_model_is_loaded_once() -> None:
    models = ModelCache()
    first = models.get("one", small)
    assert models.get("one", unwanted) is first


def test_the_longest_unused_model_is_dropped() -> None:
    models = ModelCache(max_models=2)
    for name in ("one", "two", "one", "three"):
        models.get(name, small)
    assert models.hashes() == ["one", "three"]


def test_models_are_dropped_when_they_hold_too_much_memory() -> None:
    size = small().size_bytes
    models = ModelCache(max_bytes=2 * size)
    for name in ("one", "two", "three"):
        models.get(name, small)
    assert models.hashes() == ["two", "three"]


def test_a_model_larger_than_the_cache_is_given_all_the_same() -> None:
    models = ModelCache(max_bytes=1)
    row: dict[str, np.ndarray[Any, Any]] = {"a": np.zeros(1), "b": np.zeros(1)}
    assert models.get("one", small).score(row)["predicted_y"].tolist() == [1.0]
    assert models.hashes() == []


def test_a_dropped_model_is_loaded_again() -> None:
    first = cache.get("dropped", small)
    cache.drop("dropped")
    cache.drop("never there")
    second = cache.get("dropped", small)
    cache.clear()
    assert second is not first


def test_a_loader_that_fails_leaves_nothing_behind() -> None:
    models = ModelCache()
    with pytest.raises(AssertionError):
        models.get("one", unwanted)
    assert models.hashes() == []


def test_a_forked_child_starts_with_an_empty_cache() -> None:
    models = ModelCache()
    models.get("one", small)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, repr(models.hashes()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert (os.read(reading, 100), models.hashes()) == (b"[]", ["one"])
