#!/usr/bin/python3
"""Compares the validators of number plans with python-stdnum, and prints where they disagree.

    WEIR=path/to/weir Tests/Detectors/differential.py [--long] [--seed N] [NAME...]

For each validator: values that the oracle likes, the same with one place changed, and values of the right shape, read by one
`weir scan` with a sensor that has nothing but the validator. 20 000 values each, a million with --long. Needs python-stdnum.
A disagreement that is meant is in MEANT, with its reason. Exits 1 if there is any other.
"""

import argparse
import importlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile

DIGITS, LETTERS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SETS = {"d": DIGITS, "u": LETTERS, "U": DIGITS + LETTERS}

# Validator: the module of the oracle, and what its values look like.
PLANS = {
    "nir": ("fr.nir", "{1}{d2}{m}{d2}{d6}{d2}"), "siren": ("fr.siren", "{d9}"), "siret": ("fr.siret", "{d14}"),
    "vat-fr": ("fr.tva", "FR{d11}"), "tax-fr": ("fr.nif", "{d13}"), "iban": ("iban", "DE{d20}"),
    "nhs-uk": ("gb.nhs", "{d10}"), "utr-uk": ("gb.utr", "{d10}"), "vat-uk": ("gb.vat", "GB{d9}"),
    "pps-ie": ("ie.pps", "{d7}{u1}"), "dni-es": ("es.dni", "{d8}{u1}"), "nie-es": ("es.nie", "X{d7}{u1}"),
    "cif-es": ("es.cif", "B{d8}"), "nif-pt": ("pt.nif", "{d9}"), "cc-pt": ("pt.cc", "{d9}Z{U1}{d1}"),
    "cf-it": ("it.codicefiscale", "{u6}{d2}A{d2}H{d3}{u1}"), "iva-it": ("it.iva", "{d7}0{d3}"),
    "idnr-de": ("de.idnr", "{d11}"), "vat-de": ("de.vat", "DE{d9}"), "uid-at": ("at.uid", "ATU{d8}"),
    "ahv-ch": ("ch.ssn", "756{d10}"), "uid-ch": ("ch.uid", "CHE{d9}"), "bsn-nl": ("nl.bsn", "{d9}"),
    "btw-nl": ("nl.btw", "NL{d9}B{d2}"), "vat-be": ("be.vat", "BE0{d9}"), "tva-lu": ("lu.tva", "LU{d8}"),
    "pesel-pl": ("pl.pesel", "{d2}{m}{d7}"), "nip-pl": ("pl.nip", "{d10}"), "regon-pl": ("pl.regon", "{d9}"),
    "rc-cz": ("cz.rc", "{d2}{m}{d6}"), "adoszam-hu": ("hu.anum", "{d8}"), "cnp-ro": ("ro.cnp", "{d3}{m}{d8}"),
    "cui-ro": ("ro.cui", "RO{d8}"), "egn-bg": ("bg.egn", "{d2}{m}{d6}"), "oib-hr": ("hr.oib", "{d11}"),
    "emso-si": ("si.emso", "{d2}{m}9{d8}"), "vat-si": ("si.ddv", "SI{d8}"), "amka-gr": ("gr.amka", "{d2}{m}{d7}"),
    "vat-gr": ("gr.vat", "EL{d9}"), "kimlik-tr": ("tr.tckimlik", "{d11}"), "rntrc-ua": ("ua.rntrc", "{d10}"),
    "inn-ru": ("ru.inn", "{d12}"), "vat-se": ("se.vat", "SE{d10}01"), "alv-fi": ("fi.alv", "FI{d8}"),
    "cvr-dk": ("dk.cvr", "DK{d8}"), "kennitala-is": ("is_.kennitala", "{d2}{m}{d5}9"), "ik-ee": ("ee.ik", "3{d2}{m}{d6}"),
    "sin-ca": ("ca.sin", "{d9}"), "cpf-br": ("br.cpf", "{d11}"), "cnpj-br": ("br.cnpj", "{d14}"),
    "cuit-ar": ("ar.cuit", "20{d9}"), "rut-cl": ("cl.rut", "{d9}"), "nit-co": ("co.nit", "{d10}"),
    "ruc-pe": ("pe.ruc", "20{d9}"), "aadhaar-in": ("in_.aadhaar", "{d12}"), "pan-in": ("in_.pan", "{u3}P{u1}{d4}{u1}"),
    "gstin-in": ("in_.gstin", "27{u3}P{u1}{d4}{u1}1Z{U1}"), "rrn-kr": ("kr.rrn", "{d2}{m}{d9}"),
    "mynumber-jp": ("jp.in_", "{d12}"), "pin-th": ("th.pin", "{d13}"), "tfn-au": ("au.tfn", "{d9}"),
    "abn-au": ("au.abn", "{d11}"), "ird-nz": ("nz.ird", "{d8}"), "id-il": ("il.idnr", "{d9}"),
    "id-za": ("za.idnr", "{d2}{m}{d6}{0}{d2}"), "imei": ("imei", "{d15}"), "isin": ("isin", "US{U9}{d1}"),
    "cusip": ("cusip", "{U8}{d1}"), "sedol": ("gb.sedol", "{U6}{d1}"), "lei": ("lei", "{U18}{d2}"),
    "luhn": ("luhn", "{d16}"), "verhoeff": ("verhoeff", "{d12}"), "nn-be": ("be.nn", "{d2}{m}{d7}"),
    "aba-us": ("us.rtn", "{d9}"), "ssn-us": ("us.ssn", "{d9}"), "itin-us": ("us.itin", "9{d8}"),
    "curp-mx": ("mx.curp", "GAXX{d2}{m}{d2}HDF{u3}0{d1}"), "ric-cn": ("cn.ric", "110101198{d1}{m}{d6}"),
    "cedula-do": ("do.cedula", "{d11}"), "ci-ec": ("ec.ci", "17{d8}"), "hetu-fi": ("fi.hetu", "{d2}{m}{d2}A{d3}{U1}"),
    "fnr-no": ("no.fodselsnummer", "{d2}{m}{d7}"), "pk-lv": ("lv.pvn", "{d2}{m}{d2}1{d4}"),
}


def is_same(value):
    return len(set(value)) == 1


# Where we differ and mean it: the first says that a value is one of those.
MEANT = {
    "iban": (lambda v, taken: v[2:4] in ("00", "01", "99"), "the oracle takes check digits that the sum never gives"),
    "nir": (lambda v, taken: not taken, "the oracle looks at the key alone, we at sex, month, department and commune too"),
    "ssn-us": (lambda v, taken: v in ("123456789", "219099999", "457555462"), "printed in advertisements"),
    "aba-us": (lambda v, taken: not taken, "we know which districts there are"),
    "itin-us": (lambda v, taken: v[3:5] in [str(n) for n in range(50, 66)], "groups since 2013"),
    "nip-pl": (lambda v, taken: v[0] == "0", "no office begins with 0"),
    "vat-fr": (lambda v, taken: v[4:7] == "000", "companies of Monaco"),
    "vat-be": (lambda v, taken: taken, "the oracle takes nine digits too"),
    "nn-be": (lambda v, taken: taken, "those who are not in the register are other numbers to the oracle"),
    "vat-gr": (lambda v, taken: v[2:] == "0" * 9, "no number"),
    "fnr-no": (lambda v, taken: taken, "the oracle refuses birthdays to come"),
    "pk-lv": (lambda v, taken: taken, "the oracle takes companies too"),
    "abn-au": (lambda v, taken: v[0] == "0", "never begins with 0"),
    "curp-mx": (lambda v, taken: taken, "the oracle knows states and bad words"),
    "ric-cn": (lambda v, taken: taken, "the oracle knows places"),
    "cedula-do": (lambda v, taken: taken, "the oracle has exceptions"),
    "ci-ec": (lambda v, taken: not taken, "the oracle knows more kinds"),
    "id-za": (lambda v, taken: taken, "the oracle refuses birthdays to come"),
    "cc-pt": (lambda v, taken: taken, "the oracle does not reduce its sum"),
    "cf-it": (lambda v, taken: not taken, "the oracle takes company numbers, and other centuries"),
}


class Draw:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def value(self, template):
        def one(match):
            kind = match.group(1)
            if kind == "m":
                return "%02d" % self.random.randint(1, 12)
            if kind in DIGITS:
                return kind
            return "".join(self.random.choice(SETS[kind]) for _ in range(int(match.group(2))))
        return re.sub(r"\{([a-zA-Z0-9])(\d*)\}", one, template)

    def changed(self, value):
        at = self.random.randrange(len(value))
        kind = DIGITS if value[at] in DIGITS else LETTERS
        return value[:at] + self.random.choice(kind) + value[at + 1:]


def values(oracle, template, count, draw):
    """Half of them like a right value with one place changed, or none."""
    right, drawn = [], []
    while len(drawn) < count:
        value = draw.value(template)
        if oracle(value):
            right.append(value)
        drawn.append(value)
        if right:
            drawn.append(draw.changed(draw.random.choice(right)))
    return drawn + right


def accepted(weir, name, texts):
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
        done = subprocess.run(
            [weir, "scan", "-c", config, "--sensor", "only", "--json", text], capture_output=True, check=False)
        if done.returncode > 1:
            sys.exit(done.stderr.decode())
        return {offsets[json.loads(line)["offset"]] for line in done.stdout.splitlines()}


def compare(weir, name, count, draw):
    module, template = PLANS[name]
    oracle = importlib.import_module(f"stdnum.{module}").is_valid
    texts = [value for value in set(values(oracle, template, count, draw)) if not is_same(value)]
    taken = accepted(weir, name, texts)
    meant = MEANT.get(name, (lambda value, taken: False, ""))[0]
    wrong = [value for value in texts if (value in taken) != oracle(value) and not meant(value, value in taken)]
    print(f"{name}: {len(texts)} values, {len(taken)} taken, {len(wrong)} disagreements", flush=True)
    for value in wrong[:10]:
        print(f"  {value}: the oracle says {oracle(value)}")
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="a million values each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("names", nargs="*", default=[], metavar="NAME")
    options = parser.parse_args()
    draw = Draw(options.seed)
    names = options.names or list(PLANS)
    count = 1_000_000 if options.long else 20_000
    agreed = [compare(os.environ["WEIR"], name, count, draw) for name in names]
    return 0 if all(agreed) else 1


if __name__ == "__main__":
    sys.exit(main())
