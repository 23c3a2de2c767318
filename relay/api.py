"""REST of the relay: a project's live servers."""

from datetime import UTC, datetime
from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.rest import signed_in
from projects.models import Project
from projects.permissions import get_project
from relay.core.errors import OUTCOMES
from relay.core.refusals import MOST_NAMES
from relay.core.statistics import BESIDES, MEANINGS
from relay.runtime import MOST_SHOWN, shown
from relay.templatetags.relay_tags import relay


class ServerSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="The connection's id.")
    name = serializers.CharField(help_text="What the back end calls itself; may be empty.")
    sdk = serializers.CharField(help_text="As gluer-nodejs/1.0.0; may be empty.")
    since = serializers.DateTimeField()
    functions = serializers.ListField(child=serializers.CharField(), help_text=f"The first {MOST_SHOWN} by name.")
    function_count = serializers.IntegerField(help_text="How many it has registered.")


class ServerList(generics.GenericAPIView[Project]):
    serializer_class = ServerSerializer
    queryset = Project.objects.none()

    @extend_schema(operation_id="projects_servers_list", responses=ServerSerializer(many=True))
    def get(self, request: Request, project_id: str) -> Response:
        """A project's back ends that are connected now, oldest first."""
        project, _ = get_project(signed_in(request), project_id)
        page = self.paginate_queryset(relay().back_ends(project.pk)) or []
        return self.get_paginated_response(self.get_serializer(map(shown, page), many=True).data)


class FunctionSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    policy = serializers.CharField()
    idempotent = serializers.BooleanField()
    servers = serializers.IntegerField(help_text="How many have registered it.")
    before = serializers.CharField(
        help_text="How another server had registered it, where the latest registration changed that; else empty."
    )


class FunctionList(generics.GenericAPIView[Project]):
    serializer_class = FunctionSerializer
    queryset = Project.objects.none()

    @extend_schema(operation_id="projects_functions_list", responses=FunctionSerializer(many=True))
    def get(self, request: Request, project_id: str) -> Response:
        """The functions that a project's connected back ends have registered."""
        project, _ = get_project(signed_in(request), project_id)
        page = self.paginate_queryset(relay().functions(project.pk))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


class RefusedSerializer(serializers.Serializer[Any]):
    request = serializers.CharField(
        help_text="The type of the frame: call, send, publish, subscribe, register …; hello: a connection, or an HTTP "
        "request, that was not let in; frame: of no known type."
    )
    code = serializers.ChoiceField(list(OUTCOMES), help_text="The outcome.")
    name = serializers.CharField(
        help_text="The function or channel that was asked for. Of a hello: key, password, private key in a browser, or "
        "the origin that is not allowed. Empty: it has none, or there was no room for more names."
    )
    number = serializers.IntegerField(min_value=1)
    last = serializers.DateTimeField(help_text="When it was refused the last time.")


class CallsSerializer(serializers.Serializer[Any]):
    last_hour = serializers.DictField(
        child=serializers.IntegerField(),
        help_text=f"How many ended so, refused calls and sends too: {', '.join(MEANINGS)}; without those that are 0.",
    )
    besides = serializers.DictField(
        child=serializers.IntegerField(), help_text=f"What else happened, and is no outcome: {', '.join(BESIDES)}."
    )
    refused = RefusedSerializer(
        many=True,
        help_text=f"What was refused before it began, by the names that were asked for: up to {MOST_NAMES} of them.",
    )


class Calls(APIView):
    @extend_schema(operation_id="projects_calls_retrieve", responses=CallsSerializer)
    def get(self, request: Request, project_id: str) -> Response:
        """What became of a project's calls in the last hour: outcomes, what else happened, and what was refused."""
        project, _ = get_project(signed_in(request), project_id)
        outcomes, besides, refused = relay().calls_last_hour(project.pk)
        rows = [{**one._asdict(), "last": datetime.fromtimestamp(one.last, UTC)} for one in refused]
        return Response(CallsSerializer({"last_hour": outcomes, "besides": besides, "refused": rows}).data)


urlpatterns = [
    path("projects/<project:project_id>/servers", ServerList.as_view()),
    path("projects/<project:project_id>/functions", FunctionList.as_view()),
    path("projects/<project:project_id>/calls", Calls.as_view()),
]
