"""REST: the caller's workspaces, and invitations into them."""

from functools import cache

from django.db.models import F, QuerySet
from django.http import Http404, HttpResponse
from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.invitations import invite, send_again
from accounts.models import Invitation, Membership, Role, Workspace
from accounts.names import NO_ADDRESS, validate_address
from accounts.permissions import MANAGERS, get_invitation, get_membership, invitations_of, workspaces_of
from accounts.rest import ModelSerializer, signed_in


class WorkspaceSerializer(ModelSerializer[Workspace]):
    role = serializers.ChoiceField(choices=Role.choices, read_only=True, help_text="Your role in it.")

    class Meta:
        model = Workspace
        fields = ["id", "name", "role", "created_at"]


class WorkspaceList(generics.ListAPIView[Workspace]):
    """The workspaces you are a member of."""

    serializer_class = WorkspaceSerializer

    def get_queryset(self) -> QuerySet[Workspace]:
        return workspaces_of(signed_in(self.request)).annotate(role=F("memberships__role"))


class InvitationSerializer(ModelSerializer[Invitation]):
    email = serializers.EmailField(
        max_length=254, validators=[validate_address], error_messages={"invalid": NO_ADDRESS}
    )
    role = serializers.ChoiceField(choices=Role.choices, default=Role.MEMBER, help_text="At most your own role.")
    inviter = serializers.CharField(source="inviter.name", read_only=True)

    class Meta:
        model = Invitation
        fields = ["id", "email", "role", "inviter", "created_at", "expires_at"]
        read_only_fields = ["expires_at"]


class InvitationList(generics.GenericAPIView[Invitation]):
    serializer_class = InvitationSerializer
    queryset = Invitation.objects.none()

    def membership(self, workspace_id: int) -> Membership:
        return get_membership(signed_in(self.request), workspace_id, MANAGERS)

    @extend_schema(responses=InvitationSerializer(many=True))
    def get(self, request: Request, workspace_id: int) -> Response:
        """A workspace's invitations that wait for an answer, for owners and admins."""
        page = self.paginate_queryset(invitations_of(self.membership(workspace_id)))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(responses={201: InvitationSerializer})
    def post(self, request: Request, workspace_id: int) -> Response:
        """Invite an e-mail address by mail; whoever reads it becomes a member when they accept."""
        membership = self.membership(workspace_id)
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        invitation = invite(request._request, membership, asked["email"], asked["role"])
        return Response(self.get_serializer(invitation).data, status=status.HTTP_201_CREATED)


class InvitationDetail(APIView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, workspace_id: int, invitation_id: int) -> Response:
        """Revoke an invitation; its link ends."""
        get_invitation(signed_in(request), workspace_id, invitation_id).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class InvitationResend(APIView):
    @extend_schema(request=None, responses=InvitationSerializer)
    def post(self, request: Request, workspace_id: int, invitation_id: int) -> Response:
        """Mail a new link, good for 7 days; the earlier one ends."""
        person = signed_in(request)
        invitation = get_invitation(person, workspace_id, invitation_id)
        send_again(request._request, invitation, person)
        return Response(InvitationSerializer(invitation).data)


@extend_schema(exclude=True)
class Schema(APIView):
    """The OpenAPI schema, for everybody; it is the same for all."""

    authentication_classes = []
    permission_classes = []
    renderer_classes = [OpenApiJsonRenderer, OpenApiJsonRenderer2]  # what may be asked for: the latter is plain JSON

    def get(self, request: Request) -> HttpResponse:
        headers = {"Cache-Control": "public, max-age=300"}  # s
        return HttpResponse(schema_text(), content_type=OpenApiJsonRenderer.media_type, headers=headers)


@cache
def schema_text() -> bytes:
    """The schema in JSON. It is made once in a process, since that takes 60 ms."""
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    text: bytes = OpenApiJsonRenderer().render(schema, renderer_context={})
    return text


@extend_schema(exclude=True)
class NoSuchPath(APIView):
    """A last route: a problem instead of a page."""

    permission_classes = []
    hint = "GET /api/schema lists what there is."

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        raise Http404(f"There is nothing at this path. {self.hint}")

    def get(self, request: Request, rest: str) -> Response:
        raise Http404


urlpatterns = [
    path("workspaces", WorkspaceList.as_view()),
    path("workspaces/<int:workspace_id>/invitations", InvitationList.as_view()),
    path("workspaces/<int:workspace_id>/invitations/<int:invitation_id>", InvitationDetail.as_view()),
    path("workspaces/<int:workspace_id>/invitations/<int:invitation_id>/resend", InvitationResend.as_view()),
]
