"""``orders sell``: order, payment and confirmation in one; what `orders new` takes of price and discount."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salescli.rules import money, time
from salescli.sales import invoices, orders
from tests.conftest import House
from tests.story import Story


@pytest.fixture
def shop(story: Story) -> House:
    """A story's house with an offer that is paid by bank transfer, and one in parts."""
    story.house.offer("49.00", name="Course", number="7", payment_system="Bank transfer", multiple="yes")
    story.house.offer("100.00", name="Parts", number="8", partial_min="10", payment_system="Bank transfer")
    story.house.user("ivan", name="Іван Петренко", role="manager")
    return story.house


def sell(house: House, *words: str) -> str:
    """Sell, which must succeed, and return what was said."""
    done = house.run("orders", "sell", *words)
    assert done.code == 0, done.err
    return done.out


def counts(house: House) -> dict[str, int]:
    return {table: house.count(table) for table in ("customers", "orders", "invoices", "attempts", "history")}


def test_a_sale_is_one_command(shop: House) -> None:
    said = sell(shop, "1", "7", "--paid", "--manager", "ivan", "--check")
    assert said.splitlines() == [
        "order 1: Course, 49.00 EUR, Completed",
        "invoice 1: 49.00 EUR paid; order 1 is Completed",
        "sale by Іван Петренко, confirmed",
    ]
    order = orders.get(shop.connection, 1)
    assert (order.status, order.confirmed, order.paid_minor) == ("completed", True, 4900)


def test_it_is_written_as_by_the_commands_that_it_is_made_of(shop: House) -> None:
    at = "2026-02-03 10:00"
    sell(shop, "1", "7", "--paid", "--check", "--at", at)
    for line in (f"orders new 1 7 --at '{at}'", f"orders pay 2 --at '{at}'", f"payments confirm 2 --yes --at '{at}'"):
        assert shop.run(*(word.strip("'") for word in _words(line))).code == 0
    assert shop.run("orders", "check", "2", "--yes").code == 0
    told = [
        [(line["what"], line["changes"], line["at"]) for line in shop.history(subject, id)]
        for id in (1, 2)
        for subject in ("order", "invoice")
    ]
    assert [[what for what, *_ in lines] for lines in told[:2]] == [[what for what, *_ in lines] for lines in told[2:]]
    assert told[1][1:] == [(w, c, a) for w, c, a in told[3]][1:]
    one, two = (orders.get(shop.connection, id) for id in (1, 2))
    assert [getattr(one, name) for name in _KEPT] == [getattr(two, name) for name in _KEPT]


_KEPT = ("status", "price_minor", "paid_minor", "created_at", "completed_at", "confirmed", "payment_system_id")


def _words(line: str) -> list[str]:
    import shlex

    return shlex.split(line)


def test_without_paid_the_order_stays_open(shop: House) -> None:
    assert sell(shop, "1", "7") == "order 1: Course, 49.00 EUR, Open\n"
    assert shop.count("invoices") == 0


def test_a_part_is_paid(shop: House) -> None:
    assert "order 1 is Open, 30.00 EUR of 100.00 EUR paid" in sell(shop, "1", "8", "--paid", "30.00")


def test_what_is_due_next_is_said(shop: House) -> None:
    shop.offer("100.00", number="9", instalments="30% now, the rest in 3 months")
    said = sell(shop, "1", "9", "--paid", "40.00", "--payment-system", "Bank transfer", "--at", "2026-01-31")
    assert said.splitlines()[-1] == "order 1: 60.00 EUR due on 2026-04-30"


def test_a_customer_is_made_on_the_way(shop: House) -> None:
    said = sell(shop, "Ганна Бондар", "7", "--new", "--email", "hanna@example.com", "--phone", "+380441", "--paid")
    assert said.startswith("customer 2 (Ганна Бондар): added\norder 1: ")
    row = shop.connection.execute("SELECT name, email, phone FROM customers WHERE id = 2").fetchone()
    assert tuple(row) == ("Ганна Бондар", "hanna@example.com", "+380441")


def test_a_gateway_is_asked(shop: House) -> None:
    said = sell(shop, "1", "7", "--paid", "--payment-system", "Sandbox", "--token", "tok_ok", "--check")
    assert said.splitlines()[1:] == [
        "invoice 1: 49.00 EUR paid; order 1 is Completed",
        "sale by system, confirmed",
    ]


def test_a_gateway_that_declines_leaves_the_order_declined(shop: House) -> None:
    words = ("--payment-system", "Sandbox", "--token", "tok_card_declined", "--check")
    done = shop.run("orders", "sell", "1", "7", "--paid", *words)
    assert (done.code, "order 1 is Declined" in done.err) == (1, True)
    assert "; to try again: salescli" in done.err
    assert "orders pay 1 --token TOKEN" in done.err
    assert "It can still be paid: salescli orders pay 1" in shop.run("explain", "order", "1").out
    assert shop.run("orders", "pay", "1", "--token", "tok_ok").code == 0
    assert not orders.get(shop.connection, 1).confirmed


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        pytest.param(("1", "8", "--paid", "5.00"), 6, "must be at least 10.00 EUR", id="too little"),
        pytest.param(("1", "7", "--paid", "50.00"), 6, "more than the 49.00 EUR left", id="too much"),
        pytest.param(("1", "8", "--paid", "50.00", "--check"), 5, "leaves the order Open", id="a part is not checked"),
        pytest.param(("1", "7", "--check"), 5, "if it is paid: --paid --check", id="an unpaid one is not checked"),
        pytest.param(("Nobody", "7", "--paid"), 3, "to add them on the way: --new", id="an unknown customer"),
        pytest.param(("1", "7", "--email", "a@b.example"), 2, "are of a new customer", id="contact of a known one"),
        pytest.param(("X", "9", "--new"), 3, "there is no offer", id="a new one, and no such offer"),
        pytest.param(("Олена Коваленко", "7", "--new"), 6, "omit --new", id="a new one who is there already"),
        pytest.param(("1", "7", "--paid", "--payment-system", "Sandbox"), 6, "give its --token", id="no token"),
        pytest.param(("1", "7", "--discount", "49.01"), 6, "more than the 49.00 EUR", id="more off than there is"),
        pytest.param(("1", "7", "--discount", "101%"), 6, "0 to 100", id="more than all of it off"),
    ],
)  # fmt: skip
def test_what_is_refused_writes_nothing(shop: House, words: tuple[str, ...], code: int, says: str) -> None:
    before = counts(shop)
    done = shop.run("orders", "sell", *words)
    assert (done.code, says in done.err) == (code, True), done.err
    assert counts(shop) == before


@pytest.mark.parametrize(
    "how", [("--payment-system", "Bank transfer"), ("--payment-system", "Sandbox", "--token", "t")]
)
def test_a_rehearsal_writes_nothing(shop: House, how: tuple[str, ...]) -> None:
    before = counts(shop)
    done = shop.run("orders", "sell", "X", "7", "--new", "--paid", *how, "-n")
    assert (done.code, "dry run: nothing was written" in done.err) == (0, True)
    assert ("would take 49.00 EUR through Sandbox" in done.out) == ("Sandbox" in how)
    assert counts(shop) == before


def test_a_closed_month_takes_no_sale(shop: House) -> None:
    assert shop.run("close", "2026-01").code == 0
    before = counts(shop)
    done = shop.run("orders", "sell", "1", "7", "--paid", "--at", "2026-01-15")
    assert (done.code, counts(shop)) == (5, before)


@pytest.mark.parametrize(
    ("words", "off", "price"),
    [
        (("--discount", "10%"), 490, 4410),
        (("--discount", "5.00"), 500, 4400),
        (("--price", "9.99", "--discount", "2.5%"), 25, 974),  # 24.975 cents, half up
        (("--price", "10.00", "--quantity", "3"), 0, 3000),
        (("--discount", "100%"), 4900, 0),
    ],
)
def test_price_and_discount(shop: House, words: tuple[str, ...], off: int, price: int) -> None:
    assert shop.run("orders", "new", "1", "7", *words).code == 0
    order = orders.get(shop.connection, 1)
    assert (order.discount_minor, order.price_minor) == (off, price)
    assert order.status == ("open" if price else "completed")


@pytest.mark.parametrize(("words", "price"), [(("--quantity", "2"), 9310), (("--price", "39.00"), 3900)])
def test_another_quantity_of_a_recurring_order_keeps_its_discount_and_another_price_is_paid(
    story: Story, words: tuple[str, ...], price: int
) -> None:
    story.house.offer("49.00", number="7", every="1 month", multiple="yes")
    sold = "orders sell 1 7 --discount 10% --paid --payment-system Sandbox --token tok_ok"
    assert story.house.run(*sold.split()).code == 0
    done = story.house.run("recurring", "edit", "1", *words, "--reason", "agreed", "--yes")
    assert done.code == 0, done.err
    assert story.house.count("recurring", f"price_minor = {price}") == 1


def test_a_discounted_recurring_order_is_charged_as_its_first(story: Story) -> None:
    story.house.offer("49.00", number="7", every="1 month")
    story.house.run("orders", "new", "1", "7", "--discount", "10%", "--payment-system", "Sandbox", "--token", "tok_ok")
    made_at = time.stored(time.from_text("2026-01-31T08:00:00Z"))
    assert story.house.connection.execute("UPDATE orders SET created_at = ?", (made_at,)).rowcount == 1
    assert story.pay(orders.get(story.house.connection, 1)) == "succeeded"
    assert story.at("2026-02-28 10:00").tick().charged == 1
    second = orders.get(story.house.connection, 2)
    assert (second.price_minor, second.discount_minor, second.unit_price_minor) == (4410, 490, 4900)
    assert story.house.run("recurring", "edit", "1", "--price", "60.00", "--reason", "x").code == 0
    assert story.at("2026-03-31 10:00").tick().charged == 1
    assert orders.get(story.house.connection, 3).price_minor == 6000


def test_an_edit_takes_percent_too(shop: House) -> None:
    sell(shop, "1", "7", "--quantity", "2")
    assert shop.run("orders", "edit", "1", "--discount", "12.5%").code == 0
    assert orders.get(shop.connection, 1).price_minor == 9800 - 1225


@given(price=st.integers(0, 10**14), ppm=st.integers(0, money.PPM), currency=st.sampled_from(["EUR", "JPY", "KWD"]))
def test_a_percentage_is_rounded_once_and_half_up(price: int, ppm: int, currency: str) -> None:
    off = money.parse_discount(f"{money.percent_text(ppm)}%", price, currency)
    assert 0 <= off <= price
    assert -money.PPM < 2 * (off * money.PPM - price * ppm) <= money.PPM


def test_what_comes_next_is_said_of_records_that_are_there(shop: House) -> None:
    shop.offer("20.00", name="Loose", number="9")
    assert "orders pay 1\n" in shop.run("orders", "sell", "1", "9").err
    refused = shop.run("orders", "sell", "1", "9", "--paid")
    assert (refused.code, "order 2" in refused.err) == (6, False)
    assert "Loose has no payment system; give --payment-system NAME" in refused.err


def test_the_payment_system_of_an_offer(shop: House) -> None:
    sell(shop, "1", "7")
    assert shop.run("orders", "pay", "1").out.startswith("invoice 1 (49.00 EUR) is open")
    assert invoices.get(shop.connection, 1).payment_system_id == 2
    assert shop.run("offers", "edit", "7", "--payment-system", "").code == 0
    sell(shop, "1", "7")
    assert "has no payment system" in shop.run("orders", "pay", "2").err
    assert "Bank transfer" in shop.run("offers", "list", "--columns", "number,payment_system").out


def test_a_merged_payment_system_stays_the_offer_s(shop: House) -> None:
    shop.payment_system("Bank", gateway="manual")
    assert shop.run("payment-systems", "merge", "Bank", "Bank transfer", "--yes").code == 0
    assert "Bank\n" in shop.run("offers", "list", "--columns", "number,payment_system").out
