#!/usr/bin/python3
"""How many of Faker's cards, social security numbers and bank accounts are found, as people and programs write them.

    WEIR=path/to/weir Tests/Detectors/recall.py [--long] [--seed N]

Each value, written with each of the separators that people use for it, stands in a sentence, JSON, CSV, HTML, a log line, a URL and
more; it is found where a finding of its sensor covers all of it. What Faker draws is not always a number that could be (some
locales have no numbers of their own and get American ones of areas that do not exist): what python-stdnum refuses does not count, and
the table says how many. Prints recall by kind and locale and each miss; exits 1 if cards, SSN or IBAN of any locale are below
99.9 %, or other numbers of people. Needs Faker and python-stdnum.
"""

import argparse
import collections
import functools
import html
import importlib
import json
import sys
import urllib.parse

import scan
from faker import Faker


def spelt(value, **options):
    return json.dumps(value, ensure_ascii=False, **options)


# Where a value stands, with a word for it.
PLACES = {
    "sentence": lambda word, value: f"Please use my {word} {value} for this, thank you.",
    "end of sentence": lambda word, value: f"Voici mon {word} : {value}.",
    "in brackets": lambda word, value: f"Customer Jane Doe ({word} {value}), since 2019",
    "JSON": lambda word, value: spelt({"id": 7, "customer": {word.replace(" ", "_"): value, "ok": True}}),
    "JSON, indented": lambda word, value: spelt([{"name": "Jörg", word: value}], indent=2),
    "CSV": lambda word, value: f"id,name,{word},city\r\n1,Jane Doe,{value},Lyon\r\n2,,,\r\n",
    "CSV, quoted": lambda word, value: f'"1";"Doe, Jane";"{word}";"{value}";"Lyon"\r\n',
    "TSV": lambda word, value: f"{word}\tname\n{value}\tDoe\n",
    "HTML": lambda word, value: f"<tr><th>{word}</th><td>{value}</td><td>Doe</td></tr>",
    "HTML input": lambda word, value: f'<input name="{word}" type="text" value="{html.escape(value)}">',
    "XML": lambda word, value: f"<{word.replace(' ', '')}>{value}</{word.replace(' ', '')}>",
    "log line": lambda word, value: f"2026-03-02T10:11:12.345678Z INFO pay[4711]: {word}={value} status=200 took=12ms",
    "log line, quoted": lambda word, value: f'10.0.0.1 - - [02/Mar/2026:10:11:12 +0000] "POST /x" {word}="{value}" 200 512',
    "YAML": lambda word, value: f"customer:\n  {word}: {value}\n  name: Doe\n",
    "SQL": lambda word, value: f"INSERT INTO customers (name, {word.replace(' ', '_')}) VALUES ('Doe', '{value}');",
    "URL": lambda word, value: f"https://example.com/a?{word.replace(' ', '')}={urllib.parse.quote(value)}&x=1",
    "identifier": lambda word, value: f"{word.replace(' ', '_')}_{value}",
    "Markdown": lambda word, value: f"| {word} | **{value}** |\n",
}


def grouped(value, *sizes, by):
    """In groups of these sizes, of which the last is repeated."""
    groups, at = [], 0
    while at < len(value):
        size = sizes[min(len(groups), len(sizes) - 1)]
        groups.append(value[at:at + size])
        at += size
    return by.join(groups)


def card_forms(value):
    sizes = (4, 6, 5) if len(value) in (14, 15) else (4,)
    return [value, *(grouped(value, *sizes, by=by) for by in (" ", "-"))]


def ssn_forms(value):
    digits = value.replace("-", "")
    return [value, *(by.join((digits[:3], digits[3:5], digits[5:])) for by in (" ", "."))]


def iban_forms(value):
    return [value, grouped(value, 4, by=" "), grouped(value, 4, by="-")]


def as_written(value):
    return [value]


def nir_forms(value):
    return [value, *(grouped(value[:13], 1, 2, 2, 2, 3, by=by) + by + value[13:] for by in (" ", "."))]


# Name in the table: what Faker calls it, the oracle, its forms, the word before it, the sensors that must find it.
Kind = collections.namedtuple("Kind", "provider oracle forms word sensors")

CARD = Kind("credit_card_number", "luhn", card_forms, "card number", ["cards"])
SSN = Kind("ssn", "us.ssn", ssn_forms, "ssn", ["ssn-us"])
IBAN = Kind("iban", "iban", iban_forms, "account", ["pii-eu"])


def person(oracle, word, sensor, forms=as_written):
    return Kind("ssn", oracle, forms, word, [sensor])


KINDS = {
    "card": (CARD, ["en_US", "en_GB", "fr_FR", "de_DE", "es_ES", "it_IT", "pt_PT", "ja_JP", "ru_RU", "zh_CN", "uk_UA", "pt_BR"]),
    "SSN": (SSN, ["en_US", "en_AU", "ja_JP"]),
    "IBAN": (IBAN, [
        "en_GB", "fr_FR", "de_DE", "es_ES", "it_IT", "nl_NL", "nl_BE", "pl_PL", "pt_PT", "de_AT", "de_CH", "da_DK", "no_NO", "fi_FI",
        "cs_CZ", "sk_SK", "el_GR", "ro_RO", "tr_TR", "en_IE", "pt_BR", "uk_UA", "ru_RU", "az_AZ"]),
    "NIR": (person("fr.nir", "numéro de sécu", "pii-fr", nir_forms), ["fr_FR"]),
    "AHV": (person("ch.ssn", "AHV", "pii-eu"), ["de_CH", "fr_CH"]),
    "codice fiscale": (person("it.codicefiscale", "codice fiscale", "pii-eu"), ["it_IT"]),
    "BSN": (person("nl.bsn", "BSN", "pii-eu"), ["nl_NL"]),
    "PESEL": (person("pl.pesel", "PESEL", "pii-eu"), ["pl_PL"]),
    "personnummer": (person("se.personnummer", "personnummer", "pii-eu"), ["sv_SE"]),
    "HETU": (person("fi.hetu", "hetu", "pii-eu"), ["fi_FI"]),
    "fødselsnummer": (person("no.fodselsnummer", "fødselsnummer", "pii-eu"), ["no_NO"]),
    "rijksregister": (person("be.nn", "rijksregisternummer", "pii-eu"), ["nl_BE"]),
    "kimlik": (person("tr.tckimlik", "TC kimlik", "pii-eu"), ["tr_TR"]),
    "OIB": (person("hr.oib", "OIB", "pii-eu"), ["hr_HR"]),
    "CNP": (person("ro.cnp", "CNP", "pii-eu"), ["ro_RO"]),
    "isikukood": (person("ee.ik", "isikukood", "pii-eu"), ["et_EE"]),
    "SIN": (person("ca.sin", "SIN", "pii-world"), ["en_CA"]),
    "CPF": (person("br.cpf", "CPF", "pii-world"), ["pt_BR"]),
    "CUIT": (person("ar.cuit", "CUIT", "pii-world"), ["es_AR"]),
    "RRN": (person("kr.rrn", "주민등록번호", "pii-world"), ["ko_KR"]),
}


def drawn(kind, locale, count, seed):
    """Values that the oracle likes, and how many it did not."""
    fake = Faker(locale)
    fake.seed_instance(f"{seed} {kind.provider} {locale}")
    oracle = importlib.import_module("stdnum." + kind.oracle)
    is_right = oracle.is_valid
    if kind.oracle == "iban":
        is_right = functools.partial(oracle.is_valid, check_country=False)
    elif kind.oracle == "luhn":
        # The Ukrainian Faker begins cards of Prostir with 9 and anything; they begin with 9804.
        def is_right(value):
            return oracle.is_valid(value) and (value[0] != "9" or value.startswith("9804"))
    values = [getattr(fake, kind.provider)() for _ in range(count)]
    right = [value for value in values if is_right(value)]
    return right, count - len(right)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="2000 values of each locale")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    count, failed = 2000 if options.long else 100, False
    print("| numbers | locale | values | no such number | texts | found |\n|---|---|--:|--:|--:|--:|")
    for name, (kind, locales) in KINDS.items():
        for locale in locales:
            values, refused = drawn(kind, locale, count, options.seed)
            texts = [(place, form, make(kind.word, form)) for value in values for form in kind.forms(value)
                     for place, make in PLACES.items()]
            found = scan.findings([text for _, _, text in texts], kind.sensors)
            missed = [(place, text) for (place, form, text), hits in zip(texts, found) if not covers(hits, form, text)]
            share = 1 - len(missed) / len(texts) if texts else 0
            print(f"| {name} | {locale} | {len(values)} | {refused} | {len(texts)} | {share:.3%} |", flush=True)
            for place, text in missed[:8]:
                print(f"  missed, {place}: {text!r}")
            failed |= share < 0.999
    return 1 if failed else 0


def covers(hits, form, text):
    """Where it is escaped a finding is of as many bytes as it has without."""
    written = form if form in text else urllib.parse.quote(form)
    start = len(text[:text.index(written)].encode())
    return any(hit.start <= start and hit.end >= start + len(form.encode()) for hit in hits)


if __name__ == "__main__":
    sys.exit(main())
