"""What the worker does for the ground floor. A task is a thin edge: it reads the clock and calls a domain function."""

from celery import shared_task
from django.utils import timezone

from crm.imports import jobs
from crm.known_devices import forget_devices
from crm.mails import sending
from crm.memberlists import jobs as member_lists
from crm.onetime import forget_codes
from crm.personal import making
from crm.sms.gateway import send_sealed
from crm.sso.exchange import forget_spent
from crm.tiers import preview_jobs


@shared_task
def check_import(job_id: int) -> None:
    """Look at the files of an uploaded job, before anything is written."""
    jobs.check(job_id, at=timezone.now())


@shared_task
def run_import(job_id: int) -> None:
    """Record the files of a confirmed job, from where it was last left."""
    jobs.run(job_id, clock=timezone.now)


@shared_task
def resume_stalled_imports() -> None:
    """Send again every job whose worker died or whose message was lost. The scheduler calls this every minute."""
    jobs.take_up_stalled(at=timezone.now())


@shared_task
def check_member_list(list_id: int) -> None:
    """Look at an uploaded list of members, before anything is written."""
    member_lists.check(list_id, clock=timezone.now)


@shared_task
def run_member_list(list_id: int) -> None:
    """Write what a confirmed list of members says, from where it was last left."""
    member_lists.run(list_id, clock=timezone.now)


@shared_task
def resume_stalled_member_lists() -> None:
    """Send again every list whose worker died or whose message was lost. The scheduler calls this every minute."""
    member_lists.take_up_stalled(at=timezone.now())


@shared_task
def run_scheme_preview(job_id: int) -> None:
    """See what a tier scheme would do to all members, as somebody of the staff has asked for."""
    preview_jobs.run(job_id, clock=timezone.now)


@shared_task
def resume_stalled_previews() -> None:
    """Send again every preview whose worker died or whose message was lost. The scheduler calls this every minute."""
    preview_jobs.take_up_stalled(at=timezone.now())


@shared_task
def make_data_file(file_id: int) -> None:
    """Make the file of everything held about a member, as he or somebody for him has asked for."""
    making.make(file_id, clock=timezone.now)


@shared_task
def resume_stalled_data_files() -> None:
    """Send again every such file whose worker died or whose message was lost. The scheduler calls this every minute."""
    making.take_up_stalled(at=timezone.now())


@shared_task
def forget_spent_tokens() -> None:
    """Delete what is remembered of tokens and codes that nobody would take any more, of devices long unused, and files
    of personal data whose days are over."""
    forget_spent(timezone.now())
    forget_codes(timezone.now())
    forget_devices(timezone.now())
    making.forget_old(timezone.now())


@shared_task
def send_sms(sealed: str) -> None:
    """Send a code to a phone."""
    send_sealed(sealed, timezone.now())


@shared_task
def send_mails() -> None:
    """Send the mails that are due. Called when some were written down, and by the scheduler every minute."""
    sending.send_due(clock=timezone.now)
