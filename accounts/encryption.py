"""Secrets that are shown again are kept encrypted (Fernet: AES-128-CBC with HMAC-SHA256)."""

from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class UndecryptableError(Exception):
    """Kept under an encryption key that GLUER_ENCRYPTION_KEYS does not hold."""


def encrypt(text: str) -> str:
    return cipher(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Raises UndecryptableError when none of ENCRYPTION_KEYS fits."""
    try:
        return cipher(tuple(settings.ENCRYPTION_KEYS)).decrypt(token.encode()).decode()
    except InvalidToken:
        raise UndecryptableError(
            "None of GLUER_ENCRYPTION_KEYS decrypts this: add the key it was made with to the list's end."
        ) from None


@lru_cache(maxsize=4)  # one entry in service; tests bring others
def cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
