"""``manage.py import_orders``: what it prints, what it writes, and how it says no."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from crm.models import Channel, ImportProfile, Member, Order
from tests.crm.files import COMPLETED, PAID, Trade, write

pytestmark = pytest.mark.django_db

LIN = Trade(1, "小鹿爱喝茶", "88.50")
WANG = Trade(2, "dayong_w", "120.00", PAID)
DAMAGED = Trade(3, "mei_chen", "60.00", no="3.51531E+16")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory: reports land here."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: Any) -> dict[str, Any]:
    """Run the command and return the summary, which is the last line on stdout."""
    call_command("import_orders", *map(str, arguments))
    summary: dict[str, Any] = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    return summary


def refusal(*arguments: Any) -> CommandError:
    with pytest.raises(CommandError) as caught:
        call_command("import_orders", *map(str, arguments))
    return caught.value


def test_an_export_becomes_orders_members_and_points(
    shop: Channel, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = run(capsys, write(folder / "march.csv", [LIN, WANG]), "--channel", "tea")
    assert summary == {
        "rows": 2,
        "orders_new": 2,
        "orders_updated": 0,
        "orders_unchanged": 0,
        "members_new": 2,
        "refunds": 0,
        "rejected": 0,
        "points_accrued": 88,
        "points_pending": 120,
        "points_reversed": 0,
        "files": [
            {"name": "march.csv", "format": "taobao_orders", "encoding": "gb18030", "rows": 2, "rejected": 0},
        ],
        "rejected_file": None,
        "dry_run": False,
    }
    assert set(Order.objects.values_list("external_no", flat=True)) == {LIN.external_no, WANG.external_no}


def test_the_same_file_again_changes_nothing(shop: Channel, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(folder / "march.csv", [LIN, WANG])
    run(capsys, file, "--channel", "tea")
    again = run(capsys, file, "--channel", "tea")
    assert (again["orders_new"], again["orders_updated"], again["orders_unchanged"]) == (0, 0, 2)
    assert (again["members_new"], again["points_accrued"], again["points_pending"]) == (0, 0, 0)


def test_refused_rows_are_listed_with_line_column_and_reason(
    shop: Channel, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = run(capsys, write(folder / "march.csv", [LIN, DAMAGED]), "--channel", "tea")
    assert (summary["rows"], summary["orders_new"], summary["rejected"]) == (2, 1, 1)
    report = Path(summary["rejected_file"])
    assert report.name == "rejected-march.csv"
    lines = report.read_text(encoding="utf-8-sig").splitlines()
    assert lines[1].startswith("march.csv,3,订单编号,")
    assert lines[1].endswith(",3.51531E+16")
    assert report.stat().st_mode & 0o077 == 0


def test_a_formula_in_a_refused_cell_is_made_harmless(
    shop: Channel, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = Trade(4, "mei_chen", paid="=cmd|' /C calc'!A0")
    summary = run(capsys, write(folder / "march.csv", [evil]), "--channel", "tea")
    assert summary["rejected"] == 1
    assert ",'=cmd|' /C calc'!A0" in Path(summary["rejected_file"]).read_text(encoding="utf-8-sig")


def test_a_report_goes_where_it_is_told(shop: Channel, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(folder / "march.csv", [DAMAGED])
    summary = run(capsys, file, "--channel", "tea", "--rejects", folder / "refused.csv")
    assert summary["rejected_file"] == str(folder / "refused.csv")
    assert (folder / "refused.csv").exists()


def test_a_dry_run_tells_the_truth_and_writes_nothing(
    shop: Channel, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = run(capsys, write(folder / "march.csv", [LIN, WANG, DAMAGED]), "--channel", "tea", "--dry-run")
    assert summary["dry_run"] is True
    assert (summary["orders_new"], summary["members_new"], summary["rejected"]) == (2, 2, 1)
    assert (summary["points_accrued"], summary["points_pending"]) == (88, 120)
    assert summary["rejected_file"] is None
    assert not Order.objects.exists()
    assert not Member.objects.exists()
    assert [path.name for path in folder.iterdir()] == ["march.csv"]


def test_one_unreadable_file_keeps_all_of_them_out(shop: Channel, folder: Path) -> None:
    good = write(folder / "march.csv", [LIN])
    empty = folder / "april.csv"
    empty.touch()
    error = refusal(good, empty, folder / "may.csv", "--channel", "tea")
    assert error.returncode == 2
    assert "april.csv" in str(error)
    assert "may.csv" in str(error)
    assert not Order.objects.exists()


def test_an_unknown_channel_is_refused_and_the_known_ones_are_named(shop: Channel, folder: Path) -> None:
    error = refusal(write(folder / "march.csv", [LIN]), "--channel", "coffee")
    assert error.returncode == 2
    assert "coffee" in str(error)
    assert "tea" in str(error)


def test_a_channel_is_made_on_request(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, write(folder / "march.csv", [LIN]), "--channel", "coffee", "--create-channel")
    assert Channel.objects.get().code == "coffee"


def test_a_dry_run_makes_no_channel(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, write(folder / "march.csv", [LIN]), "--channel", "coffee", "--create-channel", "--dry-run")
    assert not Channel.objects.exists()


PROFILE = {"columns": {"order_no": "Invoice", "buyer": "Customer", "placed_at": "Date", "paid": "Total"}}
INVOICES = "Invoice,Customer,Date,Total\n7001,C-17,2026-03-01 10:00:00,45.00\n7002,,2026-03-01 11:00:00,10.00\n"


@pytest.fixture
def invoices(folder: Path) -> Path:
    path = folder / "invoices.csv"
    path.write_text(INVOICES)
    return path


def test_a_saved_profile_reads_a_shops_own_csv(
    shop: Channel, invoices: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ImportProfile.objects.create(code="till", name="Till", settings=PROFILE)
    summary = run(capsys, invoices, "--channel", "tea", "--format", "csv:till")
    assert (summary["orders_new"], summary["members_new"], summary["points_accrued"]) == (2, 1, 45)


def test_a_profile_may_be_a_file(
    shop: Channel, folder: Path, invoices: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = folder / "till.json"
    profile.write_text(json.dumps(PROFILE))
    assert run(capsys, invoices, "--channel", "tea", "--format", f"csv:{profile}")["orders_new"] == 2


@pytest.mark.parametrize("wanted", ["csv", "csv:nowhere", "excel", "taobao:x"])
def test_an_unknown_format_is_refused(wanted: str, shop: Channel, invoices: Path) -> None:
    assert refusal(invoices, "--channel", "tea", "--format", wanted).returncode == 2


def test_a_profile_that_cannot_work_is_refused_with_the_setting_at_fault(
    shop: Channel, folder: Path, invoices: Path
) -> None:
    profile = folder / "till.json"
    profile.write_text('{"columns": {"order_no": "Invoice"}}')
    assert "columns." in str(refusal(invoices, "--channel", "tea", "--format", f"csv:{profile}"))


def test_a_later_success_matures_what_was_pending(
    shop: Channel, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, write(folder / "march.csv", [WANG]), "--channel", "tea")
    done = Trade(WANG.number, WANG.buyer, WANG.paid, COMPLETED)
    summary = run(capsys, write(folder / "april.csv", [done]), "--channel", "tea")
    assert summary["orders_updated"] == 1


@pytest.mark.parametrize("rejects", ["march.csv", ".", "nowhere/refused.csv"])
def test_refused_rows_must_have_a_place_of_their_own_before_anything_is_written(
    rejects: str, shop: Channel, folder: Path
) -> None:
    file = write(folder / "march.csv", [LIN, DAMAGED])
    before = file.read_bytes()
    refused = refusal(file, "--channel", "tea", "--rejects", folder / rejects)
    assert refused.returncode == 2
    assert "--rejects" in str(refused)
    assert file.read_bytes() == before
    assert not Order.objects.exists()
