"""The console's pages of models, devices and inferences."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from scheduler.models import Status
from tests.zementis.factories import (
    FOREST,
    LINE,
    NOON,
    SAMPLES,
    PageWriter,
    a_context,
    a_device,
    a_group,
    a_job,
    a_model,
    a_user,
    end,
    motion,
    store,
)
from zementis import model_store
from zementis.models import ManagedObject, ModelVersion, ScoringModel
from zementis.scoring_process import process

pytestmark = pytest.mark.django_db


@pytest.fixture
def console(db: None) -> Client:
    client = Client()
    client.force_login(a_user(superuser=True))
    return client


def text(response: Any) -> str:
    assert response.status_code == 200
    body: str = response.content.decode()
    return body


def of_model(name: str, model: ScoringModel) -> str:
    return reverse(f"admin:zementis_scoringmodel_{name}", args=[model.pk])


@pytest.mark.parametrize("name", ["scoringmodel", "managedobject", "inferencepage"])
def test_each_list_opens(console: Client, name: str) -> None:
    device = a_device()
    a_group(device)
    a_model()
    assert text(console.get(reverse(f"admin:zementis_{name}_changelist")))


@pytest.mark.parametrize("what", ["device", "group", "other"])
def test_managed_objects_are_filtered_by_what_they_are(console: Client, what: str) -> None:
    device, group = a_device("a pump"), a_group(name="a hall")
    page = text(console.get(reverse("admin:zementis_managedobject_changelist"), {"what": what}))
    assert (str(device) in page, str(group) in page) == (what == "device", what == "group")


def test_a_model_tells_how_it_is_run_and_who_uses_it(console: Client) -> None:
    model = a_model()
    job = a_job(a_device().pk, jobName="Knocks")
    execution = end(a_context(job), Status.SUCCEEDED)
    page = text(console.get(of_model("change", model)))
    plot = reverse("admin:zementis_inferences", args=[execution.pk])
    for expected in ("accelerationX", "normalizedAnomalyScore", "Knocks", FOREST.name, plot):
        assert expected in page
    assert model_store.get(model.name).description.engine_reason.split(";")[0] in page


def test_a_model_is_uploaded(console: Client) -> None:
    file = SimpleUploadedFile("line.pmml", LINE.read_bytes())
    response = console.post(reverse("admin:zementis_scoringmodel_add"), {"format": "PMML", "file": file})
    assert (response.status_code, model_store.names()) == (302, ["line"])


def test_a_refused_upload_tells_why(console: Client) -> None:
    file = SimpleUploadedFile("line.pmml", b"nonsense")
    page = text(console.post(reverse("admin:zementis_scoringmodel_add"), {"format": "PMML", "file": file}))
    assert "Invalid XML format." in page
    assert model_store.names() == []


def test_a_model_is_switched_from_its_page_and_from_the_list(console: Client) -> None:
    model = a_model()
    console.post(of_model("deactivate", model))
    assert not model_store.get(model.name).active
    chosen = {"action": "activate", "_selected_action": [model.pk]}
    console.post(reverse("admin:zementis_scoringmodel_changelist"), chosen)
    assert model_store.get(model.name).active


def test_a_model_is_replaced_from_its_page(console: Client) -> None:
    model = a_model(LINE, name="Line")
    file = SimpleUploadedFile("tree.pmml", (SAMPLES / "decision_tree_regression.pmml").read_bytes())
    console.post(of_model("replace", model), {"file": file})
    assert model_store.get("Line").version == 2
    console.post(of_model("replace", model), {"file": SimpleUploadedFile("x", b"nonsense")})
    assert ModelVersion.objects.count() == 2


def test_a_record_is_tried_on_the_page(console: Client) -> None:
    model = a_model(LINE, name="Line")
    names = [field.name for field in model_store.get("Line").description.inputs]
    try:
        page = text(console.post(of_model("try", model), {"record": json.dumps(dict.fromkeys(names, 1))}))
        refused = text(console.post(of_model("try", model), {"record": "{"}))
    finally:
        process.close()
    assert model_store.get("Line").description.outputs[0].name in page
    assert "Failed to parse input at record 1." in refused


def test_a_model_is_removed(console: Client) -> None:
    model = a_model()
    assert text(console.get(of_model("delete", model)))
    console.post(of_model("delete", model), {"post": "yes"})
    assert model_store.names() == []


def test_a_device_tells_its_series_and_its_jobs(console: Client) -> None:
    a_model()
    device = a_device("pump")
    hall = a_group(device, name="the hall")
    store(motion(device.pk))
    a_job(device.pk, jobName="Knocks")
    page = text(console.get(reverse("admin:zementis_managedobject_change", args=[device.pk])))
    for expected in ("c8y_Gyroscope.gyroX", "Knocks", str(hall)):
        assert expected in page
    assert text(console.get(reverse("admin:zementis_managedobject_change", args=[hall.pk])))


def test_a_device_is_removed_with_its_measurements(console: Client) -> None:
    device = a_device()
    store(motion(device.pk))
    console.post(reverse("admin:zementis_managedobject_delete", args=[device.pk]), {"post": "yes"})
    assert list(ManagedObject.objects.all()) == []


def charts_of(page: str) -> list[tuple[bool, int]]:
    """Return whether each chart of a page is a line, and how many bars it has."""
    drawn = [part.partition("</svg>")[0] for part in page.split('<svg class="c-chart ')[1:]]
    return [("<path" in chart, chart.count("<rect")) for chart in drawn]


def test_an_executions_inferences_are_drawn(console: Client) -> None:
    a_model()
    context = a_context(a_job(a_device().pk))
    writer = PageWriter(context.execution_id, 1)
    count = 5000
    score = np.sin(np.arange(count) / 100)
    score[7] = np.nan
    times = int(NOON.timestamp()) * 1_000_000 + np.arange(count) * 1_000_000
    words = np.array(["idle", "busy<"] * (count // 2), dtype=object)
    numbers = np.arange(count)
    outputs = {"score": score, "outlier": score > 0.99, "activity": words, "flat": np.ones(count)}
    writer.add(7, times, {**outputs, "cluster": numbers % 5, "ticks": numbers % 31})
    writer.add(8, times[:4], {"score": score[:4], "label": np.array([1, -1, 1, -1])})
    writer.add(9, times[:2], {"score": score[:2], "label": np.array([0, 1])})
    writer.close()
    execution = end(context, Status.SUCCEEDED)
    address = reverse("admin:zementis_inferences", args=[execution.pk])
    page = text(console.get(address))
    line, bars = (True, 0), (False, 2)
    assert charts_of(page) == [line, bars, bars, line, (False, 5), line]
    assert ("<circle" in page, "busy&lt;" in page, "busy<" in page) == (True, True, False)
    others = [text(console.get(address, {"device": value})) for value in ("8", "9")]
    assert [(charts_of(other), other.count("<circle")) for other in others] == [([line, bars], 2), ([line, bars], 0)]
    assert [console.get(address, {"device": value}).status_code for value in ("10", "x", "²")] == [404, 404, 404]


def test_an_execution_without_inferences_says_so(console: Client) -> None:
    a_model()
    execution = end(a_context(a_job(a_device().pk)), Status.FAILED)
    page = text(console.get(reverse("admin:zementis_inferences", args=[execution.pk])))
    assert "has stored no inferences" in page


def test_a_reader_changes_nothing(db: None) -> None:
    model = a_model()
    user = a_user("zementis.view_scoringmodel")
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    assert text(client.get(of_model("change", model)))
    codes = [client.post(of_model(name, model)).status_code for name in ("deactivate", "replace", "delete")]
    assert codes == [403, 403, 403]
    assert client.post(of_model("change", model)).status_code == 403


def test_a_model_that_is_deleted_as_its_page_is_made_is_not_found(
    console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = a_model()
    address = reverse("admin:zementis_scoringmodel_change", args=[model.pk])
    ScoringModel.objects.filter(pk=model.pk).delete()
    monkeypatch.setattr("zementis.admin.scoring_model.ScoringModelAdmin.get_object", lambda *_: model)
    assert console.get(address).status_code == 404
