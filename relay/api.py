"""REST of the relay: a project's live servers."""

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.rest import signed_in
from projects.permissions import get_project
from relay.core.statistics import MEANINGS
from relay.templatetags.relay_tags import active_servers, relay


class ServerSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="The connection's id.")
    name = serializers.CharField(help_text="What the back end calls itself; may be empty.")
    sdk = serializers.CharField(help_text="As gluer-nodejs/1.0.0; may be empty.")
    since = serializers.DateTimeField()
    functions = serializers.ListField(child=serializers.CharField())


class ServerList(APIView):
    @extend_schema(operation_id="projects_servers_list", responses=ServerSerializer(many=True))
    def get(self, request: Request, project_id: str) -> Response:
        """A project's back ends that are connected now, oldest first."""
        project, _ = get_project(signed_in(request), project_id)
        return Response(ServerSerializer(active_servers(project.pk), many=True).data)


class FunctionSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    policy = serializers.CharField()
    idempotent = serializers.BooleanField()
    servers = serializers.IntegerField(help_text="How many have registered it.")
    before = serializers.CharField(
        help_text="How another server had registered it, where the latest registration changed that; else empty."
    )


class FunctionList(APIView):
    @extend_schema(operation_id="projects_functions_list", responses=FunctionSerializer(many=True))
    def get(self, request: Request, project_id: str) -> Response:
        """The functions that a project's connected back ends have registered."""
        project, _ = get_project(signed_in(request), project_id)
        return Response(FunctionSerializer(relay().functions(project.pk), many=True).data)


class CallsSerializer(serializers.Serializer[Any]):
    last_hour = serializers.DictField(
        child=serializers.IntegerField(), help_text=f"Numbers by name: {', '.join(MEANINGS)}; without those that are 0."
    )


class Calls(APIView):
    @extend_schema(operation_id="projects_calls_retrieve", responses=CallsSerializer)
    def get(self, request: Request, project_id: str) -> Response:
        """What became of a project's calls in the last hour: outcomes, late and forged answers, holds, re-routes."""
        project, _ = get_project(signed_in(request), project_id)
        return Response(CallsSerializer({"last_hour": relay().calls_last_hour(project.pk)}).data)


urlpatterns = [
    path("projects/<project:project_id>/servers", ServerList.as_view()),
    path("projects/<project:project_id>/functions", FunctionList.as_view()),
    path("projects/<project:project_id>/calls", Calls.as_view()),
]
