"""Every HTTP path of the site. The bus (/v1/…) is routed before Django, in asgi.py."""

from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("admin/", admin.site.urls),
]
