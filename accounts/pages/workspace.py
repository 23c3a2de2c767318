"""A workspace's page: its name and members. Everybody in it looks, owners change."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import BaseForm
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from accounts.decorators import SignedInRequest, private_page
from accounts.forms import MemberForm, RoleForm, WorkspaceForm
from accounts.models import Membership
from accounts.permissions import OWNERS, get_membership


@private_page("GET")
def show(request: SignedInRequest, workspace_id: int) -> HttpResponse:
    return page(request, get_membership(request.user, workspace_id))


@private_page("POST")
def rename(request: SignedInRequest, workspace_id: int) -> HttpResponse:
    membership = get_membership(request.user, workspace_id, OWNERS)
    form = WorkspaceForm(request.POST, instance=membership.workspace)
    if not form.is_valid():
        membership.workspace.refresh_from_db()
        return page(request, membership, rename_form=form)
    form.save()
    messages.success(request, "The workspace has a new name.")
    return redirect("workspace", workspace_id)


@private_page("POST")
def add_member(request: SignedInRequest, workspace_id: int) -> HttpResponse:
    membership = get_membership(request.user, workspace_id, OWNERS)
    form = MemberForm(request.POST)
    if form.is_valid() and form.person:
        try:
            Membership.make(membership.workspace, form.person, form.cleaned_data["role"])
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, f"{form.person.name} is a member now.")
            return redirect("workspace", workspace_id)
    return page(request, membership, member_form=form)


@private_page("POST")
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


def page(request: SignedInRequest, membership: Membership, **forms: BaseForm) -> HttpResponse:
    """The page, with the forms that were filled in wrongly."""
    workspace = membership.workspace
    context = {
        "membership": membership,
        "workspace": workspace,
        "members": workspace.memberships.select_related("user"),
        "roles": RoleForm.base_fields["role"].choices,  # type: ignore[attr-defined]
        "rename_form": WorkspaceForm(instance=workspace),
        "member_form": MemberForm(),
        **forms,
    }
    return render(request, "accounts/workspace.html", context, status=400 if forms else 200)
