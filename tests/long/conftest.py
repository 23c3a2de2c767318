"""The relay's cast, for tests that take minutes."""

from tests.relay.conftest import alice, charlie, home, office, prepared

__all__ = ["alice", "charlie", "home", "office", "prepared"]
