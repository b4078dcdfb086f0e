"""Importing orders as pages: upload, preview, confirmation, live progress, result."""

from django.contrib import admin

from crm.adminkit import EndlessAdmin
from crm.models import ImportJob


@admin.register(ImportJob)
class ImportJobAdmin(EndlessAdmin):
    list_display = ("id", "channel", "state", "created_by", "created_at")
