"""The relay's meaning: pure and synchronous, since the clock is always an argument.

Its modules import the standard library and msgspec only. This file also tells Python where they stand as machine code.
"""

from relay import compiled

compiled.extend(__path__, "core")
