"""A member's address book."""

from datetime import datetime

import pytest

from crm.models import Member
from redemption.models import Address
from redemption.rewards.addresses import BookFull, Destination, addresses_of, keep_address, remove_address
from tests.cast import GivePoints
from tests.factories import AddressFactory, RewardFactory
from tests.redemption.conftest import SignIn
from tests.redemption.rewards.conftest import Take, redemption_of

HOME = Destination("林小鹿", "13800000001", "浙江省 杭州市 西湖区", "龙井路 1 号")
WORK = Destination("林小鹿", "13800000001", "上海 上海市 徐汇区", "听雨巷 2 号")
TYPED = {
    "recipient": "林小鹿", "phone": "+86 138 0000 0001", "province": "浙江省", "city": "杭州 市", "district": "西湖区",
    "street": "龙井路 1 号",
}  # fmt: skip


def book(member: Member) -> list[tuple[str, bool]]:
    return [(address.street, address.preferred) for address in addresses_of(member.pk)]


class TestTheBook:
    def test_the_first_address_is_preferred_and_another_one_only_when_asked(self, xiaolu: Member, at: datetime) -> None:
        keep_address(xiaolu.pk, HOME, preferred=False, at=at)
        keep_address(xiaolu.pk, WORK, preferred=False, at=at)
        assert book(xiaolu) == [(HOME.street, True), (WORK.street, False)]

        keep_address(xiaolu.pk, WORK, preferred=True, at=at)
        assert book(xiaolu) == [(WORK.street, True), (HOME.street, False)]

    def test_a_correction_takes_the_old_one_s_place_and_what_was_sent_keeps_it(
        self, xiaolu: Member, take: Take, give_points: GivePoints, at: datetime
    ) -> None:
        give_points(xiaolu, 100)
        home = keep_address(xiaolu.pk, HOME, preferred=True, at=at)
        sent = redemption_of(take(xiaolu, RewardFactory()))

        keep_address(xiaolu.pk, WORK, preferred=False, at=at, instead_of=home.pk)

        assert book(xiaolu) == [(WORK.street, True)]
        assert sent.address is not None
        assert (sent.address.pk, sent.address.street) == (home.pk, HOME.street)

    def test_the_same_address_twice_is_one(self, xiaolu: Member, at: datetime) -> None:
        for _press in range(2):
            keep_address(xiaolu.pk, HOME, preferred=False, at=at)

        assert book(xiaolu) == [(HOME.street, True)]

    def test_when_the_preferred_one_goes_the_next_takes_its_place(self, xiaolu: Member, at: datetime) -> None:
        home = keep_address(xiaolu.pk, HOME, preferred=True, at=at)
        keep_address(xiaolu.pk, WORK, preferred=False, at=at)

        for _press in range(2):
            remove_address(xiaolu.pk, home.pk, at=at)

        assert book(xiaolu) == [(WORK.street, True)]
        assert Address.objects.get(pk=home.pk).removed_at == at

    def test_it_holds_twenty(self, xiaolu: Member, at: datetime) -> None:
        AddressFactory.create_batch(20, member=xiaolu)

        with pytest.raises(BookFull):
            keep_address(xiaolu.pk, WORK, preferred=False, at=at)


class TestPages:
    def test_an_address_is_added_changed_and_removed(self, xiaolu: Member, sign_in: SignIn) -> None:
        buyer = sign_in(xiaolu)
        assert "No address is kept yet." in buyer.get("/addresses/").content.decode()

        buyer.post("/addresses/add/", TYPED)
        kept = Address.objects.get()
        assert (kept.phone, kept.region) == ("13800000001", "浙江省 杭州市 西湖区")
        assert buyer.get(f"/addresses/{kept.pk}/").context["form"].initial["city"] == "杭州市"

        buyer.post(f"/addresses/{kept.pk}/", TYPED | {"street": "松风路 3 号"})
        assert book(xiaolu) == [("松风路 3 号", True)]

        last = addresses_of(xiaolu.pk)[0]
        assert "Remove the address" in buyer.get(f"/addresses/{last.pk}/remove/").content.decode()
        buyer.post(f"/addresses/{last.pk}/remove/")
        assert book(xiaolu) == []

    @pytest.mark.parametrize(
        ("field", "typed", "said"),
        [
            ("phone", "138****0001", "without stars"),
            ("phone", "12", "without stars"),
            ("province", "火星", "火星"),
            ("city", " ", "required"),
            ("street", "", "required"),
        ],
    )
    def test_what_no_parcel_could_find_is_asked_for_again(
        self, field: str, typed: str, said: str, xiaolu: Member, sign_in: SignIn
    ) -> None:
        page = sign_in(xiaolu).post("/addresses/add/", TYPED | {field: typed}).content.decode()

        assert said in page
        assert not Address.objects.exists()

    def test_a_landline_will_do(self, xiaolu: Member, sign_in: SignIn) -> None:
        sign_in(xiaolu).post("/addresses/add/", TYPED | {"phone": "0571-87654321"})

        assert Address.objects.get().phone == "0571-87654321"

    def test_a_full_book_says_so(self, xiaolu: Member, sign_in: SignIn) -> None:
        AddressFactory.create_batch(20, member=xiaolu)

        page = sign_in(xiaolu).post("/addresses/add/", TYPED | {"street": "松风路 3 号"}).content.decode()

        assert "There are twenty addresses already." in page

    def test_those_of_somebody_else_are_not_there(self, xiaolu: Member, dayong: Member, sign_in: SignIn) -> None:
        his = AddressFactory(member=dayong)
        buyer = sign_in(xiaolu)

        assert buyer.get(f"/addresses/{his.pk}/").status_code == 404
        assert buyer.get(f"/addresses/{his.pk}/remove/").status_code == 404
        buyer.post(f"/addresses/{his.pk}/remove/")
        assert Address.objects.get().removed_at is None
