#!/usr/bin/python3
"""Whether there is a class of numbers or secrets that presidio-analyzer or detect-secrets finds and Weir does not.

    WEIR=path/to/weir Tests/Detectors/oracles.py [--long] [--seed N] [NAME...]

For each of their recognisers: values that it takes itself (presidio's are drawn from its own expressions, those of detect-secrets from
what vendors publish) and that python-stdnum does not refuse, behind a word that says what they are. Weir must find them with its
ready sensors. What is not looked for, and what is found by sensors of low confidence alone, stands below with its reason. Needs both
packages; presidio is used without a language model. Exits 1 if less than 95 % of any class is found.
"""

import argparse
import base64
import collections
import importlib
import json
import logging
import os
import random
import re
import sys
import tempfile
import zlib

import scan

try:
    from re import _constants as node, _parser as parser
except ImportError:
    import sre_constants as node
    import sre_parse as parser

DIGITS, LETTERS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SETS = {
    "d": DIGITS, "u": LETTERS, "a": LETTERS.lower(), "h": "0123456789abcdef", "l": DIGITS + LETTERS.lower(),
    "w": DIGITS + LETTERS + LETTERS.lower(), "U": DIGITS + LETTERS, "b": LETTERS + "234567",
    "B": DIGITS + LETTERS + LETTERS.lower() + "+/", "s": DIGITS + LETTERS + LETTERS.lower() + "_-",
}


class Draw:
    """Values of a shape: {d3} is three digits, {h40} hexadecimal, {w} letters and digits, {s} those of base64url, and so on."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def shape(self, text):
        return re.sub(r"\{([a-zA-Z])(\d+)\}", lambda m: "".join(self.random.choices(SETS[m[1]], k=int(m[2]))), text)

    # MARK: Of an expression

    def matching(self, expression):
        """A text that it matches; look-around is not minded, the caller asks the expression itself."""
        return self.sequence(parser.parse(expression.replace("(?i)", "")), {})

    def sequence(self, items, groups):
        return "".join(self.item(kind, value, groups) for kind, value in items)

    def item(self, kind, value, groups):
        if kind is node.LITERAL:
            return chr(value)
        if kind is node.IN:
            return self.one_of(value)
        if kind is node.ANY or kind is node.NOT_LITERAL:
            return self.random.choice(SETS["l"])
        if kind in (node.MAX_REPEAT, node.MIN_REPEAT):
            low, high, inner = value
            count = self.random.randint(low, min(int(high), low + 12))
            return "".join(self.sequence(inner, groups) for _ in range(count))
        if kind is node.SUBPATTERN:
            groups[value[0]] = self.sequence(value[-1], groups)
            return groups[value[0]]
        if kind is node.BRANCH:
            return self.sequence(self.random.choice(value[1]), groups)
        if kind is node.GROUPREF:
            return groups.get(value, "")
        return ""

    def one_of(self, items):
        allowed = set()
        for kind, value in items:
            if kind is node.LITERAL:
                allowed.add(chr(value))
            elif kind is node.RANGE:
                allowed.update(map(chr, range(value[0], value[1] + 1)))
            elif kind is node.CATEGORY:
                allowed.update({node.CATEGORY_DIGIT: DIGITS, node.CATEGORY_SPACE: " "}.get(value, SETS["w"]))
        if items[0][0] is node.NEGATE:
            allowed = set(SETS["l"]) - allowed
        return self.random.choice(sorted(allowed))


# MARK: presidio-analyzer

# Recogniser: the word that documents have before such numbers; of several each is tried.
NUMBERS = {
    "AbaRoutingRecognizer": "routing number", "AuAbnRecognizer": "ABN", "AuAcnRecognizer": "ACN", "AuMedicareRecognizer": "Medicare",
    "AuTfnRecognizer": "TFN, tax file number", "CaPostalCodeRecognizer": "postal code", "CaSinRecognizer": "SIN, social insurance number",
    "CreditCardRecognizer": "credit card", "CryptoRecognizer": "wallet, bitcoin", "DeBsnrRecognizer": "BSNR, Betriebsstättennummer",
    "DeFuehrerscheinRecognizer": "Führerschein", "DeHandelsregisterRecognizer": "Handelsregister, Amtsgericht",
    "DeHealthInsuranceRecognizer": "Versichertennummer, KVNR", "DeIdCardRecognizer": "Personalausweis", "DeKfzRecognizer": "Kennzeichen",
    "DeLanrRecognizer": "LANR, Arztnummer", "DePassportRecognizer": "Reisepass", "DePlzRecognizer": "PLZ, Postleitzahl",
    "DeSocialSecurityRecognizer": "Rentenversicherungsnummer", "DeTaxIdRecognizer": "Steuer-ID", "DeTaxNumberRecognizer": "Steuernummer",
    "DeVatIdRecognizer": "USt-IdNr", "EmailRecognizer": "email", "EsNieRecognizer": "NIE", "EsNifRecognizer": "NIF, DNI",
    "EsPassportRecognizer": "pasaporte", "FiPersonalIdentityCodeRecognizer": "henkilötunnus", "IbanRecognizer": "IBAN",
    "InAadhaarRecognizer": "Aadhaar", "InGstinRecognizer": "GSTIN", "InPanRecognizer": "PAN", "InPassportRecognizer": "passport",
    "InVehicleRegistrationRecognizer": "vehicle registration", "InVoterRecognizer": "voter, EPIC", "IpRecognizer": "ip address",
    "ItDriverLicenseRecognizer": "patente", "ItFiscalCodeRecognizer": "codice fiscale", "ItIdentityCardRecognizer": "carta d'identità",
    "ItPassportRecognizer": "passaporto", "ItVatCodeRecognizer": "partita IVA", "KrBrnRecognizer": "사업자등록번호",
    "KrDriverLicenseRecognizer": "운전면허", "KrFrnRecognizer": "외국인등록번호", "KrPassportRecognizer": "여권",
    "KrRrnRecognizer": "주민등록번호, RRN", "MacAddressRecognizer": "mac address", "MedicalLicenseRecognizer": "DEA",
    "NgNinRecognizer": "NIN, national identification number", "NgVehicleRegistrationRecognizer": "plate number", "NhsRecognizer": "NHS",
    "PhPassportRecognizer": "passport", "PhTinRecognizer": "TIN", "PhUmidRecognizer": "UMID", "PhoneRecognizer": "phone, tel",
    "PlPeselRecognizer": "PESEL", "SeOrganisationsnummerRecognizer": "organisationsnummer", "SePersonnummerRecognizer": "personnummer",
    "SgFinRecognizer": "NRIC, FIN", "SgUenRecognizer": "UEN", "ThTninRecognizer": "Thai ID, เลขประจำตัวประชาชน",
    "TrLicensePlateRecognizer": "plaka", "TrNationalIdRecognizer": "TC kimlik", "UkDrivingLicenceRecognizer": "driving licence",
    "UkNinoRecognizer": "NINO, national insurance", "UkPassportRecognizer": "passport", "UkPostcodeRecognizer": "postcode",
    "UkVehicleRegistrationRecognizer": "vehicle registration", "UsBankRecognizer": "bank account, account number",
    "UsClaimNumberRecognizer": "claim number", "UsHealthInsuranceMemberIdRecognizer": "member id", "UsItinRecognizer": "ITIN",
    "UsLicenseRecognizer": "driver license", "UsMbiRecognizer": "Medicare, MBI", "UsNpiRecognizer": "NPI",
    "UsPassportRecognizer": "passport", "UsPrescriptionNumberRecognizer": "prescription number, Rx number",
    "UsPriorAuthorizationNumberRecognizer": "prior authorization number", "UsProviderTaxIdRecognizer": "provider tax id",
    "UsReferralNumberRecognizer": "referral number", "UsSsnRecognizer": "SSN, social security",
    "ZaCompanyRegistrationRecognizer": "company registration", "ZaDriverLicenseRecognizer": "driving licence",
    "ZaIdNumberRecognizer": "identity number, id number", "ZaIncomeTaxNumberRecognizer": "income tax, tax reference",
    "ZaLicensePlateRecognizer": "number plate", "ZaMobileNumberRecognizer": "mobile, phone",
    "ZaPassportRecognizer": "passport", "ZaTelephoneNumberRecognizer": "telephone, tel",
    "ZaTrafficRegisterNumberRecognizer": "traffic register number", "ZaVatNumberRecognizer": "VAT number",
}

# Not looked for: they are in every request, and nothing leaks by one of them alone.
NOT_NUMBERS = {"DateRecognizer", "UrlRecognizer", "UuidRecognizer"}

# Where an expression draws what nobody writes, what is drawn instead.
SHAPES = {
    "CreditCardRecognizer": "4{d15}|5{d15}|4{d3} {d4} {d4} {d4}|37{d13}|6011-{d4}-{d4}-{d4}", "InPanRecognizer": "{u3}P{u1}{d4}{u1}",
    "InAadhaarRecognizer": "{d12}|{d4} {d4} {d4}|{d4}-{d4}-{d4}", "InGstinRecognizer": "27{u3}P{u1}{d4}{u1}1Z{U1}",
    "InVoterRecognizer": "{u3}{d7}", "UkNinoRecognizer": "AB{d6}C|JG {d2} {d2} {d2} A",
    "KrPassportRecognizer": "M{d8}|M{d3}{u1}{d4}|S{d8}",
    "MedicalLicenseRecognizer": "B{u1}{d7}|M{u1}{d7}",
    "SgFinRecognizer": "S{d7}{u1}|F{d7}{u1}|T{d7}{u1}|G{d7}{u1}",
    "ItFiscalCodeRecognizer": "{u6}{d2}A{d2}H{d3}{u1}|{u6}{d2}T{d2}F{d3}{u1}",
    "UsMbiRecognizer": "1EG4-TE{d1}-MK{d2}|2{u1}{d2}{u1}{d2}{u2}{d2}",
    "ItVatCodeRecognizer": "{d11}", "DeTaxIdRecognizer": "{d11}|{d2} {d3} {d3} {d3}",
    "IpRecognizer": "{d2}.1{d2}.{d2}.{d1}|2001:db8:{h4}::{h4}",
    "SePersonnummerRecognizer": "{d6}-{d4}|19{d6}-{d4}|{d10}", "PlPeselRecognizer": "{d11}",
    "FiPersonalIdentityCodeRecognizer": "{d6}-{d3}{U1}|{d6}A{d3}{U1}", "UsNpiRecognizer": "{d10}",
    "DeHandelsregisterRecognizer": "HRB {d5}|HRA{d4}|HRB{d6}",
}


def swedish(value):
    """The oracle knows those with a sign before the last four digits alone."""
    return "-" not in value or importlib.import_module("stdnum.se.personnummer").is_valid(value)


def singaporean(value):
    """The letter behind the digits of a NRIC or FIN, which presidio does not look at."""
    total = sum(weight * int(digit) for weight, digit in zip((2, 7, 6, 5, 4, 3, 2), value[1:8])) + 4 * (value[0] in "TG")
    return value[8] == ("JZIHGFEDCBA" if value[0] in "ST" else "XWUTRQPNMLK")[total % 11]


# Presidio takes more than there is: what else must hold, as a module of python-stdnum or a rule.
RIGHT = {
    "AbaRoutingRecognizer": lambda v: int(v[:2]) in [*range(1, 13), *range(21, 33), *range(61, 73)], "AuAbnRecognizer": "au.abn",
    "AuTfnRecognizer": "au.tfn", "AuAcnRecognizer": "au.acn", "AuMedicareRecognizer": lambda v: v[-1] != "0", "CaSinRecognizer": "ca.sin",
    "DeTaxIdRecognizer": "de.idnr", "DeVatIdRecognizer": "de.vat", "EsNifRecognizer": "es.nif", "EsNieRecognizer": "es.nie",
    "FiPersonalIdentityCodeRecognizer": "fi.hetu", "InAadhaarRecognizer": "in_.aadhaar", "InGstinRecognizer": "in_.gstin",
    "InPanRecognizer": "in_.pan", "InVoterRecognizer": "in_.epic",
    "ItFiscalCodeRecognizer": "it.codicefiscale", "ItVatCodeRecognizer": "it.iva",
    "KrBrnRecognizer": "kr.brn", "KrRrnRecognizer": "kr.rrn", "NhsRecognizer": "gb.nhs", "PlPeselRecognizer": "pl.pesel",
    "SeOrganisationsnummerRecognizer": lambda v: v[2] >= "2", "SePersonnummerRecognizer": swedish,
    "SgUenRecognizer": "sg.uen", "ThTninRecognizer": "th.pin", "SgFinRecognizer": singaporean,
    "TrNationalIdRecognizer": "tr.tckimlik", "ZaIdNumberRecognizer": "za.idnr",
    "NgNinRecognizer": "verhoeff",
}

# Values that chance does not find, because of their checksum.
WRITTEN = {
    "CryptoRecognizer": [
        "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "bc1p5d7rjq7g6rdk2yhzks9smlaqtedr4dekq08ge8ztwac72sfr9rusxg3297"],
    "EmailRecognizer": ["jane.doe@example.com", "j+tag@mail.example.co.uk", "o'neil_2@sub.example.org", "info@bücher.example.de"],
    "UsHealthInsuranceMemberIdRecognizer": ["XYZ123456789", "ABC-1234567890", "W123456789", "H9998877", "YYZ1234A5678"],
    "ZaDriverLicenseRecognizer": ["4024000012AB", "6010012345CD", "30450001X4YZ"],
    "UsSsnRecognizer": ["536-90-4399", "536 90 4399", "536904399", "212-09-1234"],
    "UsLicenseRecognizer": ["D1234567", "S123456789012", "A12345678", "12345678"],
}


def numbers(recogniser, name, count, draw):
    """Values that the recogniser takes, with the word before them."""
    words = NUMBERS[name].split(", ")
    written = WRITTEN.get(name)
    if name in ("PhoneRecognizer", "ZaMobileNumberRecognizer", "ZaTelephoneNumberRecognizer"):
        written = phones(["ZA"] if name.startswith("Za") else ["US", "GB", "DE", "FR", "IL", "IN", "CA", "BR"])
    elif name == "IbanRecognizer":
        written = accounts()
    is_right = RIGHT.get(name, bool)
    if isinstance(is_right, str):
        is_right = importlib.import_module("stdnum." + is_right).is_valid
    values = []
    for turn in range(count * 300):
        if len(values) == count or written is not None and turn >= len(written):
            break
        if written is not None:
            value = written[turn]
        elif name in SHAPES:
            value = draw.shape(draw.random.choice(SHAPES[name].split("|")))
        else:
            value = draw.matching(draw.random.choice(recogniser.patterns).regex)
        if not is_right(value):
            continue
        word = words[len(values) % len(words)]
        text = f"{word}: {value}"
        if any(value in text[hit.start:hit.end] and hit.score > 0 for hit in taken(recogniser, text)):
            values.append((text, value))
    return values


def taken(recogniser, text):
    try:
        return recogniser.analyze(text, recogniser.supported_entities, None)
    except (ValueError, IndexError, AttributeError):
        return []


def phones(regions):
    library = importlib.import_module("phonenumbers")
    kinds = [library.PhoneNumberType.MOBILE, library.PhoneNumberType.FIXED_LINE]
    written = []
    for region in regions:
        for kind in kinds:
            number = library.example_number_for_type(region, kind)
            written += [library.format_number(number, form) for form in (
                library.PhoneNumberFormat.INTERNATIONAL, library.PhoneNumberFormat.NATIONAL, library.PhoneNumberFormat.E164)]
    return written


def accounts():
    samples = ["DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606", "NL91ABNA0417164300"]
    return [form for sample in samples for form in (sample, " ".join(re.findall(".{1,4}", sample)))]


def presidio(names, count, seed):
    logging.disable(logging.CRITICAL)
    module = importlib.import_module("presidio_analyzer.predefined_recognizers")
    base = importlib.import_module("presidio_analyzer").PatternRecognizer
    kinds = (base, module.PhoneRecognizer)
    known = {name for name, value in vars(module).items() if isinstance(value, type) and issubclass(value, kinds)}
    for name in sorted(known - set(NUMBERS) - NOT_NUMBERS - {"PatternRecognizer"}):
        yield name, []
    for name in sorted(set(NUMBERS) & set(dir(module))):
        if not names or name in names:
            yield name, numbers(getattr(module, name)(), name, count, Draw(f"{seed} {name}"))


# MARK: detect-secrets

KEY = "{B64}\n{B64}\n{B64}\n{B40}==\n"

# Detector: shapes that vendors publish, with what stands around them where a secret is nothing without it.
SECRETS = {
    "artifactory.ArtifactoryDetector": ["token=AKCp8{w68}", "artifactory password: AP6{w20}", "artifactory:AKC{w40}"],
    "aws.AWSKeyDetector": ["AKIA{b16}", "ASIA{b16}", "ABIA{b16}", "ACCA{b16}", 'aws_secret_access_key = "{B40}"'],
    "azure_storage_key.AzureStorageKeyDetector": ["AccountKey={B86}=="],
    "basic_auth.BasicAuthDetector": ["https://deploy:{w12}@{a8}.example.net/", "ftp://joe:{w10}@files.example.com/a"],
    "cloudant.CloudantDetector": [
        "https://{a10}:{h64}@{a10}.cloudant.com", "https://{a10}:{a24}@{a10}.cloudant.com", 'cloudant_password = "{h64}"',
        'cloudant_api_key = "{a24}"'],
    "discord.DiscordBotTokenDetector": ["bot token M{s23}.{s6}.{s27}", "discord: N{s25}.{s6}.{s27}"],
    "github_token.GitHubTokenDetector": ["{github ghp}", "{github gho}", "{github ghu}", "{github ghs}", "{github ghr}"],
    "gitlab_token.GitLabTokenDetector": [
        "glpat-{s20}", "gldt-{s20}", "glft-{s20}", "glsoat-{s20}", "glrt-{s20}", "GR1348941{s20}", "glcbt-{s20}", "glcbt-64_{s20}",
        "glimt-{l25}", "glptt-{h40}", "glagent-{s50}", "gloas-{h64}"],
    "ibm_cloud_iam.IbmCloudIamDetector": ['ibm_cloud_iam_api_key = "{s44}"', 'ibmcloud_api_key: "{s44}"'],
    "ibm_cos_hmac.IbmCosHmacDetector": ['cos_hmac_secret_access_key = "{h48}"', 'ibm_cos_secret_key="{h48}"'],
    "jwt.JwtTokenDetector": ["{jwt}"],
    "mailchimp.MailchimpDetector": ["{h32}-us{d2}"],
    "npm.NpmDetector": ["//registry.npmjs.org/:_authToken={github npm}", "//registry.npmjs.org/:_authToken={h8}-{h4}-{h4}-{h4}-{h12}"],
    "openai.OpenAIDetector": ["sk-{w20}T3BlbkFJ{w20}", "sk-proj-{s54}{w20}T3BlbkFJ{w20}"],
    "private_key.PrivateKeyDetector": [
        f"-----BEGIN {kind}-----\n{KEY}-----END {kind}-----" for kind in (
            "RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "SSH2 ENCRYPTED PRIVATE KEY")] + [
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA{B48}\n", f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{KEY}",
        "PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\n"],
    "pypi_token.PypiTokenDetector": ["pypi-AgEIcHlwaS5vcmc{s150}", "pypi-AgENdGVzdC5weXBpLm9yZw{s150}"],
    "sendgrid.SendGridDetector": ["SG.{s22}.{s43}"],
    "slack.SlackDetector": [
        "xoxb-{d12}-{d12}-{w24}", "xoxp-{d12}-{d12}-{d12}-{h32}", "xoxa-2-{d12}-{d12}-{h32}", "xoxs-{d10}-{d10}-{d10}-{h10}",
        "xoxo-{d12}-{h32}", "xoxr-{d12}-{h32}", "https://hooks.slack.com/services/T{U8}/B{U8}/{w24}"],
    "softlayer.SoftlayerDetector": ['softlayer_api_key = "{h64}"', 'sl_api_key: "{h64}"', "https://api.softlayer.com/soap/v3/{h64}"],
    "square_oauth.SquareOAuthDetector": ["sq0csp-{s43}"],
    "stripe.StripeDetector": ["sk_live_{w24}", "rk_live_{w24}", "sk_live_{w99}"],
    "telegram_token.TelegramBotTokenDetector": ["{d9}:AA{s33}", "{d10}:AA{s33}"],
    "twilio.TwilioKeyDetector": ["AC{h32}", "SK{h32}"],
}

# Found with `confidence: low` alone: what they find is most often nothing, so it is for those who ask for it.
GUESSES = {
    "keyword.KeywordDetector": [
        'password = "{w12}"', "api_key: '{w20}'", 'client_secret = "{w32}"', '"db_password": "{w14}"', "secret: '{w16}'"],
    "high_entropy_strings.Base64HighEntropyString": ['x = "{B40}"', "'{B64}'"],
    "high_entropy_strings.HexHighEntropyString": ['x = "{h40}"', "'{h64}'"],
    "ip_public.IPPublicDetector": ["8.8.4.4", "93.184.{d1}4.34"],
}


def token(draw, prefix):
    """The last six letters of GitHub's and npm's tokens are the CRC-32 of the others in base 62."""
    body, number, check = draw.shape("{w30}"), 0, ""
    number = zlib.crc32(body.encode())
    alphabet = DIGITS + LETTERS + LETTERS.lower()
    while number:
        number, digit = divmod(number, 62)
        check = alphabet[digit] + check
    return f"{prefix}_{body}{check.rjust(6, '0')}"


def web_token(draw):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    header = part({"alg": "HS256", "typ": "JWT"})
    return ".".join([header, part({"sub": draw.shape("{d10}"), "name": draw.shape("{a8}")}), draw.shape("{s43}")])


def secrets(detector, shapes, count, draw):
    values = []
    for turn in range(count * 5):
        if len(values) == count:
            break
        shape = re.sub(r"\{github (\w+)\}", lambda m: token(draw, m[1]), shapes[turn % len(shapes)])
        text = draw.shape(shape.replace("{jwt}", web_token(draw)))
        if any(detector.analyze_line(filename="x", line=line, line_number=1) for line in text.splitlines()):
            values.append((text, None))
    return values


def detect_secrets(names, count, seed, table):
    known = set()
    for file in os.listdir(os.path.dirname(importlib.import_module("detect_secrets.plugins").__file__)):
        if file.endswith(".py") and file not in ("__init__.py", "base.py"):
            module = importlib.import_module("detect_secrets.plugins." + file[:-3])
            known.update(f"{file[:-3]}.{name}" for name, value in vars(module).items() if isinstance(value, type)
                         and value.__module__ == module.__name__ and hasattr(value, "secret_type") and not value.__abstractmethods__)
    if table is SECRETS:
        for name in sorted(known - set(SECRETS) - set(GUESSES)):
            yield name, []
    for name, shapes in table.items():
        if not names or name in names:
            module, _, kind = name.partition(".")
            detector = getattr(importlib.import_module("detect_secrets.plugins." + module), kind)()
            yield name, secrets(detector, shapes, count, Draw(f"{seed} {name}"))


# MARK: The comparison

def every(confidence):
    """A configuration of one sensor with all ready ones in it."""
    ready = ["cards", "pii-us", "pii-fr", "pii-eu", "pii-world", "contact", "secrets", "keys"]
    return {"sensors": [{"name": "every", "detectors": ready, "confidence": confidence}]}


def compare(library, classes, confidence):
    """Prints a row for each class. Whether each of them is found."""
    good = True
    with tempfile.TemporaryDirectory() as directory:
        config = os.path.join(directory, "weir.yaml")
        with open(config, "w", encoding="ascii") as file:
            json.dump(every(confidence), file)
        for name, values in classes:
            found = scan.findings([text for text, _ in values], ["every"], config)
            missed = [text for (text, value), hits in zip(values, found) if not covers(hits, text, value)]
            share = 1 - len(missed) / len(values) if values else 0
            rules = collections.Counter(hit.rule for hits in found for hit in hits).most_common(3)
            print(f"| {library} | {name} | {len(values)} | {share:.1%} | {', '.join(rule for rule, _ in rules)} |", flush=True)
            for text in missed[:6] if share < 1 else []:
                print(f"  missed: {text[:120]!r}")
            good &= share >= 0.95
    return good


def covers(hits, text, value):
    """A finding covers the value; of secrets, whose finding may be all or part of the text, any will do."""
    if value is None:
        return bool(hits)
    start = len(text[:text.rindex(value)].encode())
    return any(hit.start <= start and hit.end >= start + len(value.encode()) for hit in hits)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--long", action="store_true", help="500 values of each class")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("names", nargs="*", default=[], metavar="NAME")
    options = options.parse_args()
    count = 500 if options.long else 60
    print("| oracle | class | values | found | by |\n|---|---|--:|--:|---|")
    good = [
        compare("presidio", presidio(options.names, count, options.seed), "medium"),
        compare("detect-secrets", detect_secrets(options.names, count, options.seed, SECRETS), "medium"),
        compare("detect-secrets, low", detect_secrets(options.names, count, options.seed, GUESSES), "low"),
    ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
