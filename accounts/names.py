"""Names of people and things: shown on pages, written into mail headers and logs."""

from django.core.validators import RegexValidator

LONGEST_NAME = 100  # characters

# The relay has the same rule for names that SDKs choose (relay/core/reading.py, GP-50). Two names that look alike are
# not: what is invisible would hide the difference, and what turns the direction of text shows a name as another.
UNSEEN = r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"

validate_name = RegexValidator(
    UNSEEN,
    "A name is one line, without control characters and without any that are invisible or turn the direction of text.",
    inverse_match=True,
)

NO_ADDRESS = "Enter a valid e-mail address."

# Django's validator lets pass controls in quotes, and a domain that shows as another one.
validate_address = RegexValidator(
    UNSEEN, "An e-mail address has no control or invisible characters.", "unseen", inverse_match=True
)
