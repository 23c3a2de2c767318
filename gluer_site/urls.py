"""Every HTTP path of the site. The bus (/v1/…) is routed before Django, in asgi.py."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from accounts.api import NoSuchPath, Schema

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
    # Last, since it answers whatever else begins with api/.
    re_path(r"^api/(?P<rest>(?s:.*))\Z", NoSuchPath.as_view()),
]
