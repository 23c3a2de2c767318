"""Names of people and things: shown on pages, written into mail headers and logs."""

from django.core.validators import RegexValidator

LONGEST_NAME = 100  # characters

validate_name = RegexValidator(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "A name is one line, without control characters.", inverse_match=True
)
