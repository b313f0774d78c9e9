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


def person(number: int) -> tuple[str, str]:
    """Return a name and its part of an address; two of three are Ukrainian, and names repeat, as people's do."""
    first, last = UKRAINIAN if number % 3 else LATIN
    name = f"{first[number // 3 % len(first)]} {last[number // 7 % len(last)]}"
    return name, f"{'oks' if number % 3 else 'ann'}.{number}"
