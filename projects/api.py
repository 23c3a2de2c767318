"""REST of projects, their keys and passwords: what the pages do."""

from typing import Any

from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import MANAGERS, get_membership
from accounts.rest import ModelSerializer, Number, Text, signed_in
from projects.models import Key, Kind, Project
from projects.origins import LONGEST_ORIGIN, MOST_ORIGINS, ORIGIN, parse_origins
from projects.permissions import get_managed_key, get_managed_project, get_project, projects_of, visible_keys

NO_STORE = {"Cache-Control": "no-store"}


@extend_schema_field({"type": "string", "maxLength": LONGEST_ORIGIN, "pattern": f"^{ORIGIN.pattern}$"})
class OriginField(Text):
    """Published as what browsers send; taken as people write it (`parse_origin`)."""


class ProjectSerializer(ModelSerializer[Project]):
    workspace = Number(source="workspace_id", min_value=1)
    allowed_origins = serializers.ListField(
        child=OriginField(),
        required=False,
        max_length=MOST_ORIGINS,
        help_text="As https://example.com or http://host:8080; an empty list allows any.",
    )

    class Meta:
        model = Project
        fields = [
            "id", "workspace", "name", "require_password", "allowed_origins", "hold_seconds", "session_rate",
            "address_rate", "created_at",
        ]  # fmt: skip
        read_only_fields = ["id"]

    def validate_allowed_origins(self, value: list[str]) -> list[str]:
        return parse_origins(value)

    def create(self, fields: dict[str, Any]) -> Project:
        project = Project.make(fields.pop("workspace"), fields.pop("name"))
        del fields["workspace_id"]
        return self.update(project, fields) if fields else project


class ProjectSettingsSerializer(ProjectSerializer):
    """A project stays in its workspace."""

    workspace = Number(source="workspace_id", read_only=True)


class KeySerializer(ModelSerializer[Key]):
    key = serializers.SerializerMethodField(help_text="Public keys only; a private one is shown by `reveal`.")

    class Meta:
        model = Key
        fields = ["id", "kind", "name", "key", "hint", "created_at", "last_used_at", "revoked_at"]
        read_only_fields = ["id", "hint", "last_used_at", "revoked_at"]

    def get_key(self, key: Key) -> str | None:
        return key.text if key.kind == Kind.PUBLIC else None


class NewKeySerializer(KeySerializer):
    def get_key(self, key: Key) -> str:
        return key.text


class NewProjectSerializer(ProjectSerializer):
    """A project with what whoever made it needs to use it."""

    keys = NewKeySerializer(many=True, read_only=True)
    password = serializers.CharField(read_only=True)

    class Meta(ProjectSerializer.Meta):
        fields = [*ProjectSerializer.Meta.fields, "keys", "password"]


class ProjectList(generics.ListAPIView[Project]):
    """Your workspaces' projects."""

    serializer_class = ProjectSerializer

    def get_queryset(self) -> QuerySet[Project]:
        return projects_of(signed_in(self.request))

    @extend_schema(responses={201: NewProjectSerializer})
    def post(self, request: Request) -> Response:
        """Make a project; the answer shows its password and its keys, one of each kind, in full."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        membership = get_membership(signed_in(request), serializer.validated_data["workspace_id"], MANAGERS)
        project = serializer.save(workspace=membership.workspace)
        return Response(NewProjectSerializer(project).data, status=status.HTTP_201_CREATED, headers=NO_STORE)


class ProjectDetail(generics.GenericAPIView[Project]):
    serializer_class = ProjectSettingsSerializer
    queryset = Project.objects.none()

    def get(self, request: Request, project_id: str) -> Response:
        """A project."""
        project, _ = get_project(signed_in(request), project_id)
        return Response(self.get_serializer(project).data)

    def patch(self, request: Request, project_id: str) -> Response:
        """Change a project's settings; open connections follow within a second."""
        project = get_managed_project(signed_in(request), project_id)
        serializer = self.get_serializer(project, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        serializer.save()
        return Response(serializer.data)

    def delete(self, request: Request, project_id: str) -> Response:
        """Delete a project; its connections are closed within a second."""
        get_managed_project(signed_in(request), project_id).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class SecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField(read_only=True)


class KeyList(generics.GenericAPIView[Key]):
    serializer_class = KeySerializer
    queryset = Key.objects.none()

    @extend_schema(responses=KeySerializer(many=True))
    def get(self, request: Request, project_id: str) -> Response:
        """A project's keys, revoked ones too; members see the public ones."""
        page = self.paginate_queryset(visible_keys(*get_project(signed_in(request), project_id)))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(responses={201: NewKeySerializer})
    def post(self, request: Request, project_id: str) -> Response:
        """Make a key; the answer shows it in full."""
        project = get_managed_project(signed_in(request), project_id)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        key = Key.make(project, serializer.validated_data["kind"], serializer.validated_data["name"])
        return Response(NewKeySerializer(key).data, status=status.HTTP_201_CREATED, headers=NO_STORE)


class KeyDetail(APIView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, project_id: str, key_id: int) -> Response:
        """Revoke a key; connections that used it are closed within a second."""
        get_managed_key(signed_in(request), project_id, key_id).revoke()
        return Response(status=status.HTTP_204_NO_CONTENT)


class KeyReveal(APIView):
    @extend_schema(request=None, responses=SecretSerializer)
    def post(self, request: Request, project_id: str, key_id: int) -> Response:
        """A key in full, for owners and admins."""
        return secret(get_managed_key(signed_in(request), project_id, key_id).text)


class PasswordReveal(APIView):
    @extend_schema(request=None, responses=SecretSerializer)
    def post(self, request: Request, project_id: str) -> Response:
        """The project's password, for owners and admins."""
        return secret(get_managed_project(signed_in(request), project_id).password)


class PasswordRegenerate(APIView):
    @extend_schema(request=None, responses=SecretSerializer)
    def post(self, request: Request, project_id: str) -> Response:
        """A new password; the old one ends at once."""
        project = get_managed_project(signed_in(request), project_id)
        project.regenerate_password()
        return secret(project.password)


def secret(text: str) -> Response:
    return Response({"secret": text}, headers=NO_STORE)


urlpatterns = [
    path("projects", ProjectList.as_view()),
    path("projects/<project:project_id>", ProjectDetail.as_view()),
    path("projects/<project:project_id>/keys", KeyList.as_view()),
    path("projects/<project:project_id>/keys/<int:key_id>", KeyDetail.as_view()),
    path("projects/<project:project_id>/keys/<int:key_id>/reveal", KeyReveal.as_view()),
    path("projects/<project:project_id>/password/reveal", PasswordReveal.as_view()),
    path("projects/<project:project_id>/password/regenerate", PasswordRegenerate.as_view()),
]
