"""The fast edge alone: its framing over an echo application, its direct path, and the library it stands on."""
