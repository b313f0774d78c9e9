"""An option given twice: a filter then allows several values, what can have one value only is refused."""

from __future__ import annotations

import pytest

from tests.story import Story


@pytest.fixture
def sold(story: Story) -> Story:
    """Order 1 is in parts, 2 in full, 3 begins a recurring order; the customer is Олена."""
    house = story.house
    house.offer("1000.00", number="8", name="Course", partial_min="1")
    house.offer("49.00", number="7", name="Book")
    house.offer("9.00", number="9", name="Club", every="1 month")
    for number in ("8", "7", "9"):
        story.pay(story.order(number), **({"amount": "10.00"} if number == "8" else {}))
    return story


@pytest.mark.parametrize(
    ("line", "numbers"),
    [
        pytest.param("orders list --kind regular", "2 1", id="one kind"),
        pytest.param("orders list --kind regular --kind recurring", "3 2 1", id="both kinds"),
        pytest.param("orders list --kind regular --kind all", "3 2 1", id="a kind and all"),
        pytest.param("orders list --kind all --payment-type partial", "1", id="one payment type"),
        pytest.param("orders list --kind all --payment-type full --payment-type partial", "3 2 1", id="both types"),
        pytest.param("orders list --kind all --search book", "2", id="one search"),
        pytest.param("orders list --kind all --search book --search cour", "2 1", id="two searches"),
        pytest.param("orders list --kind all --search book --search 1", "2 1", id="words and a number"),
        pytest.param("orders list --kind all --search book --search nothing", "2", id="a search that finds nothing"),
        pytest.param("payments list --search club --search book", "3 2", id="searches of payments"),
        pytest.param("offers list --search club --search 7", "7 9", id="searches of offers"),
    ],
)
def test_a_repeated_filter_allows_several_values(sold: Story, line: str, numbers: str) -> None:
    assert sold.house.run(*line.split(), "-q").out.split() == numbers.split()


def test_a_report_counts_what_any_value_of_a_repeated_filter_allows(sold: Story) -> None:
    def gross(*filters: str) -> list[str]:
        return [row["gross"] for row in sold.house.run("reports", "by-currency", *filters, "--csv").rows]

    assert gross("--search", "book", "--search", "club") == ["58.00"]
    assert gross("--kind", "recurring", "--kind", "regular") == gross() == ["68.00"]
    assert gross("--payment-type", "partial", "--payment-type", "full", "--min", "0") == ["68.00"]


def test_a_customer_called_all_is_a_filter(sold: Story) -> None:
    sold.house.customer("All")
    assert sold.house.run("orders", "list", "--kind", "all", "--customer", "all", "-q").out == ""


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("orders list --month 2026-01 --month 2026-02", "--month is given twice; give it once"),
        ("orders list --on today --on yesterday", "--on is given twice; give it once"),
        ("orders --from 2026-01 --from 2026-02", "--from is given twice; give it once"),
        ("reports by-offer --min 1 --min 2", "--min is given twice; give it once"),
        ("orders list --confirmed --unconfirmed", "--confirmed or --unconfirmed is given twice; give it once"),
        ("orders list --csv --json", "--csv and --json exclude each other; give one"),
        ("history --by ivan --by olena", "--by is given twice; give it once"),
        ("orders new 1 7 --token a --token b", "--token is given twice; give it once"),
        ("offers edit 7 --price 1 --price 2", "--price is given twice; give it once"),
        ("import orders - --source a --source b", "--source is given twice; give it once"),
        ("payments resolve 1 --succeeded --declined --reason x", "--succeeded and --declined exclude each other"),
    ],
)
def test_what_can_have_one_value_only_is_refused_a_second(sold: Story, line: str, says: str) -> None:
    done = sold.house.run(*line.split())
    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_a_flag_given_twice_means_what_it_means_once(sold: Story) -> None:
    assert sold.house.run("orders", "list", "-q", "-q").out.split() == ["2", "1"]
