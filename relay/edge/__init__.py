"""Where the relay meets sockets and HTTP: real Channels consumers that hand frames to the hub."""

from relay import compiled

compiled.extend(__path__, "edge")
