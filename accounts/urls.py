"""Pages of people and workspaces; allauth has its own under /accounts/."""

from django.conf import settings
from django.urls import path
from django.views.generic import RedirectView, TemplateView

from accounts.pages import confirmation, invitation, profile, workspace

urlpatterns = [
    path("", TemplateView.as_view(template_name="landing.html"), name="landing"),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}icon.svg", permanent=True)),
    path("accounts/confirm-email/resend", confirmation.resend, name="resend_confirmation"),
    path("ctx/profile", profile.show, name="profile"),
    path("ctx/profile/name", profile.rename, name="profile_name"),
    path("ctx/profile/tokens", profile.make_token, name="make_token"),
    path("ctx/profile/tokens/<int:token_id>", profile.show_new_token, name="new_token"),
    path("ctx/profile/tokens/<int:token_id>/revoke", profile.revoke_token, name="revoke_token"),
    path("ctx/workspaces/<int:workspace_id>", workspace.show, name="workspace"),
    path("ctx/workspaces/<int:workspace_id>/name", workspace.rename, name="rename_workspace"),
    path("ctx/workspaces/<int:workspace_id>/invitations", workspace.invite_member, name="invite"),
    path(
        "ctx/workspaces/<int:workspace_id>/invitations/<int:invitation_id>/resend",
        workspace.resend_invitation,
        name="resend_invitation",
    ),
    path(
        "ctx/workspaces/<int:workspace_id>/invitations/<int:invitation_id>/revoke",
        workspace.revoke_invitation,
        name="revoke_invitation",
    ),
    path("invitations/<str:text>", invitation.arrive, name="invitation"),
    path("invitations/<str:text>/decline", invitation.decline_by_link, name="decline_by_link"),
    path("ctx/invitations/<int:invitation_id>", invitation.show, name="own_invitation"),
    path("ctx/invitations/<int:invitation_id>/accept", invitation.accept, name="accept_invitation"),
    path("ctx/invitations/<int:invitation_id>/decline", invitation.decline, name="decline_invitation"),
    path("ctx/workspaces/<int:workspace_id>/members/<int:membership_id>", workspace.change_role, name="change_role"),
    path(
        "ctx/workspaces/<int:workspace_id>/members/<int:membership_id>/remove",
        workspace.remove_member,
        name="remove_member",
    ),
]
