"""Look-up digests of generated secrets (keys, access tokens, project passwords; ≥ 160 random bits, so no slow hash)."""

import hashlib
import hmac

from django.conf import settings


def digest(text: str) -> str:
    """The HMAC-SHA256 of `text` under LOOKUP_SECRET, as 64 hex digits."""
    return hmac.new(settings.LOOKUP_SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
