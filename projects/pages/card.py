"""A project with the keys one copies first: the oldest live one of each kind."""

from dataclasses import dataclass

from accounts.models import Membership
from projects.models import Key, Kind, Project


@dataclass(frozen=True)
class Card:
    project: Project
    membership: Membership
    live_keys: list[Key]

    @property
    def public_key(self) -> Key | None:
        return self.first(Kind.PUBLIC)

    @property
    def private_key(self) -> Key | None:
        """For managers only; None to members, whatever there is."""
        return self.first(Kind.PRIVATE) if self.membership.manages else None

    def first(self, kind: Kind) -> Key | None:
        return next((key for key in self.live_keys if key.kind == kind), None)
