"""Invitations that a person has not answered."""

from django import template

from accounts.models import Invitations, User
from accounts.permissions import invitations_for

MOST_SHOWN = 20  # others come up as these are answered
register = template.Library()


@register.simple_tag
def own_invitations(user: User) -> Invitations:
    """What was mailed to the person's address and waits for an answer."""
    return invitations_for(user)[:MOST_SHOWN]
