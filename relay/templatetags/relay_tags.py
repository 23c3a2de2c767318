"""What pages of the lower apps show of the relay."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django import template
from django.apps import apps

from relay.core.statistics import BESIDES, MEANINGS
from relay.runtime import MOST_SHOWN, RegisteredFunction, Relay, Server, shown

T = TypeVar("T")
REFUSED_SHOWN = 20  # the most; REST has all
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
def calls_last_hour(project_id: str) -> dict[str, Any]:
    """What became of the project's calls in the last hour: name, number, meaning; and what was refused."""
    outcomes, besides, refused = relay().calls_last_hour(project_id)
    return {
        "project_id": project_id,
        "outcomes": [(name, number, MEANINGS[name]) for name, number in outcomes.items()],
        "besides": [(name, number, BESIDES[name]) for name, number in besides.items()],
        "refused": Shown(
            [(one, datetime.fromtimestamp(one.last, UTC)) for one in refused[:REFUSED_SHOWN]], len(refused)
        ),
    }


def relay() -> Relay:
    """The relay of this process."""
    found: Relay = apps.get_app_config("relay").relay  # type: ignore[attr-defined]
    return found
