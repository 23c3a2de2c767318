"""Inviting people by mail. The answer is the same whether the address has an account or not: nobody looks."""

from allauth.core import ratelimit
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from accounts.adapter import AccountAdapter
from accounts.models import INVITED_FOR, Invitation, Membership, User

MAIL = "accounts/email/invitation"  # the templates
TRY_AGAIN = 3600  # s


class TooManyInvitations(Exception):
    """A person has sent as many invitations as ACCOUNT_RATE_LIMITS["invite"] allows."""

    def __str__(self) -> str:
        return "You have sent too many invitations. Try again in an hour, or tomorrow."


def invite(request: HttpRequest, inviter: Membership, email: str, role: str) -> Invitation:
    """Invite an address into the inviter's workspace. Raises TooManyInvitations, and as Invitation.make."""
    count(request, inviter.user)
    invitation = Invitation.make(inviter, email, role)
    mail(invitation)
    return invitation


def send_again(request: HttpRequest, invitation: Invitation, sender: User) -> None:
    """Mail a new link; the earlier one ends. Raises TooManyInvitations."""
    count(request, sender)
    mail(invitation)


def count(request: HttpRequest, sender: User) -> None:
    if not ratelimit.consume(request, action="invite", user=sender):
        raise TooManyInvitations


def mail(invitation: Invitation) -> None:
    """Mail a new link, and who invites to what, and nothing else of the workspace.

    An address that has had too many such mails gets none, without a word, and its earlier link stays good.
    """
    adapter = AccountAdapter()
    if not adapter.may_mail(MAIL, invitation.email):
        return
    context = {
        "inviter": invitation.inviter,
        "workspace": invitation.workspace,
        "days": INVITED_FOR.days,
        "link": settings.SITE_URL + reverse("invitation", args=[invitation.renew()]),
    }
    adapter.render_mail(MAIL, invitation.email, context).send()
