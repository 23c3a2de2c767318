"""A workspace's page: its name, members and invitations. Everybody in it looks, managers invite, owners change."""

from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import BaseForm
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from accounts.decorators import SignedInRequest, private_form, private_page
from accounts.forms import InvitationForm, RoleForm, WorkspaceForm
from accounts.invitations import TRY_AGAIN, TooManyInvitations, invite, send_again
from accounts.mails import is_printed
from accounts.models import Membership
from accounts.permissions import MANAGERS, OWNERS, get_invitation, get_membership, invitations_of


@private_page("GET")
def show(request: SignedInRequest, workspace_id: int) -> HttpResponse:
    return page(request, get_membership(request.user, workspace_id))


@private_form("workspace", "workspace_id")
def rename(request: SignedInRequest, workspace_id: int) -> HttpResponse:
    membership = get_membership(request.user, workspace_id, OWNERS)
    form = WorkspaceForm(request.POST, instance=membership.workspace)
    if not form.is_valid():
        membership.workspace.refresh_from_db()
        return page(request, membership, rename_form=form)
    form.save()
    messages.success(request, "The workspace has a new name.")
    return redirect("workspace", workspace_id)


@private_form("workspace", "workspace_id")
def invite_member(request: SignedInRequest, workspace_id: int) -> HttpResponse:
    membership = get_membership(request.user, workspace_id, MANAGERS)
    form = InvitationForm(membership, request.POST)
    if form.is_valid():
        try:
            invitation = invite(request, membership, form.cleaned_data["email"], form.cleaned_data["role"])
        except ValidationError as error:
            form.add_error(None, error.messages)
        except TooManyInvitations as error:
            form.add_error(None, str(error))
            answer = page(request, membership, HTTPStatus.TOO_MANY_REQUESTS, invitation_form=form)
            answer["Retry-After"] = str(TRY_AGAIN)
            return answer
        else:
            messages.success(request, told("an invitation", invitation.email))
            return redirect("workspace", workspace_id)
    return page(request, membership, invitation_form=form)


def told(what: str, email: str) -> str:
    """Where the mail to somebody who was invited is to be found."""
    if is_printed():
        return f"The mail to {email} with {what} is in the terminal where Gluer runs."
    return f"We have mailed {what} to {email}."


@private_form("workspace", "workspace_id")
def resend_invitation(request: SignedInRequest, workspace_id: int, invitation_id: int) -> HttpResponse:
    invitation = get_invitation(request.user, workspace_id, invitation_id)
    try:
        send_again(request, invitation, request.user)
    except TooManyInvitations as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{told('a new link', invitation.email)} The earlier one has ended.")
    return redirect("workspace", workspace_id)


@private_form("workspace", "workspace_id")
def revoke_invitation(request: SignedInRequest, workspace_id: int, invitation_id: int) -> HttpResponse:
    invitation = get_invitation(request.user, workspace_id, invitation_id)
    invitation.delete()
    messages.success(request, f"The invitation of {invitation.email} is revoked.")
    return redirect("workspace", workspace_id)


@private_form("workspace", "workspace_id")
def change_role(request: SignedInRequest, workspace_id: int, membership_id: int) -> HttpResponse:
    get_membership(request.user, workspace_id, OWNERS)
    member = get_object_or_404(Membership, pk=membership_id, workspace_id=workspace_id)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose one of the roles in the list.")
        return redirect("workspace", workspace_id)
    try:
        member.change_role(form.cleaned_data["role"])
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, f"{member.user.name} is {member.get_role_display().lower()} now.")
    return redirect("workspace", workspace_id)


@private_page("GET", "POST")
def remove_member(request: SignedInRequest, workspace_id: int, membership_id: int) -> HttpResponse:
    """Owners remove anybody; everybody may leave."""
    me = get_membership(request.user, workspace_id)
    member = get_object_or_404(Membership, pk=membership_id, workspace_id=workspace_id)
    if member.pk != me.pk:
        get_membership(request.user, workspace_id, OWNERS)
    if request.method == "GET":
        return render(request, "accounts/remove_member.html", {"member": member, "me": me})
    try:
        member.leave()
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("workspace", workspace_id)
    messages.success(request, f"{member.user.name} is no longer a member of {me.workspace.name}.")
    return redirect("dashboard") if member.user_id == request.user.pk else redirect("workspace", workspace_id)


def page(request: SignedInRequest, membership: Membership, status: int = 400, **forms: BaseForm) -> HttpResponse:
    """The page, with the forms that were filled in wrongly; then its status is `status`."""
    workspace = membership.workspace
    context = {
        "membership": membership,
        "workspace": workspace,
        "members": workspace.memberships.select_related("user"),
        "roles": RoleForm.base_fields["role"].choices,  # type: ignore[attr-defined]
        "rename_form": WorkspaceForm(instance=workspace),
        "invitations": invitations_of(membership) if membership.manages else [],
        "invitation_form": InvitationForm(membership),
        **forms,
    }
    return render(request, "accounts/workspace.html", context, status=status if forms else 200)
