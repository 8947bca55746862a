#!/usr/bin/python3
"""Compares the validators of number plans with python-stdnum, and prints where they disagree.

    WEIR=path/to/weir Tests/Detectors/differential.py [--long] [--seed N] [NAME...]

For each validator: values that the oracle likes, the same with one place changed or two exchanged, and values of the right shape,
read by one `weir scan` with a sensor that has nothing but the validator. 20 000 values each, a million with --long, as many
validators at once as there are processors; what is drawn depends on the seed and the validator alone. Needs python-stdnum.
A disagreement that is meant is in MEANT, with its reason. Exits 1 if there is any other.
"""

import argparse
import datetime
import importlib
import json
import multiprocessing
import os
import random
import re
import sys
import tempfile

import scan

DIGITS, LETTERS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SETS = {"d": DIGITS, "u": LETTERS, "U": DIGITS + LETTERS}

# Validator: the module of the oracle, and what its values look like; of several shapes each is drawn as often. {d2} is two
# digits, {u} letters, {U} either, {m} a month.
PLANS = {
    "nir": ("fr.nir", "1{d2}{m}{d2}{d6}{d2} 1{d2}{m}2A{d8} 2{d2}{m}2B{d8} {d15}"), "siren": ("fr.siren", "{d9}"),
    "siret": ("fr.siret", "{d14}"), "vat-fr": ("fr.tva", "FR{d11} FR{U2}{d9}"), "tax-fr": ("fr.nif", "{d13}"),
    "iban": ("iban", "IBAN"), "nhs-uk": ("gb.nhs", "{d10}"), "utr-uk": ("gb.utr", "{d10}"),
    "vat-uk": ("gb.vat", "GB{d9} GB{d12}"), "pps-ie": ("ie.pps", "{d7}{u1} {d7}{u2}"), "dni-es": ("es.dni", "{d8}{u1}"),
    "nie-es": ("es.nie", "X{d7}{u1} Y{d7}{u1} Z{d7}{u1}"), "cif-es": ("es.cif", "B{d8} {u1}{d7}{U1}"),
    "nif-pt": ("pt.nif", "{d9}"), "cc-pt": ("pt.cc", "{d9}{u2}{d1}"),
    "cf-it": ("it.codicefiscale", "{u6}{d2}A{d2}H{d3}{u1} {u6}{d2}{u1}{d2}{u1}{d3}{u1} {u6}{U2}T{U2}Z{U3}{u1}"),
    "iva-it": ("it.iva", "{d7}0{d3}"), "idnr-de": ("de.idnr", "{d11}"), "vat-de": ("de.vat", "DE{d9}"),
    "uid-at": ("at.uid", "ATU{d8}"), "ahv-ch": ("ch.ssn", "756{d10}"), "uid-ch": ("ch.uid", "CHE{d9}"),
    "bsn-nl": ("nl.bsn", "{d9}"), "btw-nl": ("nl.btw", "NL{d9}B{d2}"), "vat-be": ("be.vat", "BE0{d9} BE1{d9}"),
    "tva-lu": ("lu.tva", "LU{d8}"), "pesel-pl": ("pl.pesel", "{d2}{m}{d7} {d11}"), "nip-pl": ("pl.nip", "{d10}"),
    "regon-pl": ("pl.regon", "{d9}"), "rc-cz": ("cz.rc", "{d2}{m}{d6} {d2}{m}{d5} {d10}"), "adoszam-hu": ("hu.anum", "{d8}"),
    "cnp-ro": ("ro.cnp", "{d3}{m}{d8}"), "cui-ro": ("ro.cui", "RO{d8} RO{d10} RO{d6} RO{d4}"),
    "egn-bg": ("bg.egn", "{d2}{m}{d6}"), "oib-hr": ("hr.oib", "{d11}"), "emso-si": ("si.emso", "{d2}{m}9{d8}"),
    "vat-si": ("si.ddv", "SI{d8}"), "amka-gr": ("gr.amka", "{d2}{m}{d7}"), "vat-gr": ("gr.vat", "EL{d9}"),
    "kimlik-tr": ("tr.tckimlik", "{d11}"), "rntrc-ua": ("ua.rntrc", "{d10}"), "inn-ru": ("ru.inn", "{d12} {d10}"),
    "vat-se": ("se.vat", "SE{d10}01"), "alv-fi": ("fi.alv", "FI{d8}"), "cvr-dk": ("dk.cvr", "DK{d8}"),
    "kennitala-is": ("is_.kennitala", "{d2}{m}{d5}9 {d2}{m}{d5}0 {d10}"), "ik-ee": ("ee.ik", "3{d2}{m}{d6} 6{d2}{m}{d6} {d11}"),
    "sin-ca": ("ca.sin", "{d9}"), "cpf-br": ("br.cpf", "{d11}"), "cnpj-br": ("br.cnpj", "{d14}"),
    "cuit-ar": ("ar.cuit", "20{d9} 30{d9} {d11}"), "rut-cl": ("cl.rut", "{d9} {d8}K {d8} {d7}K"),
    "nit-co": ("co.nit", "{d10} {d9} {d8}"), "ruc-pe": ("pe.ruc", "20{d9}"), "aadhaar-in": ("in_.aadhaar", "{d12}"),
    "pan-in": ("in_.pan", "{u3}P{u1}{d4}{u1} {u5}{d4}{u1}"),
    "gstin-in": ("in_.gstin", "27{u3}P{u1}{d4}{u1}1Z{U1} {d2}{u3}C{u1}{d4}{u1}{U1}Z{U1}"), "rrn-kr": ("kr.rrn", "{d2}{m}{d9}"),
    "mynumber-jp": ("jp.in_", "{d12}"), "pin-th": ("th.pin", "{d13}"), "tfn-au": ("au.tfn", "{d9}"),
    "abn-au": ("au.abn", "{d11}"), "acn-au": ("au.acn", "{d9}"), "ird-nz": ("nz.ird", "{d8} {d9}"), "id-il": ("il.idnr", "{d9}"),
    "id-za": ("za.idnr", "{d2}{m}{d6}{0}{d2}"), "imei": ("imei", "{d15}"), "isin": ("isin", "US{U9}{d1} {u2}{U9}{d1}"),
    "cusip": ("cusip", "{U8}{d1}"), "sedol": ("gb.sedol", "{U6}{d1} {d7}"), "lei": ("lei", "{U18}{d2}"),
    "luhn": ("luhn", "{d16} {d15} {d9}"), "verhoeff": ("verhoeff", "{d12}"), "nn-be": ("be.nn", "{d2}{m}{d7} {d2}00{d7} {d11}"),
    "aba-us": ("us.rtn", "{d9}"), "ssn-us": ("us.ssn", "{d9} 9{d8} 000{d6} 666{d6} {d3}00{d4} {d5}0000"),
    "itin-us": ("us.itin", "9{d8}"), "curp-mx": ("mx.curp", "GAXX{d2}{m}{d2}HDF{u3}0{d1} {u4}{d2}{m}{d2}MJC{u3}A{d1}"),
    "ric-cn": ("cn.ric", "110101198{d1}{m}{d6} 110101198{d1}{m}{d5}X {d6}19{d2}{m}{d6}"), "cedula-do": ("do.cedula", "{d11}"),
    "ci-ec": ("ec.ci", "17{d8} {d10}"), "hetu-fi": ("fi.hetu", "{d2}{m}{d2}A{d3}{U1}"),
    "fnr-no": ("no.fodselsnummer", "{d2}{m}{d7} 4{d1}{m}{d7} {d2}4{d8}"), "pk-lv": ("lv.pvn", "{d2}{m}{d2}1{d4}"),
    "pnr-se": ("se.personnummer", "{d2}{m}{d6} 19{d2}{m}{d6}"), "orgnr-se": ("se.orgnr", "{d10}"),
    "orgnr-no": ("no.orgnr", "{d9}"), "cpr-dk": ("dk.cpr", "{d2}{m}{d6}"), "vnr-at": ("at.vnr", "{d6}{m}{d2}"),
    "nric-my": ("my.nric", "{d2}{m}{d8}"), "ein-us": ("us.ein", "{d9}"), "mod97": ("iso7064.mod_97_10", "{d20} {U18}{d2}"),
    "mod11-10": ("iso7064.mod_11_10", "{d11} {d9}"), "bic": ("bic", "{u8} {u6}{U2} {u6}{U5}"),
    "nik-id": ("id.nik", "{d6}{d2}{m}{d6}"), "card": ("luhn", "4{d15} 5{d15} 3{d14} 2{d15} 6{d15} {d13} {d12} 0604{d8} 22{d14} 9{d15}"),
}


def oracle(name):
    """What tells whether a value is right: a function of the oracle, or what is published where the oracle falls short of it."""
    module = importlib.import_module("stdnum." + PLANS[name][0])
    return OWN.get(name, lambda module: module.is_valid)(module)


# MARK: Where we differ and mean it, with the source of the rule

def both(rule):
    """The oracle's check, and the rule."""
    return lambda module: lambda value: module.is_valid(value) and rule(value)


def nir(value):
    """The oracle looks at the key alone. INSEE: sex, month (or one of those for incomplete certificates), place and order."""
    month = int(value[3:5])
    return (value[0] in "123478" and (1 <= month <= 12 or 20 <= month <= 42 or month >= 50) and value[5:7] not in ("00", "96")
            and value[7:10] != "000" and value[10:13] != "000")


def cards(module):
    """Of the oracle the sum. The number plans of ISO/IEC 7812 issuers as they publish them, the widest where lists differ."""
    plans = [
        ("4", "13 16 18 19"), ("51-55 2221-2720", "16"), ("34 37 2131 1800", "15"), ("35 2200-2204", "16 17 18 19"),
        ("300-305 309 36 38 39 81 82", "14 15 16 17 18 19"), ("493698 50 56-69", "12 13 14 15 16 17 18 19"), ("0604", "12"),
        ("8600 9860 9792 9804", "16"),
    ]
    prefixes = {}
    for ranges, lengths in plans:
        for one in ranges.split():
            low, _, high = one.partition("-")
            for prefix in range(int(low), int(high or low) + 1):
                prefixes.setdefault(str(prefix).zfill(len(low)), set()).update(map(int, lengths.split()))

    def check(value):
        return module.is_valid(value) and any(len(value) in prefixes.get(value[:n], ()) for n in range(1, 7))
    return check


def without_today(module):
    """The oracle refuses birthdays to come, and so says something else each day. Those of a century on are the same to us."""
    class Later(datetime.date):
        @classmethod
        def today(cls):
            return cls(2199, 12, 31)

    class Calendar:
        date = Later
    module.datetime = Calendar
    return module.is_valid


def belgian(module):
    """The oracle refuses numbers of those who are in no register: their month is 20 or 40 more (Royal Decree of 8 January 2006)."""
    is_valid = without_today(module)

    def check(value):
        month = int(value[2:4])
        if month < 20:
            return is_valid(value)
        key = int(value[9:])
        return (20 <= month <= 32 or 40 <= month <= 52) and (
            97 - int(value[:9]) % 97 == key or 97 - int("2" + value[:9]) % 97 == key)
    return check


def chinese(module):
    """Without the places, of which the oracle has a list that grows each year. The first two digits are of a province (GB/T 2260)."""
    provinces = [*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66), 71, 81, 82, 91]

    def check(value):
        try:
            return (value[:-1].isdigit() and value[-1] == module.calc_check_digit(value) and int(value[:2]) in provinces
                    and 1800 <= module.get_birth_date(value).year <= 2100)
        except module.ValidationError:
            return False
    return check


def swedish(module):
    """The oracle refuses numbers of those who are not in the register, whose day is 60 more (Skatteverket, SKV 707)."""
    def check(value):
        if len(value) == 12 and value[:2] not in ("18", "19", "20"):
            return False
        value = value[-10:]
        day = int(value[4:6])
        try:
            datetime.date(2000 + int(value[:2]), int(value[2:4]), day - 60 if day > 60 else day)
        except ValueError:
            return False
        return module.luhn.is_valid(value)
    return check


def indonesian(module):
    """Without the regencies, of which the oracle has a list. It takes any day modulo 40; 41 to 71 are women's."""
    provinces = [*range(11, 20), 21, *range(31, 37), *range(51, 54), *range(61, 66), *range(71, 77), 81, 82, *range(91, 98)]

    def check(value):
        day = int(value[6:8])
        try:
            datetime.date(2000 + int(value[10:12]), int(value[8:10]), day - 40 if day > 40 else day)
        except ValueError:
            return False
        return int(value[:2]) in provinces and value[2:4] != "00" and value[12:] != "0000"
    return check


def mexican(module):
    """Without the words that the register does not let names spell. X is a sex since 2023."""
    def check(value):
        try:
            module.get_birth_date(value)
        except (ValueError, module.ValidationError):
            return False
        return (re.match("[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9]$", value) is not None and value[11:13] in module._valid_states
                and value[-1] == module.calc_check_digit(value))
    return check


def austrian(module):
    """The oracle looks at the sum alone. The last six digits are the birthday."""
    def check(value):
        try:
            datetime.date(2000 + int(value[8:]), int(value[6:8]), int(value[4:6]))
        except ValueError:
            return False
        return module.is_valid(value)
    return check


OWN = {
    "pnr-se": swedish, "nik-id": indonesian, "curp-mx": mexican, "vnr-at": austrian,
    # The third digit is 2 or more, so that it is no month (Skatteverket, SKV 709).
    "orgnr-se": both(lambda v: v[2] >= "2"),
    # Those of the register begin with 8 or 9 (Brønnøysundregistrene).
    "orgnr-no": both(lambda v: v[0] in "89"),
    "card": cards, "ric-cn": chinese,
    "nir": both(nir),
    # The keys that banks of some countries have inside their numbers are not looked at: the sum of the whole finds the same errors.
    # ISO 13616: check digits are digits, from 02 to 98 as the sum gives them.
    "iban": lambda module: lambda v: module.is_valid(v, check_country=False) and v[2:4].isdigit() and 2 <= int(v[2:4]) <= 98,
    # Printed in advertisements (SSA, "Social Security Number Misuse").
    "ssn-us": both(lambda v: v not in ("123456789", "219099999", "457555462")),
    # ABA Key to Routing Numbers: there are 12 districts, the same plus 20 for thrifts, plus 60 for electronic transfers, and 80.
    "aba-us": both(lambda v: int(v[:2]) in [*range(1, 13), *range(21, 33), *range(61, 73), 80]),
    # IRS, since 2013: the groups 50 to 65 as well.
    "itin-us": lambda module: lambda v: module.is_valid(v) or v[0] == "9" and 50 <= int(v[3:5]) <= 65,
    # No tax office has a number below 100 (Ordinance of 2003 on identification of taxpayers).
    "nip-pl": both(lambda v: v[0] != "0"),
    # Those of Monaco, which the oracle takes whatever their sum, are not companies of France.
    "vat-fr": lambda module: lambda v: module.is_valid(v) and module.siren.is_valid(v[4:]),
    # Of the oracle without its shorter old form.
    "vat-be": both(lambda v: len(v) == 12), "vat-gr": both(lambda v: len(v) == 11 and v[2:] != "0" * 9),
    # The first of the number's own digits is not 0.
    "abn-au": both(lambda v: v[0] != "0"),
    # ISO 17442-1: the check digits are digits, as ISO/IEC 7064 MOD 97-10 has them.
    "lei": both(lambda v: v[18:].isdigit()),
    # The oracle takes those of companies, which have eleven digits, for fiscal codes too.
    "cf-it": both(lambda v: len(v) == 16),
    # The oracle takes companies too, which begin with 4 to 9, and centuries to come.
    "pk-lv": both(lambda v: v[0] <= "3" and (v[:2] == "32" or v[6] <= "2")),
    # The oracle takes some numbers that were once given out with a wrong digit.
    "cedula-do": lambda module: lambda v: len(v) == 11 and module.luhn.is_valid(v),
    "nn-be": belgian, "fnr-no": without_today, "id-za": without_today, "cpr-dk": without_today,
    "ik-ee": without_today, "nric-my": without_today,
}


class Draw:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def value(self, shape):
        def one(match):
            kind = match.group(1)
            if kind == "m":
                return "%02d" % self.random.randint(1, 12)
            return "".join(self.random.choices(SETS[kind], k=int(match.group(2) or 1)))
        return re.sub(r"\{([a-zA-Z])(\d*)\}", one, self.random.choice(shape))

    def changed(self, value):
        at = self.random.randrange(len(value))
        if at and self.random.random() < 0.25:
            return value[:at - 1] + value[at] + value[at - 1] + value[at + 1:]
        kind = DIGITS if value[at] in DIGITS else LETTERS
        return value[:at] + self.random.choice(kind) + value[at + 1:]


def shapes(name):
    if name != "iban":
        return PLANS[name][1].split()
    # Of every country of the registry; letters and digits where it has them, and a country it does not know.
    database = importlib.import_module("stdnum.numdb").get("iban")
    every = [country + "{d2}" + re.sub(r"(\d+)!([nac])", lambda part: "{%s%s}" % ({"n": "d", "a": "u", "c": "U"}[part[2]], part[1]),
                                       properties["bban"])
             for _, country, _, properties, _ in database.prefixes]
    return every + ["ZZ{d20}"]


def values(name, check, count, draw):
    """For each value whether it is right. Half of them are like a right one with something changed."""
    shape, drawn, right = shapes(name), {}, []
    for _ in range(2 * count):
        if len(drawn) == count:
            break
        value = draw.value(shape) if not right or draw.random.random() < 0.5 else draw.changed(draw.random.choice(right))
        if name in ("iban", "lei", "mod97") and draw.random.random() < 0.3:
            value = mended(name, value)
        # A run of one digit is a placeholder to us, whatever its sum.
        if value in drawn or len(set(value)) == 1:
            continue
        drawn[value] = check(value)
        if drawn[value]:
            right.append(value)
    return drawn


def mended(name, value):
    """With the check digits that make it right: chance alone would find one in 97."""
    from stdnum.iso7064 import mod_97_10
    if name == "iban":
        return value[:2] + mod_97_10.calc_check_digits(value[4:] + value[:2]) + value[4:]
    return value[:-2] + mod_97_10.calc_check_digits(value[:-2])


def accepted(name, texts):
    """The values that the validator takes."""
    with tempfile.TemporaryDirectory() as directory:
        config, text = os.path.join(directory, "weir.yaml"), os.path.join(directory, "values")
        rule = {"name": "r", "patterns": [{"regex": "(?m)^[0-9A-Z]+$", "validator": name}]}
        with open(config, "w", encoding="ascii") as file:
            json.dump({"sensors": [{"name": "only", "rules": [rule]}]}, file)
        with open(text, "w", encoding="ascii") as file:
            offsets, offset = {}, 0
            for value in texts:
                offsets[offset] = value
                file.write(value + "\n")
                offset += len(value) + 1
        return {offsets[line["raw_offset"]] for line in scan.lines([text], ["only"], config)}


def compare(work):
    """The number of disagreements, and what is to be said of them."""
    name, count, seed = work
    drawn = values(name, oracle(name), count, Draw(f"{seed} {name}"))
    taken = accepted(name, drawn)
    wrong = [value for value, is_right in drawn.items() if (value in taken) != is_right]
    told = [f"{name}: {len(drawn)} values, {sum(drawn.values())} right, {len(wrong)} disagreements"]
    return len(wrong), told + [f"  {value}: the oracle says {drawn[value]}" for value in wrong[:10]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="a million values each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("names", nargs="*", default=[], metavar="NAME")
    options = parser.parse_args()
    work = [(name, 1_000_000 if options.long else 20_000, options.seed) for name in options.names or PLANS]
    wrong = 0
    with multiprocessing.Pool() as pool:
        for count, told in pool.imap_unordered(compare, work):
            print(*told, sep="\n", flush=True)
            wrong += count
    print(f"{len(work)} validators, {wrong} disagreements")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
