"""What somebody sees who was invited: the inviter's name and the workspace's, and nothing else of it."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts.decorators import SignedInRequest, posted_from, private_form, private_page
from accounts.digests import digest
from accounts.models import Invitation
from accounts.permissions import LARGEST_ID, invitations_for


@never_cache
@require_GET
def arrive(request: HttpRequest, text: str) -> HttpResponse:
    """The link of the mail: who it is for answers on the page of the invitation, others are told what to do."""
    invitation = find(text)
    if invitation is None:
        return over(request, "unknown")
    if invitation.accepted_at:
        return over(request, "accepted")
    if not Invitation.objects.pending().filter(pk=invitation.pk).exists():
        return over(request, "ended")
    if not request.user.is_authenticated:
        return render(request, "accounts/invitation_link.html", {"invitation": invitation, "text": text})
    if not invitations_for(request.user).filter(pk=invitation.pk).exists():
        return render(request, "accounts/invitation_of_another.html", status=403)
    return redirect("own_invitation", invitation.pk)


@never_cache
@posted_from("invitation", "text")
def decline_by_link(request: HttpRequest, text: str) -> HttpResponse:
    """For somebody who has no account and wants none."""
    invitation = find(text)
    if invitation is None or not Invitation.objects.pending().filter(pk=invitation.pk).delete()[0]:
        return over(request, "unknown")
    return render(request, "accounts/invitation_over.html", {"state": "declined"})


@private_page("GET")
def show(request: SignedInRequest, invitation_id: int) -> HttpResponse:
    return render(request, "accounts/invitation.html", {"invitation": own(request, invitation_id)})


@private_form("own_invitation", "invitation_id")
def accept(request: SignedInRequest, invitation_id: int) -> HttpResponse:
    invitation = own(request, invitation_id)
    try:
        invitation.accept(request.user)
    except ValidationError as error:
        context = {"invitation": invitation, "errors": error.messages}
        return render(request, "accounts/invitation.html", context, status=400)
    messages.success(request, f"You are a member of {invitation.workspace.name} now.")
    return redirect("dashboard")


@private_form("own_invitation", "invitation_id")
def decline(request: SignedInRequest, invitation_id: int) -> HttpResponse:
    own(request, invitation_id).delete()
    messages.success(request, "You have declined the invitation.")
    return redirect("dashboard")


def own(request: SignedInRequest, invitation_id: int) -> Invitation:
    """One that was mailed to the person's own address. Raises Http404."""
    found = invitations_for(request.user).filter(pk=invitation_id).first() if invitation_id <= LARGEST_ID else None
    if found is None:
        raise Http404
    return found


def find(text: str) -> Invitation | None:
    return Invitation.objects.select_related("workspace", "inviter").filter(digest=digest(text)).first()


def over(request: HttpRequest, state: str) -> HttpResponse:
    """The page of an invitation that nobody can accept any more."""
    return render(request, "accounts/invitation_over.html", {"state": state}, status=410)
