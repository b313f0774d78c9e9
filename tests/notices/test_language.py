"""A customer is written in their own language, else in the hook's; the seller's own templates go first."""

from __future__ import annotations

from pathlib import Path

import pytest

from salescli.catalogue import customers, records
from salescli.errors import BadData
from salescli.notices import events, letters
from salescli.rules import text
from tests.notices import receivers
from tests.notices.receivers import Mailboxes
from tests.notices.test_deliver import hook, notify
from tests.story import Story

RECEIPTS = {"en": "Receipt: 49.00 EUR for Club", "uk": "Квитанція: 49.00 EUR за «Club»",
            "ru": "Квитанция: 49.00 EUR за «Club»"}  # fmt: skip


def receipts(story: Story, *languages: str | None, hook_language: str = "en") -> list[str]:
    """Let a customer of each language pay, and return the subjects of their letters in this order."""
    story.house.offer("49.00", number="7", name="Club")
    with receivers.smtp() as post:
        hook(story, "email", "customer", via=post.url, language=hook_language)
        for number, language in enumerate(languages):
            words = {"language": language} if language is not None else {}
            new = story.house.customer(f"Buyer {number}", email=f"{number}@example.com", **words)
            story.pay(story.order_of(str(new["id"]), "7"), token="tok_ok", payment_system="Sandbox")
        notify(story)
        return subjects(post)


def subjects(post: Mailboxes) -> list[str]:
    return [str(letter["Subject"]) for _, letter in post.letters]


def test_each_customer_is_written_in_their_own_language(story: Story) -> None:
    got = receipts(story, "uk", "ru", "en", None, hook_language="uk")
    assert got == [RECEIPTS["uk"], RECEIPTS["ru"], RECEIPTS["en"], RECEIPTS["uk"]]


def test_a_language_without_letters_falls_back_to_the_hooks(story: Story) -> None:
    assert receipts(story, "de", hook_language="ru") == [RECEIPTS["ru"]]


def test_the_seller_adds_a_language_by_its_templates(story: Story) -> None:
    own = Path(f"{story.house.path}.letters/de")
    own.mkdir(parents=True)
    (own / "payment.paid.txt").write_text("Subject: Quittung: $amount $currency\n\nDanke, $name\n", encoding="utf-8")
    assert receipts(story, "de-AT", "uk") == ["Quittung: 49.00 EUR", RECEIPTS["uk"]]


@pytest.mark.parametrize(
    ("given", "code"), [("uk-UA", "uk"), (" RU ", "ru"), ("pt_BR", "pt"), ("", ""), ("fil", "fil")]
)
def test_the_code_of_a_language(given: str, code: str) -> None:
    assert text.language(given) == code


@pytest.mark.parametrize("given", ["ua", "Ukrainian", "../..", "e", "укр", "u/"])
def test_what_is_no_code_is_refused(given: str) -> None:
    with pytest.raises(BadData, match="uk"):
        text.language(given)


def test_a_language_is_given_listed_imported_exported_and_emptied(story: Story, tmp_path: Path) -> None:
    run = story.house.run
    assert run("customers", "add", "Іван", "--email", "ivan@example.com", "--language", "uk-UA").code == 0
    assert run("customers", "list", "--columns", "name,language", "--csv").rows[0] == {"name": "Іван", "language": "uk"}
    file = tmp_path / "c.csv"
    file.write_text("name,email,language\nIvan,ivan2@example.com,ru\n", encoding="utf-8")
    assert run("customers", "import", file).code == 0
    assert run("customers", "edit", "ivan@example.com", "--language", "en").code == 0
    assert run("export", tmp_path / "out").code == 0
    exported = (tmp_path / "out/customers.csv").read_text(encoding="utf-8-sig")
    assert "language" in exported.splitlines()[0]
    changed = tmp_path / "changed.csv"
    changed.write_text(exported.replace(",ru,", ",uk,"), encoding="utf-8")
    assert run("customers", "import", "--update", changed).code == 0, run("customers", "import", changed).err
    found = {row["name"]: row["language"] for row in run("customers", "list", "--columns", "all", "--csv").rows}
    assert (found["Іван"], found["Ivan"]) == ("en", "uk")
    assert run("customers", "edit", "ivan@example.com", "--language", "").code == 0
    assert customers.find(story.house.connection, "ivan@example.com")["language"] is None
    assert run("customers", "edit", "ivan@example.com", "--language", "ua").code == 6


def test_a_merge_fills_the_language_and_an_erasure_takes_it(story: Story) -> None:
    one = story.house.customer("Keep", email="keep@example.com")
    other = story.house.customer("Other", email="other@example.com", language="ru")
    assert story.house.run("customers", "merge", str(one["id"]), str(other["id"]), "--yes").code == 0
    assert records.get(story.house.connection, customers.NOUN, one["id"])["language"] == "ru"
    assert story.house.run("customers", "erase", str(one["id"]), "--yes").code == 0
    rows = story.house.connection.execute("SELECT language FROM customers WHERE name = '(erased)'").fetchall()
    assert [row["language"] for row in rows] == [None, None]


@pytest.mark.parametrize("language", letters.LANGUAGES)
def test_every_language_has_every_letter_and_a_title_of_every_kind(language: str) -> None:
    shipped = {path.name for path in (letters.SHIPPED / language).glob("*.txt")}
    assert shipped == {path.name for path in (letters.SHIPPED / "en").glob("*.txt")}
    titles = (letters.SHIPPED / language / "kinds.txt").read_text(encoding="utf-8").splitlines()
    assert [line.partition(" = ")[0] for line in titles] == list(events.KINDS)
