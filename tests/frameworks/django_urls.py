"""The routes of the Django project."""

from __future__ import annotations

from django.urls import path

from tests.frameworks import django_site

urlpatterns = [
    path("enter/<str:name>/", django_site.enter),
    path("orders/<int:number>/", django_site.order),
    path("async/orders/<int:number>/", django_site.order_async),
    path("unseen/", django_site.unseen),
    path("talk/", django_site.talk),
    path("fails/", django_site.fails),
    path("streams/", django_site.streams),
    path("async/streams/", django_site.streams_async),
    path("file/", django_site.file),
]
