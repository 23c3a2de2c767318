"""Random text of the alphabet [a-z2-7]: five bits a character, easy to read out, no underscore (GP-50)."""

import secrets

LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
SECRET_LENGTH = 32  # characters: 160 bits


def random_text(length: int = SECRET_LENGTH) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(length))
