from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        """Let drf-spectacular know its extension."""
        from accounts import schema  # noqa: F401
