"""Bytes that the relay holds for a while: how many, and how many it may."""

from __future__ import annotations


class Held:
    """Bytes held for one purpose, for one project, and with `whole` for all projects of this process together."""

    __slots__ = ("bytes", "most", "whole")

    def __init__(self, most: int, whole: Held | None = None) -> None:
        self.bytes = 0
        self.most = most
        self.whole = whole

    def fits(self, size: int) -> bool:
        """Whether `size` more bytes keep both bounds."""
        return self.bytes + size <= self.most and (self.whole is None or self.whole.fits(size))

    def add(self, size: int) -> None:
        """Count `size` bytes that are held from now on, or with a negative number are not held any more."""
        self.bytes += size
        if self.whole is not None:
            self.whole.add(size)
