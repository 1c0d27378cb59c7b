"""Paths of the Zementis service and of the platform's resources. A closing slash is taken and not needed."""

from __future__ import annotations

from django.urls import include, path, re_path

from zementis.views.apply import ApplyView
from zementis.views.elsewhere import NoSuchPathView
from zementis.views.executions import ExecutionView, HistoryView, InferencesView
from zementis.views.jobs import JobsView, JobView, NewJobView
from zementis.views.models import ModelSourceView, ModelsView, ModelSwitchView, ModelView, NewModelView

_MODEL = "(?P<name>[^/]+)"

service = [
    re_path(r"^jobs/?$", JobsView.as_view()),
    re_path(r"^job/?$", NewJobView.as_view()),
    re_path(r"^job/(?P<job>[^/]+)/?$", JobView.as_view()),
    re_path(r"^job/(?P<job>[^/]+)/history/?$", HistoryView.as_view()),
    re_path(r"^job/(?P<job>[^/]+)/history/(?P<execution>[^/]+)/?$", ExecutionView.as_view()),
    re_path(r"^job/(?P<job>[^/]+)/history/(?P<execution>[^/]+)/inferences/?$", InferencesView.as_view()),
    re_path(r"^models/?$", ModelsView.as_view()),
    re_path(r"^model/?$", NewModelView.as_view()),
    re_path(r"^onnx/models/?$", ModelsView.as_view(model_format="ONNX")),
    re_path(r"^onnx/model/?$", NewModelView.as_view(model_format="ONNX")),
    re_path(rf"^(?:onnx/)?model/{_MODEL}/?$", ModelView.as_view()),
    re_path(rf"^(?:onnx/)?model/{_MODEL}/source/?$", ModelSourceView.as_view()),
    re_path(rf"^(?:onnx/)?model/{_MODEL}/activate/?$", ModelSwitchView.as_view(active=True)),
    re_path(rf"^(?:onnx/)?model/{_MODEL}/deactivate/?$", ModelSwitchView.as_view(active=False)),
    re_path(rf"^(?:onnx/)?apply/{_MODEL}/?$", ApplyView.as_view()),
    re_path(r"", NoSuchPathView.as_view()),
]

urlpatterns = [
    path("service/zementis/", include(service)),
    re_path(r"^service/zementis\Z", NoSuchPathView.as_view()),
    path("", include("zementis.platform.urls")),
]
