import re

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from projects import credentials

PROJECT = "abcdefghijk2"


def test_a_public_key_names_its_project() -> None:
    key = credentials.make_key("public", PROJECT)
    assert re.fullmatch(rf"gluer_pub_{PROJECT}_[a-z2-7]{{32}}", key)
    assert credentials.parse_key(key) == credentials.ParsedKey("public", PROJECT)


def test_a_private_key_ends_in_its_checksum() -> None:
    key = credentials.make_key("private", PROJECT)
    assert re.fullmatch(rf"gluer_prv_{PROJECT}_[a-z2-7]{{38}}", key)
    assert credentials.parse_key(key) == credentials.ParsedKey("private", PROJECT)


def test_the_checksum_is_the_30_low_bits_of_crc32_in_base32() -> None:
    # CRC-32 of "123456789" is 0xCBF43926; its 30 low bits in groups of five: 5 31 8 14 9 6 (01011 11110 …) by hand
    assert credentials.checksum("123456789") == base32_of(0xCBF43926 & 0x3FFFFFFF)


def base32_of(number: int) -> str:
    digits = ""
    for _ in range(6):
        digits = "abcdefghijklmnopqrstuvwxyz234567"[number % 32] + digits
        number //= 32
    return digits


@pytest.mark.parametrize("change", [lambda k: k[:-1], lambda k: k + "a", lambda k: k.upper(), lambda k: f" {k}"])
@pytest.mark.parametrize("kind", ["public", "private"])
def test_what_is_almost_a_key_is_none(kind: str, change) -> None:  # type: ignore[no-untyped-def]
    assert credentials.parse_key(change(credentials.make_key(kind, PROJECT))) is None


def test_a_private_key_with_one_letter_changed_is_none() -> None:
    key = credentials.make_key("private", PROJECT)
    wrong = key[:30] + ("a" if key[30] != "a" else "b") + key[31:]
    assert credentials.parse_key(wrong) is None


def test_the_project_id_counts_into_the_checksum() -> None:
    key = credentials.make_key("private", PROJECT)
    assert credentials.parse_key(key.replace(PROJECT, "abcdefghijk3")) is None


def test_what_is_encrypted_can_be_decrypted_after_a_new_key_was_put_in_front(settings: Settings) -> None:
    token = credentials.encrypt("secret")
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]
    assert credentials.decrypt(token) == "secret"


def test_a_wrong_encryption_key_is_said(settings: Settings) -> None:
    token = credentials.encrypt("secret")
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(credentials.UndecryptableError, match="GLUER_ENCRYPTION_KEYS"):
        credentials.decrypt(token)


def test_a_digest_depends_on_the_installation(settings: Settings) -> None:
    before = credentials.digest("text")
    settings.LOOKUP_SECRET = "another"
    assert len(before) == 64
    assert credentials.digest("text") != before
