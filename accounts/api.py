"""REST: the caller's workspaces."""

from django.db.models import F, QuerySet
from django.http import Http404
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import Role, Workspace
from accounts.permissions import workspaces_of
from accounts.rest import signed_in


class WorkspaceSerializer(serializers.ModelSerializer[Workspace]):
    role = serializers.ChoiceField(choices=Role.choices, read_only=True, help_text="Your role in it.")

    class Meta:
        model = Workspace
        fields = ["id", "name", "role", "created_at"]


class WorkspaceList(generics.ListAPIView[Workspace]):
    """The workspaces you are a member of."""

    serializer_class = WorkspaceSerializer

    def get_queryset(self) -> QuerySet[Workspace]:
        return workspaces_of(signed_in(self.request)).annotate(role=F("memberships__role"))


@extend_schema(exclude=True)
class NoSuchPath(APIView):
    """The last route: a problem instead of a page."""

    permission_classes = []

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        raise Http404("There is nothing at this path. GET /api/schema lists what there is.")

    def get(self, request: Request, rest: str) -> Response:
        raise Http404


urlpatterns = [path("workspaces", WorkspaceList.as_view())]
