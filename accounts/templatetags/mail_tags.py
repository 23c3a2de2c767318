"""Where mail goes on this installation, and which address waits for its confirmation."""

from django import template
from django.template.context import Context

from accounts.mails import is_printed
from accounts.pages.confirmation import address_of, waiting_login

register = template.Library()


@register.simple_tag
def mail_is_printed() -> bool:
    return is_printed()


@register.simple_tag(takes_context=True)
def waiting_address(context: Context) -> str:
    """What this browser has signed up or in with, and nobody has confirmed yet; empty if there is none."""
    login = waiting_login(context["request"])
    return address_of(login) if login else ""
