"""The tests' own process interprets the relay's modules, so that a test may look into them; loaded by pytest first.

Servers that tests start take the machine code when there is some. `make test` also runs tests of the core and the edge
on it, with GLUER_COMPILED=1; those that look inside are marked `interpreted`.
"""

import os

os.environ.setdefault("GLUER_COMPILED", "0")
