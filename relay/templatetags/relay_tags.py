"""What pages of the lower apps show of the relay."""

from django import template
from django.apps import apps

from relay.runtime import Server

register = template.Library()


@register.simple_tag
def active_servers(project_id: str) -> list[Server]:
    """The project's back ends that are connected to this process, oldest first."""
    servers: list[Server] = apps.get_app_config("relay").relay.servers(project_id)  # type: ignore[attr-defined]
    return servers
