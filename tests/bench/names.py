"""Words of which the bench's people and offers are made, in two scripts."""

from __future__ import annotations

UKRAINIAN = (
    ("Олена", "Іван", "Марія", "Андрій", "Оксана", "Тарас", "Наталія", "Юрій", "Ірина", "Богдан", "Світлана", "Петро",
     "Катерина", "Сергій", "Ганна", "Олексій", "Соломія", "Микола", "Дарина", "Володимир", "Зоряна", "Євген"),
    ("Коваль", "Мельник", "Шевченко", "Бондаренко", "Ткаченко", "Кравченко", "Олійник", "Лисенко", "Гончаренко",
     "Руденко", "Мороз", "Павленко", "Савченко", "Захарченко", "Гнатюк", "Білоус", "Дзюба", "Яременко", "Щербак"),
)  # fmt: skip
LATIN = (
    ("Anna", "Jan", "Maria", "Peter", "Sofia", "Luca", "Emma", "Paul", "Zoë", "Max", "Lena", "José", "Clara", "Oskar",
     "Ida", "Tom", "Eva", "Nils", "Mia", "Hugo", "Inês", "Felix"),
    ("Nowak", "Müller", "Rossi", "Smith", "Garcia", "Novák", "Jensen", "Silva", "Martin", "Weber", "Kowalska",
     "O'Brien", "Bianchi", "Fischer", "Dubois", "Larsen", "Meyer", "Kovács", "Popescu"),
)  # fmt: skip
TOPICS = (
    "Drawing", "Живопис", "Piano", "Гітара", "English", "Deutsch", "Python", "Бухгалтерія", "Yoga", "Фотографія",
    "Cooking", "Кераміка", "Chess", "Вишивка", "Marketing", "Sales", "Excel", "SQL", "Танці", "Public speaking",
)  # fmt: skip
FORMS = ("full course", "intro", "марафон", "subscription", "консультація", "book", "exam", "workshop", "клуб", "kit")


_FOUNDERS = ("ко", "чук", "ський", "енко", "юк", "ець", "ів", "ак", "ин", "ишин", "ій", "ба", "ай", "ура", "ило")
_ENDINGS = ("", "s", "sen", "er", "ini", "ova", "ić", "escu", "ez", "ak", "oğlu", "man", "field", "wood", "by")
_PARTS = 1_009  # prime: who comes next has nothing in common with who came before


def person(number: int) -> tuple[str, str]:
    """Return the name of customer ``number`` and a part of their address; two of three are Ukrainian.

    There are about as many names as customers: a first name, a second one, and a surname with one of many endings.
    """
    (first, last), endings = (UKRAINIAN, _FOUNDERS) if number % 3 else (LATIN, _ENDINGS)
    drawn, rest = divmod(number * _PARTS, len(first))
    given = first[rest]
    drawn, rest = divmod(drawn, len(last))
    surname = last[rest]
    drawn, rest = divmod(drawn, len(endings) + 1)
    surname += endings[rest - 1] if rest else ""
    drawn, rest = divmod(drawn, len(first))
    second = f" {first[rest]}" if drawn % 3 else f" {first[rest][0]}."
    return f"{given}{second} {surname}", f"{'oks' if number % 3 else 'ann'}.{number}"
