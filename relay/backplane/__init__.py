"""Several processes of one relay: what they tell each other, and how it gets there."""

from relay import compiled

compiled.extend(__path__, "backplane")
