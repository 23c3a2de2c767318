"""What pages of the lower apps show of the relay."""

from django import template
from django.apps import apps

from relay.core.statistics import MEANINGS
from relay.runtime import RegisteredFunction, Relay, Server

register = template.Library()


@register.simple_tag
def active_servers(project_id: str) -> list[Server]:
    """The project's back ends that are connected to this process, oldest first."""
    return relay().servers(project_id)


@register.inclusion_tag("relay/functions.html")
def registered_functions(project_id: str) -> dict[str, list[RegisteredFunction]]:
    """What the connected back ends have registered."""
    return {"functions": relay().functions(project_id)}


@register.inclusion_tag("relay/calls.html")
def calls_last_hour(project_id: str) -> dict[str, list[tuple[str, int, str]]]:
    """What became of the project's calls in the last hour: name, number, meaning."""
    return {"events": [(name, number, MEANINGS[name]) for name, number in relay().calls_last_hour(project_id).items()]}


def relay() -> Relay:
    """The relay of this process."""
    found: Relay = apps.get_app_config("relay").relay  # type: ignore[attr-defined]
    return found
