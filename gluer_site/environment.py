"""Typed values from the environment. Every wrong one is remembered, and `refuse_wrong()` names them all at once."""

import os
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}
HOSTED = {"http", "https", "ws", "wss"}  # schemes that mean nothing without a host; databases have default ones


class WrongEnvironment(SystemExit):
    """The environment holds values Gluer cannot start with; the message names each one and says what it takes.

    A SystemExit, since settings are read in the middle of other people's programs (uvicorn, Celery): they end with
    the message and without a traceback.
    """


class Environment:
    """Reads `variables` (by default the process's environment) and collects what is wrong with them."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self.variables = os.environ if variables is None else variables
        self.wrong: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return self.variables.get(name, default)

    def words(self, name: str, default: str = "") -> list[str]:
        """A comma-separated list, without its empty parts."""
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.variables.get(name, str(default)).strip().lower()
        if value not in TRUE | FALSE:
            self.complain(name, value, "takes 1 or 0")
        return value in TRUE

    def integer(self, name: str, default: int, at_least: int, at_most: int) -> int:
        value = self.variables.get(name, "").strip() or str(default)
        try:
            number = int(value)
        except ValueError:
            number = at_least - 1
        if not at_least <= number <= at_most:
            self.complain(name, value, f"takes a whole number from {at_least} to {at_most}")
            return default
        return number

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.variables.get(name, default)
        if value not in choices:
            self.complain(name, value, f"takes one of {', '.join(choices)}")
            return default
        return value

    def url(self, name: str, default: str, schemes: tuple[str, ...]) -> str:
        value = self.variables.get(name, "") or default
        if value and not is_url(value, schemes):
            self.complain(name, "…", f"takes a URL, {' or '.join(s + '://…' for s in schemes)}")
            return default
        return value

    def check(self, name: str, parts: Iterable[str], reads: Callable[[str], object], takes: str) -> None:
        """Complain of the first part of the variable for which `reads` raises ValueError or gives None."""
        for part in parts:
            try:
                good = reads(part) is not None
            except ValueError:
                good = False
            if not good:
                self.complain(name, part, takes)
                return

    def require(self, holds: bool, sentence: str) -> None:
        """Remember `sentence` as wrong unless `holds`."""
        if not holds:
            self.wrong.append(sentence)

    def complain(self, name: str, value: str, takes: str) -> None:
        self.wrong.append(f"{name}={value!r}: it {takes}.")

    def refuse_wrong(self) -> None:
        """Raise WrongEnvironment if anything was wrong."""
        if self.wrong:
            raise WrongEnvironment("Gluer cannot start with these settings:\n  " + "\n  ".join(self.wrong))


def is_url(value: str, schemes: tuple[str, ...]) -> bool:
    """Whether `value` is a URL of one of the schemes, with a host where it needs one, and a possible port."""
    try:
        parts = urlsplit(value)
        return parts.scheme in schemes and parts.port != 0 and (bool(parts.hostname) or parts.scheme not in HOSTED)
    except ValueError:
        return False
