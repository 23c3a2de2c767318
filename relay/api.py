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
from relay.templatetags.relay_tags import active_servers


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


urlpatterns = [path("projects/<project:project_id>/servers", ServerList.as_view())]
