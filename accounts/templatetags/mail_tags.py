"""Where mail goes on this installation."""

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def mail_is_printed() -> bool:
    """True when mail is printed where Gluer runs, as the embedded mode does, instead of being sent."""
    return str(settings.EMAIL_BACKEND).endswith("console.EmailBackend")
