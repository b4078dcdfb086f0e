"""Uploaded files on disk: streamed, measured, hashed, and never under the name somebody else chose."""

import hashlib
import secrets
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from django.core.files.uploadedfile import UploadedFile

from crm.feeds.bytestreams import GZIP_MAGIC, ZIP_MAGICS
from crm.models import ImportFile, ImportJob

MAX_BYTES = 2 * 1024**3
MAX_FILES = 20


def store(job: ImportJob, upload: "UploadedFile[Any]") -> ImportFile:
    """Keep an upload for a job. The folder is not served to anybody; the given name is only ever shown."""
    digest = hashlib.sha256()
    for chunk in upload.chunks():
        digest.update(chunk)
    upload.seek(0)
    stored = ImportFile(job=job, name=shown_name(upload.name or ""), size=upload.size or 0, sha256=digest.hexdigest())
    stored.file.save(f"{secrets.token_hex(16)}.upload", upload, save=False)
    stored.save()
    return stored


def is_packed(upload: "UploadedFile[Any]") -> bool:
    """Say whether an upload is a workbook or a .gz, whose size says little about how long it takes to read."""
    packed: bool = upload.read(4).startswith((GZIP_MAGIC, *ZIP_MAGICS))
    upload.seek(0)
    return packed


def shown_name(name: str) -> str:
    """Return the last part of a file's name, without control characters, at most 200 characters."""
    last = PureWindowsPath(PurePosixPath(name).name).name
    return "".join(char for char in last if char.isprintable())[:200] or "upload"


def imported_before(file: ImportFile) -> ImportFile | None:
    """Return the latest file with the same content that another job has recorded, wholly or in part."""
    return (
        ImportFile.objects.filter(sha256=file.sha256, job__channel=file.job.channel_id, next_line__gt=0)
        .exclude(job=file.job_id)
        .select_related("job")
        .order_by("-id")
        .first()
    )
