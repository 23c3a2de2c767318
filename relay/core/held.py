"""Bytes that the relay holds for a while: how many, and how many it may."""

from __future__ import annotations

from typing import Final

LITTLE: Final = 64  # a project may hold this part of its own bound whatever others do


class Held:
    """Bytes held for one purpose, for one project, and with `whole` for all projects of this process together."""

    __slots__ = ("bytes", "most", "whole")

    def __init__(self, most: int, whole: Held | None = None) -> None:
        self.bytes = 0
        self.most = most
        self.whole = whole

    def fits(self, size: int) -> bool:
        """Whether `size` more bytes keep the bound, and that of the whole unless this project holds little."""
        after = self.bytes + size
        return after <= self.most and (after <= self.most // LITTLE or self.whole is None or self.whole.fits(size))

    def add(self, size: int) -> None:
        """Count `size` bytes that are held from now on, or with a negative number are not held any more."""
        self.bytes += size
        if self.whole is not None:
            self.whole.add(size)
