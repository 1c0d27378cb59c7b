"""Service jobs in files: lossless, and no secret in the clear."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from scheduler import jobs
from scheduler.cli import entries
from scheduler.definition import Definition
from scheduler.models import Channel, Job
from scheduler.secret import Secret
from tests.scheduler.cli.helpers import Ended, jobs_command, written
from tests.voltmx.wire import Wire, sample
from voltmx.arguments import Arguments

DOCUMENTED = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
RICH: dict[str, Any] = {
    "serviceType": "objSer",
    "objectName": "Order",
    "operationName": "create",
    "requestheaderMap": {"X-B": "1", "Authorization": "Bearer s3cret-header", "X-A": "2"},
    "postData": '{"b": 1,  "a": 2}',
    "queryParams": {"z": 1, "api_key": "s3cret-key", "a": True},
    "successCriteria": "done: 'yes' # really",
    "authentication": {"type": "APP_USER", "appKey": "key", "appSecret": "s3cret-app", "password": "s3cret-pw"},
}


def made(wire: Wire) -> dict[int, Definition]:
    """Jobs of every shape that the API takes, stored."""
    wire.create(sample(jobId=1, jobName="plain", jobFrequency="41 5 * * * ? *", description=None))
    wire.create(sample(jobId=7, jobName="rich", info=RICH, emailNotifications={"onFailure": ["ops@example.com"]}))
    wire.create(sample(jobId=8, jobName="seconds", jobFrequency="* 0/7 * * * ? *", jobStatus="Inactive"))
    wire.create(sample(jobId=9, jobName="derived", without=("jobFrequency",), historyStrategy="FULL"))
    return definitions()


def definitions() -> dict[int, Definition]:
    return {job.number: Definition.of(job) for job in Job.objects.order_by("number")}


def delete_all() -> None:
    for job in Job.objects.all():
        jobs.delete(job, by="tester")


def shown(wire: Wire) -> list[Any]:
    return [wire.get(f"/admin/api/jobs/job/{number}") for number in (1, 7, 8, 9)]


def test_an_export_with_secrets_brings_back_the_same_jobs(wire: Wire, tmp_path: Path) -> None:
    before, answers = made(wire), shown(wire)
    text = jobs_command("export", "--secrets").out
    delete_all()
    assert jobs_command("apply", written(tmp_path, text), "--yes").code == 0
    assert (definitions(), shown(wire)) == (before, answers)
    assert jobs_command("plan", written(tmp_path, text)) == Ended(0, "nothing to do: 4 unchanged\n")


@pytest.mark.parametrize("options", [[], ["--secrets"]])
def test_no_export_has_a_secret_in_the_clear(wire: Wire, options: list[str]) -> None:
    made(wire)
    text = jobs_command("export", *options).out
    assert ("s3cret" in text, "gAAAA" in text, "********" in text) == (False, bool(options), not options)


def test_an_export_without_secrets_changes_nothing_where_they_are(wire: Wire, tmp_path: Path) -> None:
    before = made(wire)
    file = written(tmp_path, jobs_command("export").out)
    plan = jobs_command("plan", file)
    jobs_command("apply", file, "--yes")
    assert (plan, definitions()) == (Ended(0, "nothing to do: 4 unchanged\n"), before)


def test_other_members_change_and_the_secrets_stay(wire: Wire, tmp_path: Path) -> None:
    before = made(wire)
    file = written(tmp_path, jobs_command("export", "rich").out.replace("objectName: Order", "objectName: Offer"))
    plan = jobs_command("plan", file)
    jobs_command("apply", file, "--yes")
    assert plan.out.splitlines() == [
        "~ voltmx/7 rich",
        '    arguments.jobServiceInfo.objectName: "Order" -> "Offer"',
        "1 to update, 0 unchanged",
    ]
    old, new = Arguments.of(before[7].arguments), Arguments.of(Job.objects.get(number=7).arguments)
    assert [secret.encrypted for secret in new.secrets()] == [secret.encrypted for secret in old.secrets()]


def test_asterisks_alone_make_no_new_job(wire: Wire, tmp_path: Path) -> None:
    made(wire)
    text = jobs_command("export", "rich").out
    delete_all()
    told = jobs_command("apply", written(tmp_path, text), "--yes")
    assert (told.code, "asterisks stand for a stored value, and none is stored" in told.problems[0]) == (1, True)
    assert Job.objects.count() == 0


def test_a_secret_in_the_clear_is_encrypted_and_planned_once(wire: Wire, tmp_path: Path) -> None:
    made(wire)
    file = written(tmp_path, jobs_command("export", "rich").out.replace("password: '********'", "password: n3w"))
    plan = jobs_command("plan", file)
    assert plan.out.splitlines()[1] == (
        '    arguments.jobServiceInfo.authentication.password: "********" -> "another secret"'
    )
    assert jobs_command("apply", file, "--yes").code == 0
    login = Arguments.of(Job.objects.get(number=7).arguments).authentication
    assert login is not None and login.password is not None and login.password.reveal() == "n3w"
    assert jobs_command("plan", file) == Ended(0, "nothing to do: 1 unchanged\n")


def test_a_secret_of_other_keys_is_refused(wire: Wire, tmp_path: Path, settings: Any) -> None:
    made(wire)
    text = jobs_command("export", "rich", "--secrets").out
    delete_all()
    settings.ENCRYPTION_KEYS = ["2l1mW1cQ4Xr0nZ8cRk0m9w2b7aYtq3yqv4o2o2o2o2o="]
    told = jobs_command("plan", written(tmp_path, text))
    assert (told.code, "was encrypted with a key that is not among ENCRYPTION_KEYS" in told.problems[0]) == (1, True)


def test_secrets_encrypted_anew_are_the_same_secrets(wire: Wire, tmp_path: Path, settings: Any) -> None:
    from scheduler import rotation

    made(wire)
    file = written(tmp_path, jobs_command("export", "--secrets").out)
    settings.ENCRYPTION_KEYS = ["2l1mW1cQ4Xr0nZ8cRk0m9w2b7aYtq3yqv4o2o2o2o2o=", *settings.ENCRYPTION_KEYS]
    rotation.rotate()
    assert jobs_command("plan", file) == Ended(0, "nothing to do: 4 unchanged\n")


def test_names_stay_unique(wire: Wire, tmp_path: Path) -> None:
    made(wire)
    text = jobs_command("export", "plain").out.replace("number: 1", "number: 50")
    assert jobs_command("plan", written(tmp_path, text)).problems == ("line 6: voltmx job 1 has this name",)


def test_the_surfaces_rules_of_frequency_hold_for_files(wire: Wire, tmp_path: Path) -> None:
    made(wire)
    text = jobs_command("export", "plain").out.replace("41 5 * * * ? *", "41 * * * * ? *")
    told = jobs_command("plan", written(tmp_path, text))
    assert (told.code, "at least 5 minutes must lie between" in told.problems[0]) == (1, True)


def test_the_documented_file_is_what_an_export_of_that_job_is(wire: Wire, tmp_path: Path) -> None:
    text, companions = re.findall(r"```yaml\n(.*?)```", DOCUMENTED, re.DOTALL)
    assert jobs_command("apply", written(tmp_path, text), "--yes").code == 0
    assert jobs_command("export").out.split("\n", 1)[1] == text
    for name in ("ops", "data"):
        Channel.objects.create(name=name, url=Secret.of("json://127.0.0.1:9/"))  # type: ignore[misc]
    # The second example leaves out what the first one shows.
    rest = text[text.index("  schedule:") :].replace("  alerts: []\n", "")
    done = jobs_command("apply", written(tmp_path, companions + rest), "--yes")
    assert done.out.endswith("done: 1 created, 2 updated\n")


def test_every_field_is_documented() -> None:
    assert [name for name in entries._KNOWN if f"`{name}`" not in DOCUMENTED] == []
