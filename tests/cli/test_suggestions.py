"""What is mistyped is answered with what may have been meant: commands, options, values, names."""

from __future__ import annotations

import pytest

from tests.conftest import House


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param("order list --limit 3", "", id="a group in the singular is understood"),
        pytest.param("category list", "", id="also one in -y"),
        pytest.param("payment-system", "", id="also without a command"),
        pytest.param("list orders", "Did you mean 'salescli orders list'?", id="the words the other way round"),
        pytest.param("add customer Olena", "Did you mean 'salescli customers add'?", id="the other way, singular"),
        pytest.param("add order 1 7", "Did you mean 'salescli orders new'?", id="the other way, by another verb"),
        pytest.param("import offers a.csv", "Did you mean 'salescli offers import'?", id="an import of the noun's own"),
        pytest.param("odrers list", "Did you mean 'salescli orders'", id="letters changed"),
        pytest.param("refund 12", "Did you mean 'salescli orders refund'?", id="a command of a group"),
        pytest.param("confirm 1", "'salescli orders confirm' or 'salescli payments confirm'", id="of two groups"),
        pytest.param("orders lst", "Did you mean 'salescli orders list'", id="a command of a group mistyped"),
        pytest.param("orders add 1 7", "Did you mean 'salescli orders new'?", id="another word for it"),
        pytest.param("explain 4", "'salescli explain order 4' or 'salescli explain", id="a number without its noun"),
        pytest.param("orders 12", "Did you mean 'salescli orders show 12'?", id="a number without a verb"),
        pytest.param("help parital", "did you mean partial-payments?", id="a word of a page's name"),
        pytest.param("customers delete 1", "Did you mean 'salescli customers erase'?", id="what people say for it"),
        pytest.param("orders list --statsu open", "'--status'", id="an option"),
        pytest.param("orders list --db x.db", "goes before the command: salescli --db", id="an option of the program"),
        pytest.param("orders list --status opne", "did you mean open?", id="a status"),
        pytest.param("orders list --columns custmer", "did you mean customer?", id="a column"),
        pytest.param("history odrers", "did you mean orders or", id="a subject of the history"),
        pytest.param("help fliters", "did you mean filters?", id="a page"),
        pytest.param("customers show Olenna", "did you mean Olena Koval?", id="a customer"),
        pytest.param("orders list --customer Olenka", "did you mean Olena Koval?", id="a customer of a filter"),
        pytest.param("offers show Drwaing", "did you mean Drawing?", id="an offer"),
        pytest.param("orders list --manager iwan", "did you mean ivan?", id="a manager by login"),
        pytest.param("payment-systems show Sandbx", "did you mean Sandbox?", id="a payment system"),
        pytest.param("customers show Zzz", "there is no customer 'Zzz'\n", id="nothing where nothing is like it"),
        pytest.param("xyzzy", "No such command 'xyzzy'.\n", id="nor where no command is"),
        pytest.param("y", "No such command 'y'.\n", id="a letter"),
    ],
)
def test_what_was_meant_is_answered(house: House, line: str, says: str) -> None:
    house.customer("Olena Koval")
    house.offer(name="Drawing")
    house.payment_system("Sandbox")
    house.user("ivan", name="Іван")
    done = house.run(*line.split())
    assert says in done.err.replace(" \n", "\n"), done.err
    assert (done.code == 0) == (not says), done.err


def test_a_long_list_is_searched_by_how_the_name_begins(house: House) -> None:
    for number in range(510):
        house.connection.execute(
            "INSERT INTO customers (name, name_key, created_at) VALUES (?, ?, 1767225600)",
            (f"Buyer{number}", f"buyer{number}"),
        )
    house.customer("Katarzyna Nowak")
    assert "did you mean Katarzyna Nowak?" in house.run("customers", "show", "Katarzina Nowak").err


def test_nothing_is_suggested_to_who_may_not_see_it(house: House) -> None:
    house.customer("Olena Koval")
    house.user("guest", name="Guest")
    assert "Koval" not in house.run("--as", "guest", "customers", "show", "Olenna").err
