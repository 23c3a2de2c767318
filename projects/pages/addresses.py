"""Where this installation is, for the pages that show code to copy."""

from django.conf import settings

from projects import sdk


def addresses() -> dict[str, object]:
    """For templates. `packed`: npm can install from here; `tell_url`: the SDKs have to be told where the relay is."""
    packed = bool(sdk.package("gluer-js") and sdk.package("gluer-nodejs"))
    return {
        "site_url": settings.SITE_URL,
        "relay_url": settings.RELAY_URL,
        "packed": packed,
        "tell_url": not packed and settings.RELAY_URL != sdk.DEFAULT_RELAY_URL,
    }
