"""REST of usage: requests this month."""

from typing import Any

from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import get_membership
from accounts.rest import signed_in
from billing.months import month_of
from billing.usage import project_usage, workspace_usage
from projects.permissions import get_project


class WorkspaceUsageSerializer(serializers.Serializer[Any]):
    requests = serializers.IntegerField(source="used", help_text="Made this calendar month (UTC).")
    limit = serializers.IntegerField(help_text="Requests a month.")
    resets_at = serializers.DateTimeField()


class ProjectUsageSerializer(serializers.Serializer[Any]):
    requests = serializers.IntegerField(help_text="Made this calendar month (UTC).")
    resets_at = serializers.DateTimeField()


class WorkspaceUsage(APIView):
    @extend_schema(responses=WorkspaceUsageSerializer)
    def get(self, request: Request, workspace_id: int) -> Response:
        """A workspace's requests this month, and its limit."""
        get_membership(signed_in(request), workspace_id)
        return Response(WorkspaceUsageSerializer(workspace_usage(workspace_id, timezone.now())).data)


class ProjectUsage(APIView):
    @extend_schema(responses=ProjectUsageSerializer)
    def get(self, request: Request, project_id: str) -> Response:
        """A project's requests this month; the limit is its workspace's."""
        get_project(signed_in(request), project_id)
        now = timezone.now()
        found = {"requests": project_usage(project_id, now), "resets_at": month_of(now).end}
        return Response(ProjectUsageSerializer(found).data)


urlpatterns = [
    path("workspaces/<int:workspace_id>/usage", WorkspaceUsage.as_view()),
    path("projects/<project:project_id>/usage", ProjectUsage.as_view()),
]
