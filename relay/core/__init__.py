"""The relay's meaning: pure and synchronous. Standard library and msgspec only; the clock is always an argument."""

from relay import compiled

compiled.extend(__path__, "core")
