"""What pages of the lower apps show of the relay."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from django import template
from django.apps import apps

from relay.core.statistics import MEANINGS
from relay.runtime import MOST_SHOWN, RegisteredFunction, Relay, Server, shown

T = TypeVar("T")
SERVERS_SHOWN = 50  # the oldest; REST has them all, page by page

register = template.Library()


@dataclass(frozen=True, slots=True)
class Shown(Generic[T]):
    """The first of many, for a page."""

    rows: list[T]
    count: int  # of all

    @property
    def more(self) -> int:
        return self.count - len(self.rows)


@register.simple_tag
def active_servers(project_id: str) -> Shown[Server]:
    """The project's connected back ends, the oldest first."""
    back_ends = relay().back_ends(project_id)
    return Shown([shown(back_end) for back_end in back_ends[:SERVERS_SHOWN]], len(back_ends))


@register.simple_tag
def server_count(project_id: str) -> int:
    return len(relay().back_ends(project_id))


@register.inclusion_tag("relay/functions.html")
def registered_functions(project_id: str) -> dict[str, Shown[RegisteredFunction]]:
    """What the connected back ends have registered, by name."""
    functions = relay().functions(project_id)
    return {"functions": Shown(functions[:MOST_SHOWN], len(functions))}


@register.inclusion_tag("relay/calls.html")
def calls_last_hour(project_id: str) -> dict[str, list[tuple[str, int, str]]]:
    """What became of the project's calls in the last hour: name, number, meaning."""
    return {"events": [(name, number, MEANINGS[name]) for name, number in relay().calls_last_hour(project_id).items()]}


def relay() -> Relay:
    """The relay of this process."""
    found: Relay = apps.get_app_config("relay").relay  # type: ignore[attr-defined]
    return found
