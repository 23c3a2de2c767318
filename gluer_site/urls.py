"""Every HTTP path of the site. The bus (/v1/…) is routed before Django, in asgi.py."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from accounts.api import NoSuchPath, Schema

BUS = "The bus has POST /v1/call/NAME, /v1/send/NAME and /v1/publish/CHANNEL, and GET /v1/channels."

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("projects.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/password_change/", RedirectView.as_view(pattern_name="account_change_password")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("accounts.api")),
    path("api/v1/", include("projects.api")),
    path("api/v1/", include("billing.api")),
    path("api/v1/", include("relay.api")),
    path("api/schema", Schema.as_view(), name="schema"),
    # Last, since they answer whatever else begins with api/ and v1/.
    re_path(r"^api/(?P<rest>(?s:.*))\Z", NoSuchPath.as_view()),
    re_path(r"^v1/(?P<rest>(?s:.*))\Z", NoSuchPath.as_view(hint=BUS)),
]
