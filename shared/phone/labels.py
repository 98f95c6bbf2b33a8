"""Words that give the digits behind them to something else than a telephone."""

import re
from typing import Final

_NUMBER: Final = (
    r"(?:no|nos|nr|num|number|id|nummer|numéro|numero|número|номер|n[°º]|№|\#|番号|编号|号)"
)
# English; German; French, Spanish, Portuguese, Italian; Dutch, Scandinavian, Polish, Turkish;
# Russian, Ukrainian.
_ALONE: Final = (
    "order ref reference invoice ticket case booking vat iban po policy contract rma sku imei"
    " serial lead receipt quote quotation claim passport ssn ein tin duns ean isbn barcode tracking"
    " parcel shipment reservation confirmation transaction incident swift bic"
    " bestellung rechnung auftrag vertrag angebot aktenzeichen az vorgang lieferschein beleg"
    " buchung sendung ust ustid steuer"
    " commande facture contrat devis dossier siret siren tva pedido factura contrato nif cif dni"
    " rut cuit expediente presupuesto reserva encomenda fatura cpf cnpj ordine fattura contratto"
    " pratica"
    " bestelling factuur offerte kvk btw ordre faktura cvr zamówienie umowa nip pesel regon sipariş"
    " заказ счёт счет договор инн кпп снилс заявка накладная замовлення рахунок"
)
# Written without a blank, before or behind.
_IDEOGRAPHS: Final = "订单|訂單|发票|發票|合同|单号|注文|請求書|伝票|주문|송장"
# A customer has a telephone too: only with a word for "number".
_WITH_NUMBER: Final = (
    "customer client account acct member patient student employee license licence project item"
    " part model kunden kund klant konto mitglied mitglieds cliente compte cuenta conta müşteri"
    " клиент bestell bestel rechnungs auftrags vertrags artikel sendungs vorgangs steuer policen"
    " order"
)
_GAP: Final = r"[\s.:-]*"


def _either(words: str) -> str:
    return "|".join(sorted(map(re.escape, words.split()), key=len, reverse=True))


_LABELLED: Final = re.compile(
    r"(?:(?<![^\W_])(?:"
    rf"(?:{_either(_ALONE)})(?:{_GAP}{_NUMBER})?"
    rf"|(?:{_either(_WITH_NUMBER)}){_GAP}{_NUMBER}"
    r"|(?<!caller )(?<!caller-)id"
    r")(?![^\W\d_])"
    rf"|(?:{_IDEOGRAPHS})(?:{_NUMBER})?)"
    r"[\s.:#№°-]*(?P<digits>\d+(?:[./-]\d+)*)",
    re.IGNORECASE,
)


def drop_labelled(text: str) -> str:
    """Put a mark for each label with the digits that follow at once."""
    return _LABELLED.sub(" ; ", text)


def labelled_digits(text: str) -> list[str]:
    """Return what `drop_labelled` takes away."""
    return [re.sub(r"\D", "", match["digits"]) for match in _LABELLED.finditer(text)]
