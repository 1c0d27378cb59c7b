"""What of the children's output reaches the operator."""

from pathlib import Path

import pytest

from jobsite.stack.terminal import ChildLog

OUTPUT = """\
12:00:00 info run.started job=1
12:00:01 warning run.slow job=1
12:00:02 error run.failed job=1
Traceback (most recent call last):
  File "x.py", line 1
ValueError: gone
12:00:03 info run.started job=2
{"at": "2026-01-01T00:00:00", "level": "error", "logger": "x", "event": "json.failed"}
{"at": "2026-01-01T00:00:00", "level": "info", "logger": "x", "event": "json.fine"}
2026-01-01 00:00:00.000 UTC LOG:  checkpoint
2026-01-01 00:00:00.000 UTC PANIC:  no space
[2026-01-01 00:00:00 +0000] [7] [INFO] Booting worker
Traceback (most recent call last):
  File "y.py", line 1
KeyError: 'y'
plain words after it
"""


def test_only_what_calls_for_attention_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = ChildLog(tmp_path / "web.log", name="web")
    # In pieces that end anywhere, as a pipe gives them.
    for start in range(0, len(OUTPUT), 7):
        log.write(OUTPUT[start : start + 7].encode())
    log.close()
    shown = [line.removeprefix("web       | ") for line in capsys.readouterr().out.splitlines()]
    assert shown == [
        "12:00:01 warning run.slow job=1",
        "12:00:02 error run.failed job=1",
        "Traceback (most recent call last):",
        '  File "x.py", line 1',
        "ValueError: gone",
        '{"at": "2026-01-01T00:00:00", "level": "error", "logger": "x", "event": "json.failed"}',
        "2026-01-01 00:00:00.000 UTC PANIC:  no space",
        "Traceback (most recent call last):",
        '  File "y.py", line 1',
        "KeyError: 'y'",
    ]
    assert (tmp_path / "web.log").read_text() == OUTPUT


def test_all_of_it_is_shown_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = ChildLog(tmp_path / "web.log", name="web", everything=True)
    log.write(b"12:00:00 info one\ntwo\n")
    log.close()
    assert capsys.readouterr().out == "web       | 12:00:00 info one\nweb       | two\n"


def test_a_full_file_is_begun_anew_and_one_older_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_bytes(b"x" * (10 * 1024 * 1024 + 1))
    log = ChildLog(path, name="web")
    log.write(b"12:00:00 info new\n")
    log.close()
    assert (path.read_text(), (tmp_path / "web.log.1").stat().st_size) == ("12:00:00 info new\n", 10 * 1024 * 1024 + 1)
