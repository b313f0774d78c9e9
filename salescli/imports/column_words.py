"""What shops call their columns and statuses, in English, Ukrainian, Russian, German and Spanish.

``CALLED``: our column -> their names, likeliest first;  ``STATUSES``: language -> their word -> our status
"""

from __future__ import annotations

import re

from salescli.imports.mapping import ORDERS, RECURRING, key
from salescli.rules import money

_SIGNS = {"€": "EUR", "euro": "EUR", "грн": "UAH", "₴": "UAH", "руб": "RUB", "₽": "RUB", "£": "GBP", "zł": "PLN"}
_CALLED = {
    "order": "order, order number, order id, order no, order ref, reference, number, no, name, transaction id,"
    " invoice number, id, номер замовлення, замовлення, номер, номер заказа, заказ, bestellnummer, bestellung,"
    " auftragsnummer, nr, número de pedido, numero de pedido, pedido, número, numero",
    "created_at": "created at, order date, date created, created, ordered at, date, transaction date, дата замовлення,"
    " дата створення, створено, дата заказа, дата создания, создан, дата, bestelldatum, bestellt am, datum,"
    " fecha de pedido, fecha del pedido, fecha",
    "status": "status, order status, financial status, payment status, state, paid, is paid, статус, статус замовлення,"
    " статус оплати, стан, статус заказа, статус оплаты, bestellstatus, zahlungsstatus, zustand, estado,"
    " estado del pedido",
    "customer": "customer, customer name, billing name, buyer name, buyer, full name, client, client name, name,"
    " покупець, клієнт, піб, замовник, ім'я, покупатель, клиент, фио, заказчик, имя, kunde, kundenname, käufer,"
    " cliente, comprador, nombre y apellidos",
    "customer_id": "customer id, client id, user id, kundennummer, id клієнта, id клиента",
    "email": "email, e mail, mail, customer email, billing email, buyer email, email address, пошта, електронна пошта,"
    " ел пошта, эл почта, почта, correo, correo electrónico",
    "phone": "phone, billing phone, phone number, tel, telephone, mobile, телефон, номер телефону, telefon, handy,"
    " teléfono, telefono, móvil",
    "category": "category, product category, категорія, категория, kategorie, categoría, categoria",
    "offer": "offer, product, product name, item name, item, title, lineitem name, description, course, товар,"
    " назва товару, послуга, позиція, курс, название товара, название, услуга, состав заказа, artikel, produkt,"
    " artikelname, bezeichnung, producto, artículo, articulo, descripción",
    "quantity": "quantity, qty, count, lineitem quantity, pieces, кількість, к сть, количество, кол во, menge, anzahl,"
    " cantidad",
    "unit_price": "unit price, item price, lineitem price, price each, ціна, цена, цена за единицу, einzelpreis, preis,"
    " stückpreis, precio unitario, precio",
    "discount": "discount, discount amount, total discount, знижка, скидка, rabatt, descuento",
    "price": "price, total, order total, amount, gross, grand total, sum, сума, сума замовлення, всього, разом,"
    " вартість, до сплати, стоимость, сумма, сумма заказа, итого, gesamt, gesamtbetrag, betrag, summe,"
    " gesamtpreis, importe, total del pedido, line total, item total",
    "currency": "currency, order currency, currency code, валюта, währung, moneda, divisa",
    "payment_system": "payment method, payment method title, payment system, gateway, спосіб оплати, способ оплаты,"
    " zahlungsart, zahlungsmethode, método de pago, metodo de pago",
    "paid_at": "paid at, paid on, date paid, payment date, paid date, дата оплати, оплачено, дата оплаты, bezahlt am,"
    " zahlungsdatum, fecha de pago",
    "paid": "paid, amount paid, total paid, сплачено, оплачено, bezahlt, gezahlt, pagado, importe pagado",
    "refunded": "refunded, amount refunded, refunded amount, refund amount, повернено, сума повернення, возвращено,"
    " erstattet, reembolsado",
    "refunded_at": "refunded at, refund date, date refunded, дата повернення, дата возврата, erstattet am,"
    " fecha de reembolso",
    "comment": "comment, comments, note, notes, customer note, order notes, коментар, примітка, комментарий,"
    " примечание, kommentar, notiz, bemerkung, comentario, nota, notas",
    "recurring": "recurring, subscription id, subscription, subscription number, profile id, agreement id, id",
    "every": "every, interval, billing period, period, frequency",
    "payments": "payments, total cycles, billing cycles",
    "started_at": "started at, start date, start, created at, created, date created",
    "next_payment_at": "next payment at, next payment date, next billing date, next payment, current period end",
    "token": "token, payment method id, payment token",
    "manager": "manager, salesperson, staff, employee, sold by, менеджер, продавець, продавец, verkäufer, vendedor",
}  # fmt: skip
_FIRST = "first name, given name, billing first name, ім'я, имя, vorname, nombre"
_LAST = "last name, surname, family name, billing last name, прізвище, фамилия, nachname, apellido, apellidos"
_WORDS = {  # our status -> for each language, what others call it
    "completed": {
        "English": "paid, completed, complete, succeeded, success, processing, fulfilled, done, captured, yes",
        "Ukrainian": "оплачено, сплачено, виконано, завершено, успішно, так",
        "Russian": "оплачено, оплачен, выполнен, завершен, завершён, успешно, да",
        "German": "bezahlt, abgeschlossen, erledigt, ja",
        "Spanish": "pagado, completado, completo, sí",
    },
    "open": {
        "English": "pending, open, unpaid, on-hold, on hold, awaiting payment, pending payment, no",
        "Ukrainian": "не оплачено, очікує оплати, очікує, очікується, ні",
        "Russian": "не оплачен, не оплачено, ожидает оплаты, ожидает, нет",
        "German": "offen, ausstehend, unbezahlt, nein",
        "Spanish": "pendiente, pendiente de pago, no pagado",
    },
    "declined": {
        "English": "failed, cancelled, canceled, declined, voided, expired",
        "Ukrainian": "скасовано, скасований, відхилено, відмінено, прострочено",
        "Russian": "отменен, отменён, отменено, отклонен, отклонён",
        "German": "storniert, abgebrochen, fehlgeschlagen, abgelehnt",
        "Spanish": "cancelado, fallido, rechazado",
    },
    "refund": {
        "English": "refunded, refund",
        "Ukrainian": "повернено, повернення",
        "Russian": "возврат, возвращен, возвращён, возвращено",
        "German": "erstattet, rückerstattet",
        "Spanish": "reembolsado, devuelto",
    },
}


def plain(name: str) -> str:
    """Return the name of a column as it is compared: words without punctuation, and without a currency at its end."""
    words = key(re.sub(r"[^\w']+|_+", " ", re.sub("[ʼ’`]", "'", name))).split()
    while len(words) > 1 and _currency(words[-1]):
        words.pop()
    return " ".join(words)


def currency(name: str) -> str:
    """Return the currency that the name of a column ends with, as in "Price, EUR" or "Сума (грн)"; else nothing."""
    words = re.findall(r"\w+|[€₴₽£$]", key(name))
    return _currency(words[-1]) if len(words) > 1 else ""


def _currency(word: str) -> str:
    code = word.upper()
    return code if code in money.EXPONENTS and len(code) == 3 and code != "TOP" else _SIGNS.get(word, "")


CALLED = {ours: [plain(name) for name in names.split(", ")] for ours, names in _CALLED.items()}
FIRST_NAMES = [plain(name) for name in _FIRST.split(", ")]
LAST_NAMES = [plain(name) for name in _LAST.split(", ")]
# The statuses that a proposal names, in the order in which a person reads them.
GROUPS = {ORDERS: tuple(_WORDS), RECURRING: ("active", "paused", "completed", "failed")}
STATUSES_OF_SUBSCRIPTIONS = {
    **dict.fromkeys(("active", "trialing", "live"), "active"),
    **dict.fromkeys(("paused", "on-hold", "suspended"), "paused"),
    **dict.fromkeys(("canceled", "cancelled", "expired", "completed", "ended"), "completed"),
    **dict.fromkeys(("past_due", "unpaid", "failed"), "failed"),
}
STATUSES = {
    language: {word: ours for ours, by_language in _WORDS.items() for word in by_language[language].split(", ")}
    for language in _WORDS["open"]
}
