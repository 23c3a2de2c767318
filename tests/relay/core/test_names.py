"""Names that SDKs choose: what people would not see in them is refused where they are first stored (GP-50)."""

import unicodedata

import pytest
from django.core.exceptions import ValidationError

from accounts.names import validate_name
from relay.core.reading import is_name
from tests.pages.walk import BIDI, ZERO_WIDTH

UNSEEN = [chr(code) for code in (0x00, 0x1F, 0x7F, 0x85, 0x2028, 0x2029, 0xE0041, *BIDI, *ZERO_WIDTH)]


def is_a_persons_name(text: str) -> bool:
    try:
        validate_name(text)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("character", UNSEEN, ids=ascii)
def test_what_is_not_seen_is_in_no_name(character: str) -> None:
    assert not is_name(f"shop:{character}pay")
    assert not is_name(character)


@pytest.mark.parametrize("name", ["", "shop:pay", "Größe", "支付", "دفع", "💳", "❤️", "a b", "<b>&\"'"])
def test_every_script_is_welcome(name: str) -> None:
    assert is_name(name)
    assert is_a_persons_name(name)


def test_people_and_sdks_have_one_rule() -> None:
    odd = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in ("Cc", "Cf", "Zl", "Zp")]
    assert len(odd) > 200
    assert [ascii(character) for character in odd if is_name(character) != is_a_persons_name(character)] == []
