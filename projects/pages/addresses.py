"""Where this installation is, for the pages that show code to copy."""

from django.conf import settings

from projects import sdk

DEFAULT_RELAY_URL = "wss://ws.gluer.io"  # what the SDKs use when nothing is said


def addresses() -> dict[str, object]:
    """For templates. `relay_url` is empty where the SDKs need not be told; `packed`: npm can install from here."""
    return {
        "site_url": settings.SITE_URL,
        "relay_url": "" if settings.RELAY_URL == DEFAULT_RELAY_URL else settings.RELAY_URL,
        "packed": bool(sdk.package("gluer-js") and sdk.package("gluer-nodejs")),
    }
