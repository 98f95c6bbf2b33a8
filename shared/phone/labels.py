"""Words that give the digits behind them to something else than a telephone.

Some always do; some only with a word for "number", as in "Customer no."; and some, which may be
names and departments, unless the digits are written as phone numbers are.
"""

import re
from typing import Final

_NUMBER: Final = (
    r"(?:no|nos|nr|num|number|id|nummer|numéro|numero|número|номер|n[°º]|№|\#|番号|编号|号)"
)
# English; German; French, Spanish, Portuguese, Italian; Dutch, Scandinavian, Polish, Turkish;
# Russian, Ukrainian.
_ALONE: Final = (
    "order ref reference invoice ticket vat iban policy contract rma sku imei serial passport ssn"
    " duns ean isbn barcode bestellung rechnung auftrag vertrag aktenzeichen ust ustid"
    " commande facture contrat siret siren tva pedido factura contrato nif dni cuit cpf cnpj"
    " ordine fattura kvk btw cvr nip pesel regon инн кпп снилс"
)
# "Justin Case 202-555-0123", "Parcel desk", "ID 0812-3456-7890": so written, rather a telephone.
_DOUBTFUL: Final = (
    "id lead case claim booking po tracking tin ein cif receipt quote quotation parcel shipment"
    " confirmation transaction incident angebot az vorgang lieferschein beleg buchung sendung"
    " steuer devis dossier expediente presupuesto reserva encomenda fatura contratto pratica"
    " bestelling factuur offerte ordre faktura zamówienie umowa sipariş"
    " заказ счёт счет договор заявка накладная замовлення рахунок"
)
# Written without a blank, before or behind.
_IDEOGRAPHS: Final = "订单|訂單|发票|發票|合同|单号|注文|請求書|伝票|주문|송장"
# A customer has a telephone too: only with a word for "number".
_WITH_NUMBER: Final = (
    "customer client account acct member patient student employee license licence project item"
    " part model kunden kund klant konto mitglied mitglieds cliente compte cuenta conta müşteri"
    " клиент bestell bestel rechnungs auftrags vertrags artikel sendungs vorgangs steuer policen"
    " order reservation swift bic"
)
# A Chilean tax number, 12.345.678-5; Rut is a name as well.
_RUT: Final = r"rut(?=[\s.:№°-]*\d{1,2}\.?\d{3}\.?\d{3}-[\dk])"
_GAP: Final = r"[\s.:-]*"
# All in one or two groups, and not as dialled within a country.
_UNLIKE_PHONE: Final = r"(?!0[1-9])(?:\d{7,}(?![./-]?\d)|\d+(?:[./-]\d+)?(?![./-]?\d|\s+[(\d]))"
_BETWEEN: Final = r"\s().,/\\~‐‑‒–—―-"


def _either(words: str) -> str:
    return "|".join(sorted(map(re.escape, words.split()), key=len, reverse=True))


_LABELLED: Final = re.compile(
    r"(?:(?<![^\W_])(?:"
    rf"(?:{_either(_ALONE)})(?:{_GAP}{_NUMBER})?"
    rf"|(?:{_either(_WITH_NUMBER)}){_GAP}{_NUMBER}"
    rf"|{_RUT}|(?<!caller )(?<!caller-)(?:{_either(_DOUBTFUL)})"
    rf"(?:{_GAP}{_NUMBER}|(?=[\s.:№°-]*{_UNLIKE_PHONE}))"
    r")(?![^\W\d_])"
    rf"|(?:{_IDEOGRAPHS})(?:{_NUMBER})?)"
    r"[\s.:#№°-]*(?P<digits>\d+(?:[./-]\d+)*)"
    rf"(?P<rest>[{_BETWEEN}]+\d[\d{_BETWEEN}]*)?",
    re.IGNORECASE,
)

_LEADING: Final = re.compile(rf"^[{_BETWEEN.replace('(', '')}]+")


def mark_labelled(text: str, start: str, end: str) -> str:
    """Put a mark for each label with its digits.

    If others follow at once, they may be the first group of a number: they are kept between `start`
    and `end`.
    """

    def mark(match: re.Match[str]) -> str:
        rest = match["rest"]
        return f" ; {start}{match['digits']}{end} {_LEADING.sub('', rest)}" if rest else " ; "

    return _LABELLED.sub(mark, text)


def labelled_digits(text: str) -> list[str]:
    """Return the digits that labels have, with those that follow at once."""
    return [
        re.sub(r"\D", "", match["digits"] + (match["rest"] or ""))
        for match in _LABELLED.finditer(text)
    ]
