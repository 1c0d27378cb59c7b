"""The Java process: one per worker process, gone with it, and its loss is survived."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.zementis.inference import samples
from zementis.inference import ScoringError, jvm, pypmml

ROOT = Path(__file__).resolve().parents[3]
SCORE = """
import os, sys
from tests.zementis.inference import samples
from zementis.inference import jvm
rows = samples.asked("linear_regression")
"""


def python(script: str) -> subprocess.Popen[str]:
    """Start a worker-like process."""
    return subprocess.Popen(
        [sys.executable, "-c", SCORE + script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def ended(pid: int) -> bool:
    """Tell whether a process ends within half a minute."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 30.0)[0])
    finally:
        os.close(descriptor)


def test_java_is_not_started_by_importing_or_by_other_engines() -> None:
    process = python(
        "samples.scorer('isolation_forest').score(samples.asked('isolation_forest'))\n"
        "samples.scorer('onnx_neural_network').score(samples.asked('onnx_neural_network'))\n"
        "print(jvm._running)"
    )
    assert process.communicate(timeout=60)[0].strip() == "None"


def test_java_ends_with_a_killed_worker() -> None:
    process = python(
        "samples.scorer('linear_regression')\nprint(jvm.running().process.pid, flush=True)\nsys.stdin.readline()"
    )
    assert process.stdout is not None
    java = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    assert ended(java)


def test_forked_children_get_a_java_and_answers_of_their_own() -> None:
    process = python(
        """
import numpy as np
scorer = samples.scorer("linear_regression")
whole = scorer.score(rows)["predicted_load"]
pipes = []
for child in range(2):
    reading, writing = os.pipe()
    if os.fork() == 0:
        part = {name: values[child::2] for name, values in rows.items()}
        same = all(
            np.array_equal(scorer.score(part)["predicted_load"], whole[child::2]) for _ in range(20)
        )
        os.write(writing, f"{same} {jvm.running().process.pid}".encode())
        jvm.stop()
        os._exit(0)
    os.close(writing)
    pipes.append(reading)
answers = [os.read(pipe, 100).decode().split() for pipe in pipes]
for _ in pipes:
    os.wait()
after = np.array_equal(scorer.score(rows)["predicted_load"], whole)
print([same for same, _ in answers], len({pid for _, pid in answers} | {str(jvm.running().process.pid)}), after)
"""
    )
    assert process.communicate(timeout=120)[0].strip() == "['True', 'True'] 3 True"


def test_a_model_is_loaded_again_after_java_was_lost() -> None:
    scorer = samples.scorer("linear_regression")
    rows = samples.asked("linear_regression")
    before = scorer.score(rows)["predicted_load"]
    lost = jvm.running().process
    lost.kill()
    lost.wait()
    assert np.array_equal(scorer.score(rows)["predicted_load"], before)


def test_java_lost_in_the_middle_of_a_call_is_a_retryable_error() -> None:
    scorer = samples.scorer("support_vector_regression")
    rows = {name: np.tile(values, 2000) for name, values in samples.asked("support_vector_regression").items()}
    process = jvm.running().process
    # Java is stopped, so the call cannot end before it is killed.
    process.send_signal(signal.SIGSTOP)
    killer = subprocess.Popen(["sh", "-c", f"sleep 0.5; kill -9 {process.pid}"])
    with pytest.raises(ScoringError, match="The Java engine stopped") as error:
        scorer.score(rows)
    killer.wait()
    assert error.value.retryable
    assert len(scorer.score(samples.asked("support_vector_regression"))["predicted_load"]) == 300


def test_rows_beyond_javas_heap_are_a_retryable_error(monkeypatch: pytest.MonkeyPatch) -> None:
    jvm.stop()
    monkeypatch.setenv(jvm.HEAP_VARIABLE, "8")
    try:
        scorer = samples.scorer("linear_regression")
        with pytest.raises(ScoringError, match="its heap of 8 MB may be too small") as error:
            scorer.score({name: np.tile(values, 100) for name, values in samples.asked("linear_regression").items()})
    finally:
        jvm.stop()
    assert error.value.retryable


def test_rows_sent_in_several_calls_get_the_answers_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = samples.scorer("linear_regression")
    rows = samples.asked("linear_regression")
    whole = scorer.score(rows)["predicted_load"]
    monkeypatch.setattr(pypmml, "_LEAST_CHUNK_ROWS", 1)
    monkeypatch.setattr(pypmml, "MAX_CHUNK_ROWS", 7)
    assert np.array_equal(scorer.score(rows)["predicted_load"], whole)


def test_the_gateway_answers_only_who_knows_its_token() -> None:
    from py4j.java_gateway import GatewayParameters, JavaGateway
    from py4j.protocol import Py4JError

    port = jvm.running().gateway.gateway_parameters.port
    stranger = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token="guess"))
    with pytest.raises(Py4JError):
        stranger.jvm.java.lang.System.currentTimeMillis()


def test_an_interruption_inside_a_call_reaches_the_worker() -> None:
    class TimeIsUp(Exception):
        """What a worker raises at its time limit, from a signal."""

    def interrupt(signum: int, frame: object) -> None:
        raise TimeIsUp

    scorer = samples.scorer("support_vector_regression")
    rows = {name: np.tile(values, 4000) for name, values in samples.asked("support_vector_regression").items()}
    scorer.score(samples.asked("support_vector_regression"))
    previous = signal.signal(signal.SIGALRM, interrupt)
    try:
        # Again and again: an exception that a signal raises inside a callback of the garbage collection goes nowhere.
        signal.setitimer(signal.ITIMER_REAL, 0.3, 1.0)
        with pytest.raises(TimeIsUp):
            scorer.score(rows)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    expected = samples.answered("support_vector_regression")["load"]
    answers = scorer.score(samples.asked("support_vector_regression"))["predicted_load"]
    assert np.allclose(answers, expected, atol=1e-9)
