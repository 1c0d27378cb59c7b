"""The chain: one whoever writes, refusing change, telling where it was tampered with."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts import audit, audit_chain
from accounts.models import AuditEntry
from accounts.roles import Role
from tests.waiting import PATIENCE

pytestmark = pytest.mark.django_db


def written(many: int) -> list[AuditEntry]:
    for number in range(many):
        audit.record("probe.made", target=f"row {number}", by="ada")
    audit.seal()
    return list(AuditEntry.objects.order_by("number"))


def tamper(statement: str, *values: Any) -> None:
    """What somebody does who owns the database."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_auditentry DISABLE TRIGGER accounts_audit_rows")
        cursor.execute(statement, values)
        cursor.execute("ALTER TABLE accounts_auditentry ENABLE TRIGGER accounts_audit_rows")


def verified(**options: Any) -> str:
    out = StringIO()
    call_command("audit", "verify", stdout=out, **options)
    return out.getvalue().strip()


def test_an_untouched_chain_is_whole() -> None:
    rows = written(3)
    assert verified() == f"3 rows are whole; head 3:{rows[-1].hash}"


def test_an_empty_chain_is_whole() -> None:
    assert verified() == f"0 rows are whole; head 0:{'0' * 64}"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts_auditentry SET by = 'eve' WHERE id = %s",
        "UPDATE accounts_auditentry SET record = '{}' WHERE id = %s",
        "UPDATE accounts_auditentry SET hash = repeat('0', 64) WHERE id = %s",
        "DELETE FROM accounts_auditentry WHERE id = %s",
    ],
)
def test_the_table_refuses_to_change(statement: str) -> None:
    rows = written(2)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, [rows[0].pk])


def test_the_table_refuses_rows_that_are_sealed_already() -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEntry.objects.create(at=timezone.now(), record="{}", number=1, hash="0" * 64)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE accounts_auditentry SET record = replace(record, 'row 2', 'row 9') WHERE number = 3", "number 3"),
        ("UPDATE accounts_auditentry SET by = 'eve' WHERE number = 3", "shows other columns than its record"),
        ("UPDATE accounts_auditentry SET at = at - interval '1 day' WHERE number = 3", "shows other columns"),
        ("DELETE FROM accounts_auditentry WHERE number = 3", "number 3 is missing"),
        ("DELETE FROM accounts_auditentry WHERE number <= 2", "the rows before number 3 are missing"),
    ],
)
def test_tampering_is_found_and_the_row_named(statement: str, problem: str) -> None:
    written(5)
    tamper(statement)
    with pytest.raises(CommandError, match=problem):
        verified()


def test_rows_that_change_places_are_found() -> None:
    rows = written(4)
    tamper(
        "UPDATE accounts_auditentry SET record = CASE id WHEN %s THEN %s ELSE %s END WHERE id IN (%s, %s)",
        rows[1].pk,
        rows[2].record,
        rows[1].record,
        rows[1].pk,
        rows[2].pk,
    )
    with pytest.raises(CommandError, match="number 2"):
        verified()


def test_a_cut_off_end_is_found_by_a_head_noted_before() -> None:
    rows = written(4)
    tamper("DELETE FROM accounts_auditentry WHERE number = 4")
    assert verified().startswith("3 rows are whole")
    with pytest.raises(CommandError, match="number 4 with the hash"):
        call_command("audit", "verify", "--expect", f"4:{rows[-1].hash}")


def test_an_export_can_be_verified_without_the_program() -> None:
    import hashlib

    written(3)
    out = StringIO()
    call_command("audit", "export", stdout=out)
    last = "0" * 64
    for number, line in enumerate(out.getvalue().splitlines(), 1):
        row = json.loads(line)
        last = hashlib.sha256(f"{number}\n{last}\n{row['record']}".encode()).hexdigest()
        assert (row["number"], row["hash"]) == (number, last)
        assert json.loads(row["record"])["target"] == f"row {number - 1}"
    assert verified() == f"3 rows are whole; head 3:{last}"


def aged(days: int, *, upto: int) -> None:
    """Write the chain anew as if its first rows were old."""
    rows = list(AuditEntry.objects.order_by("number"))
    last = audit.START
    for row in rows:
        details = row.details()
        if row.number is not None and row.number <= upto:
            row.at -= timedelta(days=days)
            details["at"] = row.at.isoformat(timespec="microseconds").replace("+00:00", "Z")
        text = audit.canonical(details)
        last = audit.link(row.number or 0, last, text)
        tamper(
            "UPDATE accounts_auditentry SET at = %s, record = %s, hash = %s WHERE id = %s", row.at, text, last, row.pk
        )


@pytest.mark.parametrize("old", [2, 4])
def test_pruning_leaves_a_chain_that_verifies_and_tells_of_it(user_of: Callable[..., User], old: int) -> None:
    user_of(Role.ADMINISTRATOR)
    audit.seal()
    before = AuditEntry.objects.count()
    written(4)
    total = before + 4
    aged(100, upto=before + old)
    out = StringIO()
    call_command("audit", "prune", "--keep-days", "90", "--by", "administrator-user", stdout=out)
    assert out.getvalue().strip() == f"removed {before + old} rows"
    assert verified().startswith(f"{total - before - old + 1} rows are whole; head {total + 1}:")
    written(1)
    assert verified().startswith(f"{total - before - old + 2} rows are whole")


def test_only_an_administrator_may_prune(user_of: Callable[..., User]) -> None:
    user_of(Role.EDITOR)
    with pytest.raises(CommandError, match="editor-user is no administrator"):
        call_command("audit", "prune", "--keep-days", "90", "--by", "editor-user")


@pytest.mark.django_db(transaction=True)
def test_concurrent_writers_keep_one_chain() -> None:
    def write(writer: int) -> None:
        try:
            for number in range(10):
                with transaction.atomic():
                    audit.record("probe.made", target=f"{writer} {number}", by="ada")
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    # Before anybody verifies: the writers have sealed their own.
    assert AuditEntry.objects.filter(number__isnull=True).count() == 0
    verdict = audit_chain.verify()
    assert (verdict.rows, verdict.number, verdict.problem) == (60, 60, None)


@pytest.mark.django_db(transaction=True)
def test_what_a_killed_process_left_unsealed_is_sealed_by_the_next() -> None:
    audit.record("probe.made", by="ada")
    with transaction.atomic():
        audit.record("probe.made", by="killed before its seal")
        connection.run_on_commit.clear()
    assert AuditEntry.objects.filter(number__isnull=True).count() == 1
    audit.record("probe.made", by="ada")
    assert list(AuditEntry.objects.order_by("id").values_list("number", flat=True)) == [1, 2, 3]


@pytest.mark.django_db(transaction=True)
def test_a_writer_waits_for_no_other_writer() -> None:
    with transaction.atomic():
        audit.record("probe.made", by="slow")

        def write() -> int | None:
            try:
                return AuditEntry.objects.get(pk=audit.record("probe.made", by="quick").pk).number
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(write).result(timeout=PATIENCE) == 1
    assert audit_chain.verify().problem is None
