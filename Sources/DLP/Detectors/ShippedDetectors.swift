/// The shipped detectors: conf/detectors/*.yaml without the vectors, so that a binary far from its configuration has them.
/// Made by Tests/Detectors/embed.py; a test holds the two equal.
enum ShippedDetectors {
    /// One detector a line: name, description, sensors, edges, validator, confidence, words, home domains, allowed values, patterns.
    private static let text = #"""
        card ¦ Payment card numbers: issuer ranges, lengths, Luhn ¦ credit-card, cards ¦ number ¦ card ¦ medium ¦ 40; high; card number, card no, card num, card nr, credit card, debit card, payment card, bank card, cc, ccn, cc number, pan, visa, mastercard, amex, carte bancaire, carte bleue, numéro de carte, kreditkarte, kartennummer, tarjeta, cvv, cvc ¦ - ¦ - ¦ (?:[3-6][0-9]|06|18|2[1-7]|8[126]|9[78])[0-9]{2}(?:[0-9]{8,15}|([ -])[0-9]{4}\1[0-9]{4}(?:\1[0-9]{1,4})?|([ -])[0-9]{6}\2[0-9]{4,5}) ;; (?:[3-6][0-9]|06|18|2[1-7]|8[126]|9[78])[0-9]{2}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}\1[0-9]{1,3}
        card-track-1 ¦ Track 1 of a magnetic stripe: number, name, expiry ¦ cards ¦ none ¦ - ¦ high ¦ - ¦ - ¦ - ¦ %?B[0-9]{12,19}\^[A-Z /.'-]{2,26}\^[0-9]{2}(?:0[1-9]|1[0-2])[0-9]{3,30}
        card-track-2 ¦ Track 2 of a magnetic stripe: number and expiry ¦ cards ¦ none ¦ - ¦ high ¦ - ¦ - ¦ - ¦ (?<![0-9A-Za-z]);?[0-9]{12,19}=[0-9]{2}(?:0[1-9]|1[0-2])[0-9]{3}[0-9]{5,20}\?
        card-code ¦ Verification codes beside a card ¦ cards ¦ start ¦ - ¦ low ¦ 120; high; card, pan, visa, mastercard, amex, expiry, exp, card number ¦ - ¦ - ¦ (?i:cvv2?|cvc2?|cid|csc|card (?:security|verification) code|security_code)["\']?\s{0,3}[:=]\s{0,3}["\']?[0-9]{3,4}(?![0-9A-Za-z.])
        ssn ¦ Social Security numbers, written with separators ¦ ssn-us, pii-us ¦ number ¦ ssn-us ¦ medium ¦ 40; high; ssn, social security, soc sec, social, taxpayer, ss #, ssa ¦ - ¦ 111-22-3333 ¦ [0-9]{3}([ .-])[0-9]{2}\1[0-9]{4}
        ssn-plain ¦ Social Security numbers of nine digits, near words that say so ¦ pii-us ¦ number ¦ ssn-us ¦ low ¦ 40; high; ssn, social security, soc sec ¦ - ¦ - ¦ [0-9]{9}
        itin ¦ Individual Taxpayer Identification Numbers ¦ pii-us ¦ number ¦ itin-us ¦ medium ¦ 40; high; itin, taxpayer, tax id, tin ¦ - ¦ - ¦ 9[0-9]{2}([ -])[0-9]{2}\1[0-9]{4}
        ein ¦ Employer Identification Numbers ¦ pii-us ¦ number ¦ ein-us ¦ low ¦ 40; medium; ein, fein, employer, federal tax, tax id ¦ - ¦ - ¦ [0-9]{2}-[0-9]{7}
        ptin ¦ Preparer Tax Identification Numbers ¦ pii-us ¦ number ¦ - ¦ low ¦ 40; medium; ptin, preparer ¦ - ¦ - ¦ P[0-9]{8}
        aba-routing ¦ Routing numbers of banks ¦ pii-us ¦ number ¦ aba-us ¦ low ¦ 40; medium; routing, aba, rtn ¦ - ¦ - ¦ [0-9]{4}-?[0-9]{4}-?[0-9]
        npi ¦ National Provider Identifiers ¦ pii-us ¦ number ¦ npi-us ¦ low ¦ 40; high; npi, national provider ¦ - ¦ - ¦ [12][0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}
        dea ¦ Numbers of prescribers at the DEA ¦ pii-us ¦ number ¦ dea-us ¦ low ¦ 40; high; dea, prescriber, prescription, rx ¦ - ¦ - ¦ [ABCDEFGHJKLMPRSTUX][A-Z9][0-9]{7}
        medicare ¦ Medicare Beneficiary Identifiers ¦ pii-us ¦ number ¦ mbi-us ¦ low ¦ 40; high; medicare, mbi, beneficiary, hicn ¦ - ¦ - ¦ [1-9][A-Z][0-9A-Z][0-9]-?[A-Z][0-9A-Z][0-9]-?[A-Z]{2}[0-9]{2}
        passport-us ¦ Passport numbers ¦ pii-us ¦ number ¦ - ¦ low ¦ 24; medium; passport, passport number, passport no ¦ - ¦ - ¦ [A-Z]?[0-9]{8,9}
        driver-us ¦ Driver licence numbers ¦ pii-us ¦ number ¦ - ¦ low ¦ 24; medium; driver license, drivers license, driver licence, driving license, dln, dl no ¦ - ¦ - ¦ [A-Z][0-9]{7,12}
        itin-plain ¦ Individual Taxpayer Identification Numbers in any writing, near words that say so ¦ pii-us ¦ number ¦ itin-us ¦ low ¦ 40; high; itin, taxpayer identification ¦ - ¦ - ¦ 9[0-9]{2}[ -]?[0-9]{2}[ -]?[0-9]{4}
        bank-account-us ¦ Bank accounts, near words that say so ¦ pii-us ¦ number ¦ - ¦ low ¦ 24; medium; bank account, account number, account no, acct number, acct no, checking account, savings account ¦ - ¦ - ¦ [0-9]{8,17}
        driver-us-digits ¦ Driver licence numbers of digits alone ¦ pii-us ¦ number ¦ - ¦ low ¦ 24; medium; driver license, drivers license, driver licence, driving license, dln, dl no ¦ - ¦ - ¦ [0-9]{7,9}
        claim-us ¦ Numbers of medical claims ¦ pii-us ¦ number ¦ - ¦ low ¦ 24; medium; claim number, claim no, claim id, medical claim ¦ - ¦ - ¦ (?:CLM-?)?[0-9]{6,15}
        member-id-us ¦ Members of health insurances ¦ pii-us ¦ number ¦ - ¦ low ¦ 24; medium; member id, member number, member no, subscriber id, policy number, policy no, health insurance ¦ - ¦ - ¦ [A-Z]{1,5}-?[0-9A-Z]{0,4}[0-9]{3}[0-9A-Z]{1,10}
        prescription-us ¦ Numbers of prescriptions ¦ pii-us ¦ number ¦ - ¦ low ¦ 24; medium; prescription number, prescription no, prescription id, prescription, rx number, rx no, rx ¦ - ¦ - ¦ (?:RX-?)?[0-9]{6,12}
        authorization-us ¦ Prior authorizations of health insurances ¦ pii-us ¦ number ¦ - ¦ low ¦ 32; medium; prior authorization, prior authorization number, prior auth, preauthorization, pre auth number, authorization number ¦ - ¦ - ¦ (?:PA-?|AUTH-?)?[0-9]{6,12}
        referral-us ¦ Numbers of referrals ¦ pii-us ¦ number ¦ - ¦ low ¦ 24; medium; referral number, referral no, referral id, referral ¦ - ¦ - ¦ (?:REF-?|INF-?)?[0-9]{6,12}
        nir ¦ Social security numbers (NIR) with their key, of Corsica too ¦ ssn-fr, pii-fr ¦ number ¦ nir ¦ medium ¦ 40; high; nir, insee, sécurité sociale, securite sociale, sécu, secu, ssn, numéro ss, num ss, assuré, assure, social ¦ - ¦ - ¦ [123478]([ .]?)[0-9]{2}\1[0-9]{2}\1(?:[0-9]{2}|2[ABab])\1[0-9]{3}\1[0-9]{3}[ .]?[0-9]{2}
        siren ¦ Companies (SIREN) ¦ pii-fr ¦ number ¦ siren ¦ low ¦ 40; high; siren, rcs, entreprise, société, societe ¦ - ¦ - ¦ [0-9]{3}([ .]?)[0-9]{3}\1[0-9]{3}
        siret ¦ Establishments (SIRET), those of La Poste too ¦ pii-fr ¦ number ¦ siret ¦ low ¦ 40; high; siret, établissement, etablissement, entreprise ¦ - ¦ - ¦ [0-9]{3}([ .]?)[0-9]{3}\1[0-9]{3}[ .]?[0-9]{5}
        vat-fr ¦ Value-added tax numbers ¦ pii-fr ¦ number ¦ vat-fr ¦ medium ¦ 40; high; tva, vat ¦ - ¦ - ¦ FR ?[0-9A-HJ-NP-Z]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}
        tax-fr ¦ Tax numbers (SPI) ¦ pii-fr ¦ number ¦ tax-fr ¦ low ¦ 40; high; fiscal, numéro fiscal, numero fiscal, spi, impôts, impots, contribuable ¦ - ¦ - ¦ [0-3][0-9] ?[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}
        account-fr ¦ Bank accounts (RIB) with their key ¦ pii-fr ¦ number ¦ rib-fr ¦ medium ¦ 40; high; rib, compte, iban, banque ¦ - ¦ - ¦ [0-9]{5} ?[0-9]{5} ?[0-9A-Z]{11} ?[0-9]{2}
        id-card-fr ¦ Identity cards of before 2021 ¦ pii-fr ¦ number ¦ - ¦ low ¦ 60; medium; cni, carte identité, carte identite, carte nationale ¦ - ¦ - ¦ [0-9]{4}[0-9A-B][0-9]{7}
        passport-fr ¦ Passports ¦ pii-fr ¦ number ¦ - ¦ low ¦ 40; medium; passeport, passport ¦ - ¦ - ¦ [0-9]{2}[A-Z]{2}[0-9]{5}
        phone-fr ¦ Telephone numbers ¦ pii-fr ¦ number ¦ - ¦ low ¦ 40; medium; tel, tél, téléphone, telephone, mobile, portable, phone ¦ - ¦ - ¦ (?:\+33 ?[1-9]|0[1-9])(?:[ .-]?[0-9]{2}){4}
        iban ¦ Bank accounts (IBAN): lengths by country, MOD 97-10 ¦ pii-eu, pii-fr ¦ number ¦ iban ¦ high ¦ - ¦ - ¦ - ¦ [A-Z]{2}[0-9]{2}[0-9A-Z]{11,30} ;; [A-Z]{2}[0-9]{2}([ -])[0-9A-Z]{4}(?:\1[0-9A-Z]{4}){1,6}(?:\1[0-9A-Z]{1,3})?
        bic ¦ Banks (BIC), near words that say so ¦ pii-eu, pii-fr ¦ number ¦ bic ¦ low ¦ 24; medium; bic, swift, swift code, bic swift ¦ - ¦ - ¦ [A-Z]{6}[0-9A-Z]{2}(?:[0-9A-Z]{3})?
        nhs-uk ¦ NHS numbers of England ¦ pii-eu ¦ number ¦ nhs-uk ¦ low ¦ 40; high; nhs, nhs number ¦ - ¦ - ¦ [0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}
        nino-uk ¦ National Insurance numbers of the United Kingdom ¦ pii-eu ¦ number ¦ nino-uk ¦ low ¦ 40; high; nino, ni, ni number, ni no, national insurance, insurance ¦ - ¦ - ¦ [A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]
        utr-uk ¦ Taxpayer references of the United Kingdom ¦ pii-eu ¦ number ¦ utr-uk ¦ low ¦ 40; high; utr, taxpayer reference, self assessment, tax reference ¦ - ¦ - ¦ [0-9]{5} ?[0-9]{5}
        vat-uk ¦ Value-added tax numbers of the United Kingdom ¦ pii-eu ¦ number ¦ vat-uk ¦ medium ¦ 40; high; vat, tax ¦ - ¦ - ¦ (?:GB|XI) ?[0-9]{3} ?[0-9]{4} ?[0-9]{2}(?: ?[0-9]{3})?
        pps-ie ¦ Personal Public Service numbers of Ireland ¦ pii-eu ¦ number ¦ pps-ie ¦ low ¦ 40; high; pps, ppsn, personal public service ¦ - ¦ - ¦ [0-9]{7}[A-W][ABHWTX]?
        dni-es ¦ Identity documents of Spain (DNI) ¦ pii-eu ¦ number ¦ dni-es ¦ low ¦ 40; high; dni, nif, documento, identidad ¦ - ¦ - ¦ [0-9]{7,8}[ -]?[A-HJ-NP-TV-Z]
        nie-es ¦ Foreigners in Spain (NIE) ¦ pii-eu ¦ number ¦ nie-es ¦ medium ¦ 40; high; nie, nif, extranjero, dni ¦ - ¦ - ¦ [XYZ][ -]?[0-9]{7}[ -]?[A-HJ-NP-TV-Z]
        cif-es ¦ Companies of Spain (CIF) ¦ pii-eu ¦ number ¦ cif-es ¦ low ¦ 40; high; cif, nif, empresa ¦ - ¦ - ¦ [A-HJNP-SU-W][ -]?[0-9]{7}[ -]?[0-9A-J]
        nss-es ¦ Social security numbers of Spain ¦ pii-eu ¦ number ¦ nss-es ¦ low ¦ 40; high; nss, seguridad social, naf, afiliación, afiliacion ¦ - ¦ - ¦ [0-9]{2}[ /-]?[0-9]{8}[ /-]?[0-9]{2}
        nif-pt ¦ Tax numbers of Portugal (NIF) ¦ pii-eu ¦ number ¦ nif-pt ¦ low ¦ 40; high; nif, contribuinte, nipc ¦ - ¦ - ¦ [0-9]{3} ?[0-9]{3} ?[0-9]{3}
        cc-pt ¦ Citizen cards of Portugal ¦ pii-eu ¦ number ¦ cc-pt ¦ low ¦ 40; high; cartão, cartao, cidadão, cidadao, cc ¦ - ¦ - ¦ [0-9]{8} ?[0-9] ?[A-Z]{2}[0-9]
        cf-it ¦ Fiscal codes of Italy ¦ pii-eu ¦ number ¦ cf-it ¦ high ¦ 40; high; codice fiscale, cf ¦ - ¦ - ¦ [A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]
        iva-it ¦ Value-added tax numbers of Italy ¦ pii-eu ¦ number ¦ iva-it ¦ low ¦ 40; high; iva, partita iva, p iva ¦ - ¦ - ¦ (?:IT ?)?[0-9]{11}
        idnr-de ¦ Tax numbers of Germany (Steuer-ID) ¦ pii-eu ¦ number ¦ idnr-de ¦ low ¦ 40; high; steuer, steuer id, steueridentifikationsnummer, idnr, tin, tax id, steuernummer ¦ - ¦ - ¦ [1-9][0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}
        vat-de ¦ Value-added tax numbers of Germany ¦ pii-eu ¦ number ¦ vat-de ¦ medium ¦ 40; high; ust, vat, umsatzsteuer, ust idnr ¦ - ¦ - ¦ DE[ .-]?[0-9]{3}[ .-]?[0-9]{3}[ .-]?[0-9]{3}
        pension-de ¦ Pension insurance numbers of Germany ¦ pii-eu ¦ number ¦ pension-de ¦ medium ¦ 40; high; rentenversicherung, sozialversicherung, rvnr, versicherungsnummer, svnr ¦ - ¦ - ¦ [0-9]{2} ?[0-9]{6} ?[A-Z] ?[0-9]{3}
        id-card-de ¦ Identity cards of Germany ¦ pii-eu ¦ number ¦ - ¦ low ¦ 40; medium; personalausweis, ausweis, ausweisnummer, perso ¦ - ¦ - ¦ [CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{8}[0-9]?
        vnr-at ¦ Social insurance numbers of Austria ¦ pii-eu ¦ number ¦ vnr-at ¦ low ¦ 40; high; svnr, sozialversicherung, versicherungsnummer, sv nummer ¦ - ¦ - ¦ [1-9][0-9]{3} ?[0-9]{6}
        uid-at ¦ Value-added tax numbers of Austria ¦ pii-eu ¦ number ¦ uid-at ¦ medium ¦ 40; high; uid, ust, vat ¦ - ¦ - ¦ ATU ?[0-9]{8}
        ahv-ch ¦ Social insurance numbers of Switzerland (AHV) ¦ pii-eu ¦ number ¦ ahv-ch ¦ medium ¦ 40; high; ahv, avs, navs, versichertennummer ¦ - ¦ - ¦ 756([. ]?)[0-9]{4}\1[0-9]{4}\1[0-9]{2}
        uid-ch ¦ Companies of Switzerland ¦ pii-eu ¦ number ¦ uid-ch ¦ medium ¦ 40; high; uid, ide, mwst, tva, vat ¦ - ¦ - ¦ CHE[ -]?[0-9]{3}[. ]?[0-9]{3}[. ]?[0-9]{3}
        bsn-nl ¦ Citizen service numbers of the Netherlands (BSN) ¦ pii-eu ¦ number ¦ bsn-nl ¦ low ¦ 40; high; bsn, burgerservicenummer, sofinummer, sofi, persoonsnummer ¦ - ¦ 123456782 ;; 111222333 ¦ [0-9]{4}[. ]?[0-9]{2}[. ]?[0-9]{3}
        btw-nl ¦ Value-added tax numbers of the Netherlands ¦ pii-eu ¦ number ¦ btw-nl ¦ medium ¦ 40; high; btw, vat ¦ - ¦ - ¦ NL ?[0-9]{9} ?B ?[0-9]{2}
        nn-be ¦ National numbers of Belgium ¦ pii-eu ¦ number ¦ nn-be ¦ low ¦ 40; high; rijksregister, rijksregisternummer, registre national, niss, insz, national number, nationaal nummer, bis ¦ - ¦ - ¦ [0-9]{2}([.]?)[0-9]{2}\1[0-9]{2}[- ]?[0-9]{3}[. ]?[0-9]{2}
        vat-be ¦ Companies of Belgium ¦ pii-eu ¦ number ¦ vat-be ¦ medium ¦ 40; high; btw, tva, vat, ondernemingsnummer ¦ - ¦ - ¦ BE ?[01][0-9]{3}[. ]?[0-9]{3}[. ]?[0-9]{3}
        tva-lu ¦ Value-added tax numbers of Luxembourg ¦ pii-eu ¦ number ¦ tva-lu ¦ medium ¦ 40; high; tva, vat ¦ - ¦ - ¦ LU ?[0-9]{8}
        pesel-pl ¦ Personal numbers of Poland (PESEL) ¦ pii-eu ¦ number ¦ pesel-pl ¦ low ¦ 40; high; pesel ¦ - ¦ - ¦ [0-9]{11}
        nip-pl ¦ Tax numbers of Poland (NIP) ¦ pii-eu ¦ number ¦ nip-pl ¦ low ¦ 40; high; nip, podatkowy ¦ - ¦ - ¦ (?:PL ?)?[0-9]{3}([ -]?)(?:[0-9]{3}\1[0-9]{2}|[0-9]{2}\1[0-9]{3})\1[0-9]{2}|(?:PL ?)?[0-9]{3}-[0-9]{3}-[0-9]{2}-[0-9]{2}
        regon-pl ¦ Companies of Poland (REGON) ¦ pii-eu ¦ number ¦ regon-pl ¦ low ¦ 40; high; regon ¦ - ¦ - ¦ [0-9]{9}(?:[0-9]{5})?
        rc-cz ¦ Birth numbers of Czechia and Slovakia ¦ pii-eu ¦ number ¦ rc-cz ¦ low ¦ 40; high; rodné číslo, rodne cislo, rodné, rodne, rč, rc ¦ - ¦ - ¦ [0-9]{6}/?[0-9]{3,4}
        adoszam-hu ¦ Tax numbers of Hungary ¦ pii-eu ¦ number ¦ adoszam-hu ¦ low ¦ 40; high; adószám, adoszam ¦ - ¦ - ¦ [0-9]{8}(?:-[1-5]-[0-9]{2})?
        cnp-ro ¦ Personal numbers of Romania (CNP) ¦ pii-eu ¦ number ¦ cnp-ro ¦ low ¦ 40; high; cnp, cod numeric ¦ - ¦ - ¦ [1-9][0-9]{12}
        cui-ro ¦ Companies of Romania ¦ pii-eu ¦ number ¦ cui-ro ¦ low ¦ 40; high; cui, cif, vat ¦ - ¦ - ¦ RO ?[0-9]{4,10}
        egn-bg ¦ Civil numbers of Bulgaria (EGN) ¦ pii-eu ¦ number ¦ egn-bg ¦ low ¦ 40; high; егн, ЕГН, egn ¦ - ¦ - ¦ [0-9]{10}
        oib-hr ¦ Personal numbers of Croatia (OIB) ¦ pii-eu ¦ number ¦ oib-hr ¦ low ¦ 40; high; oib ¦ - ¦ - ¦ [0-9]{11}
        emso-si ¦ Personal numbers of Slovenia and its neighbours (EMŠO, JMBG) ¦ pii-eu ¦ number ¦ emso-si ¦ low ¦ 40; high; emso, emšo, jmbg ¦ - ¦ - ¦ [0-9]{13}
        vat-si ¦ Value-added tax numbers of Slovenia ¦ pii-eu ¦ number ¦ vat-si ¦ medium ¦ 40; high; ddv, vat, davčna, davcna ¦ - ¦ - ¦ SI ?[0-9]{8}
        amka-gr ¦ Social security numbers of Greece (AMKA) ¦ pii-eu ¦ number ¦ amka-gr ¦ low ¦ 40; high; amka, αμκα, ΑΜΚΑ ¦ - ¦ - ¦ [0-9]{11}
        vat-gr ¦ Tax numbers of Greece ¦ pii-eu ¦ number ¦ vat-gr ¦ medium ¦ 40; high; afm, αφμ, ΑΦΜ, vat ¦ - ¦ - ¦ (?:EL|GR) ?[0-9]{9}
        pnr-se ¦ Personal numbers of Sweden ¦ pii-eu ¦ number ¦ pnr-se ¦ low ¦ 40; high; personnummer, pnr, samordningsnummer, ssn ¦ - ¦ - ¦ (?:18|19|20)?[0-9]{6}[-+]?[0-9]{4}
        orgnr-se ¦ Companies of Sweden ¦ pii-eu ¦ number ¦ orgnr-se ¦ low ¦ 40; high; orgnr, organisationsnummer, org nr ¦ - ¦ - ¦ [0-9]{6}-?[0-9]{4}
        vat-se ¦ Value-added tax numbers of Sweden ¦ pii-eu ¦ number ¦ vat-se ¦ medium ¦ 40; high; moms, vat, momsnr ¦ - ¦ - ¦ SE ?[0-9]{12}
        fnr-no ¦ Birth numbers of Norway ¦ pii-eu ¦ number ¦ fnr-no ¦ low ¦ 40; high; fødselsnummer, fodselsnummer, personnummer, fnr ¦ - ¦ - ¦ [0-9]{6} ?[0-9]{5}
        orgnr-no ¦ Companies of Norway ¦ pii-eu ¦ number ¦ orgnr-no ¦ low ¦ 40; high; orgnr, organisasjonsnummer, org nr, mva ¦ - ¦ - ¦ [89][0-9]{2} ?[0-9]{3} ?[0-9]{3}
        cpr-dk ¦ Personal numbers of Denmark (CPR) ¦ pii-eu ¦ number ¦ cpr-dk ¦ low ¦ 40; high; cpr, cpr nr, personnummer ¦ - ¦ - ¦ [0-9]{6}[- ]?[0-9]{4}
        cvr-dk ¦ Value-added tax numbers of Denmark ¦ pii-eu ¦ number ¦ cvr-dk ¦ medium ¦ 40; high; cvr, vat, moms ¦ - ¦ - ¦ DK ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2}
        hetu-fi ¦ Identity codes of Finland ¦ pii-eu ¦ number ¦ hetu-fi ¦ medium ¦ 40; high; henkilötunnus, henkilotunnus, hetu, personbeteckning ¦ - ¦ - ¦ [0-3][0-9][01][0-9][0-9]{2}[-+ABCDEFYXWVU][0-9]{3}[0-9A-FHJ-NPR-Y]
        alv-fi ¦ Value-added tax numbers of Finland ¦ pii-eu ¦ number ¦ alv-fi ¦ medium ¦ 40; high; alv, vat ¦ - ¦ - ¦ FI ?[0-9]{8}
        kennitala-is ¦ Identity numbers of Iceland ¦ pii-eu ¦ number ¦ kennitala-is ¦ low ¦ 40; high; kennitala, kt ¦ - ¦ - ¦ [0-7][0-9]{5}-?[0-9]{4}
        ik-ee ¦ Personal codes of Estonia and Lithuania ¦ pii-eu ¦ number ¦ ik-ee ¦ low ¦ 40; high; isikukood, asmens kodas, ik, personal code ¦ - ¦ - ¦ [1-8][0-9]{10}
        pk-lv ¦ Personal codes of Latvia ¦ pii-eu ¦ number ¦ pk-lv ¦ low ¦ 40; high; personas kods, pk ¦ - ¦ - ¦ [0-3][0-9]{5}-?[0-9]{5}
        kimlik-tr ¦ Identity numbers of Turkey ¦ pii-eu ¦ number ¦ kimlik-tr ¦ low ¦ 40; high; kimlik, tckn, tc kimlik ¦ - ¦ - ¦ [1-9][0-9]{10}
        rntrc-ua ¦ Tax numbers of Ukraine ¦ pii-eu ¦ number ¦ rntrc-ua ¦ low ¦ 40; high; рнокпп, РНОКПП, іпн, ІПН, rnokpp, inn ¦ - ¦ - ¦ [0-9]{10}
        inn-ru ¦ Tax numbers of Russia (INN) ¦ pii-eu ¦ number ¦ inn-ru ¦ low ¦ 40; high; инн, ИНН, inn ¦ - ¦ - ¦ [0-9]{10}(?:[0-9]{2})?
        doctor-de ¦ Doctors (LANR) and surgeries (BSNR) of Germany ¦ pii-eu ¦ number ¦ - ¦ low ¦ 40; medium; bsnr, betriebsstättennummer, betriebsstätte, lanr, arztnummer ¦ - ¦ - ¦ [0-9]{9}
        driver-de ¦ Driving licences of Germany ¦ pii-eu ¦ number ¦ - ¦ low ¦ 40; medium; führerschein, fuehrerschein, führerscheinnummer, fahrerlaubnis, fahrerlaubnisnummer ¦ - ¦ - ¦ [A-Z][0-9A-Z]{2}[0-9]{6}[0-9A-Z]{2}
        register-de ¦ Companies of the registers of Germany (HRA, HRB) ¦ pii-eu ¦ number ¦ - ¦ low ¦ 40; medium; handelsregister, handelsregisternummer, amtsgericht, registergericht, registernummer ¦ - ¦ - ¦ HR[AB] {0,4}[0-9]{1,6}
        insured-de ¦ Members of statutory health insurances of Germany (KVNR) ¦ pii-eu ¦ number ¦ - ¦ low ¦ 40; medium; kvnr, versichertennummer, krankenversicherungsnummer, krankenversichertennummer, krankenversicherung, gesundheitskarte ¦ - ¦ - ¦ [A-Z][0-9]{9}
        tax-number-de ¦ Tax numbers of Germany (Steuernummer) ¦ pii-eu ¦ number ¦ - ¦ low ¦ 40; medium; steuernummer, steuernr, st nr, stnr ¦ - ¦ - ¦ [0-9]{2,3}/[0-9]{3,4}/[0-9]{4,5} ;; (?:0[1-9]|1[0-6])[0-9]{11}
        driver-it ¦ Driving licences of Italy ¦ pii-eu ¦ number ¦ - ¦ low ¦ 40; medium; patente, patente guida, patente di guida, licenza di guida ¦ - ¦ - ¦ [A-Z]{2}[0-9]{7}[A-Z] ;; U1[0-9A-Z]{7}[A-Z]
        id-card-it ¦ Identity cards of Italy ¦ pii-eu ¦ number ¦ - ¦ low ¦ 40; medium; carta d'identità, carta d'identita, carta identità, carta identita, documento ¦ - ¦ - ¦ [A-Z]{2} ?[0-9]{7} ;; [0-9]{7}[A-Z]{2} ;; [A-Z]{2}[0-9]{5}[A-Z]{2}
        driver-uk ¦ Driving licences of the United Kingdom ¦ pii-eu ¦ number ¦ - ¦ low ¦ 40; medium; driving licence, driving license, drivers licence, driver licence, dvla ¦ - ¦ - ¦ [A-Z9]{5}[0-9][0156][0-9][0-3][0-9]{2}[A-Z9]{2}[0-9A-Z][A-Z]{2}
        sin-ca ¦ Social Insurance Numbers of Canada ¦ pii-world ¦ number ¦ sin-ca ¦ low ¦ 40; high; sin, social insurance, nas, assurance sociale ¦ - ¦ - ¦ [1-79][0-9]{2}([ -]?)[0-9]{3}\1[0-9]{3}
        cpf-br ¦ Persons of Brazil (CPF) ¦ pii-world ¦ number ¦ cpf-br ¦ low ¦ 40; high; cpf ¦ - ¦ - ¦ [0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}|[0-9]{11}
        cnpj-br ¦ Companies of Brazil (CNPJ) ¦ pii-world ¦ number ¦ cnpj-br ¦ low ¦ 40; high; cnpj ¦ - ¦ - ¦ [0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}|[0-9]{14}
        curp-mx ¦ Persons of Mexico (CURP) ¦ pii-world ¦ number ¦ curp-mx ¦ high ¦ 40; high; curp ¦ - ¦ - ¦ [A-Z][AEIOUX][A-Z]{2}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9]
        cuit-ar ¦ Taxpayers of Argentina (CUIT) ¦ pii-world ¦ number ¦ cuit-ar ¦ low ¦ 40; high; cuit, cuil ¦ - ¦ - ¦ (?:20|23|24|27|30|33|34|50|51|55)-?[0-9]{8}-?[0-9]
        rut-cl ¦ Persons and companies of Chile (RUT) ¦ pii-world ¦ number ¦ rut-cl ¦ low ¦ 40; high; rut ¦ - ¦ - ¦ [0-9]{1,2}\.?[0-9]{3}\.?[0-9]{3}-?[0-9K]
        nit-co ¦ Taxpayers of Colombia (NIT) ¦ pii-world ¦ number ¦ nit-co ¦ low ¦ 40; high; nit ¦ - ¦ - ¦ [0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]
        ruc-pe ¦ Taxpayers of Peru (RUC) ¦ pii-world ¦ number ¦ ruc-pe ¦ low ¦ 40; high; ruc ¦ - ¦ - ¦ (?:10|15|16|17|20)[0-9]{9}
        ci-ec ¦ Persons of Ecuador ¦ pii-world ¦ number ¦ ci-ec ¦ low ¦ 40; high; cédula, cedula, ci ¦ - ¦ - ¦ [0-9]{9}-?[0-9]
        cedula-do ¦ Persons of the Dominican Republic ¦ pii-world ¦ number ¦ cedula-do ¦ low ¦ 40; high; cédula, cedula ¦ - ¦ - ¦ [0-9]{3}-?[0-9]{7}-?[0-9]
        aadhaar-in ¦ Residents of India (Aadhaar) ¦ pii-world ¦ number ¦ aadhaar-in ¦ low ¦ 40; high; aadhaar, aadhar, uidai, uid, आधार ¦ - ¦ - ¦ [2-9][0-9]{3}([ -]?)[0-9]{4}\1[0-9]{4}
        pan-in ¦ Taxpayers of India (PAN) ¦ pii-world ¦ number ¦ pan-in ¦ low ¦ 40; high; pan, pan card, permanent account, income tax ¦ - ¦ AAAPA1234A ¦ [A-Z]{3}[ABCFGHLJPTK][A-Z][0-9]{4}[A-Z]
        gstin-in ¦ Companies of India (GSTIN) ¦ pii-world ¦ number ¦ gstin-in ¦ high ¦ 40; high; gstin, gst ¦ - ¦ - ¦ [0-3][0-9][A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z[0-9A-Z]
        ric-cn ¦ Residents of China ¦ pii-world ¦ number ¦ ric-cn ¦ medium ¦ 40; high; 身份证, 居民身份证, id card, identity, citizen id ¦ - ¦ - ¦ [1-9][0-9]{5}(?:18|19|20)[0-9]{9}[0-9Xx]
        rrn-kr ¦ Residents of Korea ¦ pii-world ¦ number ¦ rrn-kr ¦ low ¦ 40; high; 주민등록번호, 주민번호, rrn, resident registration ¦ - ¦ - ¦ [0-9]{6}-?[0-9]{7}
        mynumber-jp ¦ Individual numbers of Japan ¦ pii-world ¦ number ¦ mynumber-jp ¦ low ¦ 40; high; マイナンバー, 個人番号, my number, mynumber ¦ - ¦ - ¦ [0-9]{4}([ -]?)[0-9]{4}\1[0-9]{4}
        id-tw ¦ Identity cards of Taiwan ¦ pii-world ¦ number ¦ id-tw ¦ low ¦ 40; high; 身分證, 身份證, id card, national id, identity ¦ - ¦ A123456789 ¦ [A-Z][1289][0-9]{8}
        hkid-hk ¦ Identity cards of Hong Kong ¦ pii-world ¦ number ¦ hkid-hk ¦ medium ¦ 40; high; hkid, 身份證, id card ¦ - ¦ - ¦ [A-Z]{1,2}[0-9]{6}\([0-9A]\)
        nric-sg ¦ Identity cards of Singapore ¦ pii-world ¦ number ¦ nric-sg ¦ low ¦ 40; high; nric, fin, identity card, ic ¦ - ¦ S1234567D ¦ [STFGM][0-9]{7}[A-Z]
        nric-my ¦ Identity cards of Malaysia ¦ pii-world ¦ number ¦ nric-my ¦ low ¦ 40; high; mykad, nric, kad pengenalan, ic, ic no ¦ - ¦ - ¦ [0-9]{6}-?[0-9]{2}-?[0-9]{4}
        nik-id ¦ Identity numbers of Indonesia (NIK) ¦ pii-world ¦ number ¦ nik-id ¦ low ¦ 40; high; nik, ktp, nomor induk ¦ - ¦ - ¦ [1-9][0-9]{15}
        pin-th ¦ Identity numbers of Thailand ¦ pii-world ¦ number ¦ pin-th ¦ low ¦ 80; high; เลขประจำตัวประชาชน, บัตรประชาชน, thai id, national id, citizen id ¦ - ¦ - ¦ [1-8][0-9]{12}|[1-8]-[0-9]{4}-[0-9]{5}-[0-9]{2}-[0-9]
        tfn-au ¦ Tax file numbers of Australia ¦ pii-world ¦ number ¦ tfn-au ¦ low ¦ 40; high; tfn, tax file ¦ - ¦ 123456782 ¦ [0-9]{3} ?[0-9]{3} ?[0-9]{3}
        abn-au ¦ Businesses of Australia ¦ pii-world ¦ number ¦ abn-au ¦ low ¦ 40; high; abn, australian business ¦ - ¦ - ¦ [1-9][0-9] ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}
        medicare-au ¦ Medicare cards of Australia ¦ pii-world ¦ number ¦ medicare-au ¦ low ¦ 40; high; medicare ¦ - ¦ - ¦ [2-6][0-9]{3} ?[0-9]{5} ?[0-9](?:[ /-]?[0-9])?
        ird-nz ¦ Tax numbers of New Zealand ¦ pii-world ¦ number ¦ ird-nz ¦ low ¦ 40; high; ird, inland revenue ¦ - ¦ - ¦ [0-9]{2,3}-?[0-9]{3}-?[0-9]{3}
        id-il ¦ Identity numbers of Israel ¦ pii-world ¦ number ¦ id-il ¦ low ¦ 40; high; תעודת זהות, ת.ז, teudat zehut, israeli id, id number ¦ - ¦ - ¦ [0-9]{8}-?[0-9]
        id-za ¦ Identity numbers of South Africa ¦ pii-world ¦ number ¦ id-za ¦ low ¦ 40; high; sa id, id number, identity number, rsa id ¦ - ¦ - ¦ [0-9]{6} ?[0-9]{4} ?[01][0-9]{2}
        imei ¦ Mobile devices (IMEI) ¦ pii-world ¦ number ¦ imei ¦ low ¦ 40; high; imei ¦ - ¦ - ¦ [0-9]{2}-?[0-9]{6}-?[0-9]{6}-?[0-9]
        iccid ¦ SIM cards (ICCID) ¦ pii-world ¦ number ¦ iccid ¦ low ¦ 40; high; iccid, sim, sim card ¦ - ¦ - ¦ 89[0-9]{17,18}
        isin ¦ Securities (ISIN) ¦ pii-world ¦ number ¦ isin ¦ low ¦ 40; high; isin, security, wkn, securities, bond, equity ¦ - ¦ - ¦ [A-Z]{2}[0-9A-Z]{9}[0-9]
        cusip ¦ Securities of North America (CUSIP) ¦ pii-world ¦ number ¦ cusip ¦ low ¦ 40; high; cusip ¦ - ¦ - ¦ [0-9]{3}[0-9A-Z]{5}[0-9]
        sedol ¦ Securities of the United Kingdom (SEDOL) ¦ pii-world ¦ number ¦ sedol ¦ low ¦ 40; high; sedol ¦ - ¦ - ¦ [0-9B-DF-HJ-NP-TV-Z]{6}[0-9]
        lei ¦ Legal entities (LEI) ¦ pii-world ¦ number ¦ lei ¦ low ¦ 40; high; lei, legal entity ¦ - ¦ - ¦ [0-9A-Z]{4}00[0-9A-Z]{12}[0-9]{2}|[0-9A-Z]{18}[0-9]{2}
        vin ¦ Vehicles (VIN), with the check digit of North America ¦ pii-world ¦ number ¦ vin ¦ low ¦ 40; high; vin, vehicle, chassis ¦ - ¦ - ¦ [0-9A-HJ-NPR-Z]{17}
        bitcoin ¦ Bitcoin addresses ¦ pii-world ¦ number ¦ base58check ¦ medium ¦ 40; high; btc, bitcoin, wallet, address ¦ - ¦ - ¦ [13][1-9A-HJ-NP-Za-km-z]{25,34}
        ethereum ¦ Ethereum addresses, near words that say so ¦ pii-world ¦ number ¦ mixed ¦ low ¦ 40; high; eth, ethereum, wallet, address, erc20 ¦ - ¦ - ¦ 0x[0-9a-fA-F]{40}
        acn-au ¦ Companies of Australia (ACN) ¦ pii-world ¦ number ¦ acn-au ¦ low ¦ 40; high; acn, australian company ¦ - ¦ - ¦ [0-9]{3}( ?)[0-9]{3}\1[0-9]{3}
        passport ¦ Passports, near words that say so ¦ pii-world, pii-eu ¦ number ¦ - ¦ low ¦ 24; medium; passport, passport no, passport number, pasaporte, passaporto, reisepass, reisepassnummer, passnummer, paszport, paspoort, 여권, travel document ¦ - ¦ - ¦ [A-Z]{1,3}[0-9]{6,8}[A-Z]? ;; [A-Z][0-9]{2} [0-9]{5} ;; [A-Z][0-9]{3}[A-Z][0-9]{4} ;; [CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{7}[0-9]
        vehicle-plate ¦ Number plates of vehicles, near words that say so ¦ pii-world ¦ number ¦ - ¦ low ¦ 32; medium; vehicle registration, vehicle registration number, number plate, license plate, licence plate, plate number, kennzeichen, plaka, vrn ¦ - ¦ - ¦ (?=[^0-9]{0,12}[0-9])(?:[0-9A-Z]|Ä|Ö|Ü){1,4}(?:[ -]{0,1}(?:[0-9A-Z]|Ä|Ö|Ü){1,4}){1,3}
        postcode ¦ Postal codes of Canada, Germany and the United Kingdom, near words that say so ¦ pii-world ¦ number ¦ - ¦ low ¦ 24; medium; postal code, postcode, post code, code postal, plz, postleitzahl, zip code ¦ - ¦ - ¦ [ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z] ?[0-9][ABCEGHJ-NPRSTV-Z][0-9] ;; [A-Z]{1,2}[0-9][0-9A-Z]? ?[0-9][A-Z]{2} ;; GIR ?0AA ;; [0-9]{5}
        voter-in ¦ Voters of India (EPIC) ¦ pii-world ¦ number ¦ - ¦ low ¦ 40; medium; epic, voter, voter id, elector ¦ - ¦ - ¦ [A-Z]{3}[0-9]{7}
        brn-kr ¦ Businesses of South Korea ¦ pii-world ¦ number ¦ brn-kr ¦ low ¦ 40; high; 사업자등록번호, 사업자번호, brn, business registration ¦ - ¦ - ¦ [0-9]{3}-?[0-9]{2}-?[0-9]{5}
        driver-kr ¦ Driving licences of South Korea ¦ pii-world ¦ number ¦ - ¦ low ¦ 40; medium; 운전면허, 운전면허번호, 면허번호 ¦ - ¦ - ¦ [0-9]{2}[ -]?[0-9]{2}[ -]?[0-9]{6}[ -]?[0-9]{2}
        frn-kr ¦ Foreigners in South Korea ¦ pii-world ¦ number ¦ - ¦ low ¦ 40; medium; 외국인등록번호, frn, foreigner registration, alien registration ¦ - ¦ - ¦ [0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])-?[5-8][0-9]{6}
        nin-ng ¦ National Identification Numbers of Nigeria ¦ pii-world ¦ number ¦ verhoeff ¦ low ¦ 40; medium; nin, national identification number, national identity number, nimc ¦ - ¦ - ¦ [0-9]{11}
        tin-ph ¦ Taxpayers of the Philippines ¦ pii-world ¦ number ¦ - ¦ low ¦ 24; medium; tin, taxpayer identification number ¦ - ¦ - ¦ [0-9]{3}-?[0-9]{3}-?[0-9]{3}(?:-?[0-9]{3})?
        umid-ph ¦ Unified Multi-Purpose IDs of the Philippines ¦ pii-world ¦ number ¦ - ¦ low ¦ 40; medium; umid, unified multi purpose id, crn, common reference number ¦ - ¦ - ¦ [0-9]{4}-?[0-9]{7}-?[0-9]
        uen-sg ¦ Businesses of Singapore (UEN) ¦ pii-world ¦ number ¦ - ¦ low ¦ 40; medium; uen, unique entity number, acra ¦ - ¦ - ¦ [0-9]{8,9}[A-Z] ;; [RST][0-9]{2}[A-Z]{2}[0-9]{4}[A-Z]
        company-za ¦ Companies of South Africa ¦ pii-world ¦ number ¦ - ¦ low ¦ 40; medium; company registration, registration number, registration no, cipc, reg no ¦ - ¦ - ¦ (?:19|20)[0-9]{2}/[0-9]{6}/[0-9]{2} ;; (?:CK|K|T|W|B|M|N|NR)[0-9]{4}/[0-9]{6}
        driver-za ¦ Driving licences of South Africa ¦ pii-world ¦ number ¦ - ¦ low ¦ 24; medium; driving licence, driving license, drivers licence, driver licence ¦ - ¦ - ¦ [0-9]{6,10}[0-9A-Z]{1,4}[A-Z]
        tax-za ¦ Taxpayers of South Africa, and their value-added tax ¦ pii-world ¦ number ¦ - ¦ low ¦ 40; medium; income tax, tax reference, tax number, sars, vat number, vat no, vat registration ¦ - ¦ - ¦ [012349][0-9]{9}
        traffic-za ¦ Traffic registers of South Africa ¦ pii-world ¦ number ¦ - ¦ low ¦ 32; medium; traffic register, traffic register number, trn ¦ - ¦ - ¦ [0-9]{13}
        bitcoin-segwit ¦ Addresses of Bitcoin in Bech32 ¦ pii-world ¦ token ¦ - ¦ medium ¦ 40; high; btc, bitcoin, wallet ¦ - ¦ - ¦ bc1[02-9ac-hj-np-z]{39}(?:[02-9ac-hj-np-z]{20})?
        email ¦ Addresses of mail, near words that say so ¦ contact ¦ none ¦ - ¦ low ¦ 24; medium; email, e mail, mail, mailto, courriel, correo ¦ - ¦ - ¦ (?<![0-9A-Za-z.])[0-9A-Za-z][0-9A-Za-z._%+'-]{0,63}@(?:[0-9A-Za-z\x80-\xff-]{1,63}\.){1,5}[A-Za-z]{2,24}(?![0-9A-Za-z-])
        phone ¦ Telephone numbers, near words that say so ¦ contact ¦ number ¦ - ¦ low ¦ 24; medium; phone, phone number, telephone, tel, mobile, cell phone, fax, telefon, teléfono, téléphone, whatsapp ¦ - ¦ - ¦ (?!(?:19|20)[0-9]{2}-[01][0-9])(?=(?:[^0-9A-Za-z]{0,3}[0-9]){7,15}(?![0-9]))(?:\+[0-9]{1,3}|\(?0[0-9]{1,6}\)?|\([0-9]{1,7}\)|[0-9]{2,5}[ -])(?:[ ./-]{0,2}\(?[0-9]{1,8}\)?){1,6}
        ip-address ¦ Addresses of the Internet, near words that say so ¦ contact ¦ number ¦ - ¦ low ¦ 24; medium; ip, ip address, ipv4, ipv6, client ip, remote addr, source address ¦ - ¦ - ¦ (?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3} ;; (?:[0-9A-Fa-f]{1,4}:){2,7}[0-9A-Fa-f]{1,4} ;; (?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1,6}
        mac-address ¦ Addresses of network interfaces, near words that say so ¦ contact ¦ number ¦ - ¦ low ¦ 24; medium; mac, mac address, hwaddr, hardware address, physical address, ether ¦ - ¦ - ¦ [0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2} ;; [0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}
        aws-access-key ¦ Access keys of AWS ¦ secrets ¦ token ¦ entropy-3 ¦ high ¦ - ¦ amazonaws.com, aws.amazon.com, amazonaws.com.cn ¦ *EXAMPLE ¦ (?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}
        aws-secret-key ¦ Secret keys of AWS, near words that say so ¦ secrets ¦ start ¦ mixed ¦ low ¦ 40; high; aws secret, secret access key, aws secret access key, secretaccesskey, aws ¦ amazonaws.com, aws.amazon.com, amazonaws.com.cn ¦ *EXAMPLEKEY ¦ [A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])
        aws-session-token ¦ Session tokens of AWS, near words that say so ¦ secrets ¦ start ¦ - ¦ high ¦ - ¦ amazonaws.com, aws.amazon.com, amazonaws.com.cn ¦ - ¦ (?:FwoGZXIvYXdz|IQoJb3JpZ2lu)[A-Za-z0-9/+=]{80,1200}
        aws-bedrock-key ¦ Keys of AWS Bedrock ¦ secrets ¦ start ¦ - ¦ high ¦ - ¦ amazonaws.com, aws.amazon.com, amazonaws.com.cn ¦ - ¦ ABSKQmVkcm9ja0FQSUtleS[A-Za-z0-9+/=]{90,260}
        aws-mws-key ¦ Keys of Amazon MWS ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ amazonservices.com ¦ - ¦ amzn\.mws\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}
        gcp-api-key ¦ API keys of Google ¦ secrets ¦ token ¦ entropy-4 ¦ high ¦ - ¦ googleapis.com, google.com, gstatic.com ¦ - ¦ AIza[0-9A-Za-z_-]{35}
        gcp-oauth-secret ¦ Client secrets of Google OAuth ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ googleapis.com, google.com, gstatic.com ¦ - ¦ GOCSPX-[0-9A-Za-z_-]{28}
        gcp-oauth-token ¦ Access tokens of Google OAuth ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ googleapis.com, google.com, gstatic.com ¦ - ¦ ya29\.[0-9A-Za-z_-]{68,400}
        gcp-refresh-token ¦ Refresh tokens of Google OAuth ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ googleapis.com, google.com, gstatic.com ¦ - ¦ 1//0[0-9A-Za-z_-]{40,200}
        gcp-service-account ¦ Keys of service accounts of Google ¦ secrets ¦ none ¦ - ¦ high ¦ - ¦ - ¦ - ¦ "type"\s{0,4}:\s{0,4}"service_account"[^{}]{0,400}?"private_key"\s{0,4}:\s{0,4}"-----BEGIN
        azure-client-secret ¦ Client secrets of Azure AD ¦ secrets ¦ token ¦ mixed ¦ high ¦ - ¦ azure.com, windows.net, microsoftonline.com, microsoft.com, azure.net ¦ - ¦ [a-zA-Z0-9_~.]{3}[0-9]Q~[a-zA-Z0-9_~.-]{31,34}
        azure-storage-key ¦ Keys of Azure storage accounts ¦ secrets ¦ start ¦ - ¦ high ¦ - ¦ azure.com, windows.net, microsoftonline.com, microsoft.com, azure.net ¦ - ¦ AccountKey\s{0,2}=\s{0,2}[A-Za-z0-9+/]{86}==
        azure-shared-access ¦ Shared access signatures of Azure ¦ secrets ¦ none ¦ - ¦ high ¦ - ¦ azure.com, windows.net, microsoftonline.com, microsoft.com, azure.net ¦ - ¦ [?&;]sig=[A-Za-z0-9%/+]{43,120}(?:=|%3[Dd])
        azure-bus-key ¦ Keys of Azure Service Bus, Event Hubs and IoT Hub ¦ secrets ¦ start ¦ - ¦ high ¦ - ¦ azure.com, windows.net, microsoftonline.com, microsoft.com, azure.net ¦ - ¦ SharedAccessKey\s{0,2}=\s{0,2}[A-Za-z0-9+/]{43}=
        azure-devops-token ¦ Access tokens of Azure DevOps ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ azure.com, visualstudio.com ¦ - ¦ [a-zA-Z0-9]{52}JQQJ99[a-zA-Z0-9]{18}AZDO[a-zA-Z0-9]{4}
        azure-function-key ¦ Keys of Azure functions and services ¦ secrets ¦ start ¦ - ¦ high ¦ - ¦ azure.com, windows.net, microsoftonline.com, microsoft.com, azure.net ¦ - ¦ [a-zA-Z0-9_-]{44}AzFu[a-zA-Z0-9_-]{5}[AQgw]==?
        alibaba-access-key ¦ Access keys of Alibaba Cloud ¦ secrets ¦ token ¦ entropy-3 ¦ high ¦ - ¦ aliyuncs.com, alibabacloud.com ¦ - ¦ LTAI[a-zA-Z0-9]{20}
        tencent-secret-id ¦ Secret ids of Tencent Cloud ¦ secrets ¦ token ¦ entropy-3 ¦ high ¦ - ¦ tencentcloudapi.com, myqcloud.com ¦ - ¦ AKID[a-zA-Z0-9]{32}
        yandex-api-key ¦ API keys of Yandex Cloud ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ yandex.net, yandex.com ¦ - ¦ AQVN[A-Za-z0-9_-]{35,38}
        ibm-cloud-key ¦ API keys of IBM Cloud, near words that say so ¦ secrets ¦ token ¦ mixed ¦ low ¦ 40; high; ibm, ibm cloud, bluemix ¦ ibm.com, cloud.ibm.com ¦ - ¦ [A-Za-z0-9_-]{44}
        digitalocean-token ¦ Tokens of DigitalOcean ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ digitalocean.com ¦ - ¦ do[opr]_v1_[a-f0-9]{64}
        heroku-key ¦ API keys of Heroku ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ heroku.com ¦ - ¦ HRKU-[0-9a-zA-Z_-]{36,64}
        scaleway-key ¦ Secret keys of Scaleway, near words that say so ¦ secrets ¦ token ¦ entropy-3 ¦ high ¦ - ¦ scaleway.com ¦ - ¦ SCW[A-Z0-9]{17}
        linode-token ¦ Tokens of Linode, near words that say so ¦ secrets ¦ token ¦ mixed ¦ low ¦ 40; high; linode token, linode ¦ linode.com ¦ - ¦ [a-f0-9]{64}
        flyio-token ¦ Tokens of Fly.io ¦ secrets ¦ start ¦ - ¦ high ¦ - ¦ fly.io, fly.dev ¦ - ¦ fo1_[A-Za-z0-9_-]{43}|fm[12][ar]?_[A-Za-z0-9+/]{100,1000}={0,3}
        vercel-token ¦ Tokens of Vercel ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ vercel.com ¦ - ¦ vc[pikar]_[A-Za-z0-9]{56}
        netlify-token ¦ Tokens of Netlify ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ netlify.com ¦ - ¦ nf[pcoub]_[A-Za-z0-9]{36}
        cloudflare-origin-key ¦ Keys of the Cloudflare Origin CA ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ cloudflare.com ¦ - ¦ v1\.0-[a-f0-9]{24}-[a-f0-9]{146}
        cloudflare-token ¦ Tokens of Cloudflare, near words that say so ¦ secrets ¦ token ¦ mixed ¦ low ¦ 40; high; cloudflare, cf api token, cloudflare api token ¦ cloudflare.com ¦ - ¦ (?![a-f0-9]{40})[A-Za-z0-9_-]{40}
        github-token ¦ Personal tokens of GitHub, by their checksum ¦ secrets ¦ token ¦ github ¦ high ¦ - ¦ github.com, githubusercontent.com, ghcr.io, githubcopilot.com ¦ - ¦ ghp_[0-9A-Za-z]{36}
        github-oauth-token ¦ OAuth tokens of GitHub, by their checksum ¦ secrets ¦ token ¦ github ¦ high ¦ - ¦ github.com, githubusercontent.com, ghcr.io, githubcopilot.com ¦ - ¦ gho_[0-9A-Za-z]{36}
        github-user-token ¦ User-to-server tokens of GitHub, by their checksum ¦ secrets ¦ token ¦ github ¦ high ¦ - ¦ github.com, githubusercontent.com, ghcr.io, githubcopilot.com ¦ - ¦ ghu_[0-9A-Za-z]{36}
        github-app-token ¦ App installation tokens of GitHub, by their checksum ¦ secrets ¦ token ¦ github ¦ high ¦ - ¦ github.com, githubusercontent.com, ghcr.io, githubcopilot.com ¦ - ¦ ghs_[0-9A-Za-z]{36}
        github-refresh-token ¦ Refresh tokens of GitHub, by their checksum ¦ secrets ¦ token ¦ github ¦ high ¦ - ¦ github.com, githubusercontent.com, ghcr.io, githubcopilot.com ¦ - ¦ ghr_[0-9A-Za-z]{36}
        github-fine-grained ¦ Fine-grained tokens of GitHub ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ github.com, githubusercontent.com, ghcr.io, githubcopilot.com ¦ - ¦ github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}
        npm-token ¦ Access tokens of npm, by their checksum ¦ secrets ¦ token ¦ github ¦ high ¦ - ¦ npmjs.org, npmjs.com ¦ - ¦ npm_[0-9A-Za-z]{36}
        gitlab-token ¦ Personal, project and group access tokens of GitLab ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ gitlab.com ¦ - ¦ glpat-[0-9a-zA-Z_-]{20,64}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?
        gitlab-runner ¦ Runner tokens of GitLab ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ gitlab.com ¦ - ¦ glrt-[0-9a-zA-Z_-]{20,64}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?
        gitlab-deploy ¦ Deploy tokens of GitLab ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ gitlab.com ¦ - ¦ gldt-[0-9a-zA-Z_-]{20,64}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?
        gitlab-feed ¦ Feed tokens of GitLab ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ gitlab.com ¦ - ¦ glft-[0-9a-zA-Z_-]{20,64}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?
        gitlab-job ¦ CI job tokens of GitLab ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ gitlab.com ¦ - ¦ glcbt-[0-9a-zA-Z_-]{20,66}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?
        gitlab-trigger ¦ Trigger tokens of GitLab ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ gitlab.com ¦ - ¦ glptt-[0-9a-zA-Z_-]{40,84}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?
        gitlab-agent ¦ Kubernetes agent tokens of GitLab ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ gitlab.com ¦ - ¦ glagent-[0-9a-zA-Z_-]{50,94}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?
        gitlab-oauth ¦ OAuth application tokens of GitLab ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ gitlab.com ¦ - ¦ gloas-[0-9a-zA-Z_-]{64,108}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?
        gitlab-scim ¦ SCIM tokens of GitLab ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ gitlab.com ¦ - ¦ glsoat-[0-9a-zA-Z_-]{20,64}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?
        gitlab-mail ¦ Incoming mail tokens of GitLab ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ gitlab.com ¦ - ¦ glimt-[0-9a-zA-Z_-]{25,69}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?
        gitlab-flags ¦ Feature flag client tokens of GitLab ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ gitlab.com ¦ - ¦ glffct-[0-9a-zA-Z_-]{20,64}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?
        gitlab-runner-registration ¦ Registration tokens of GitLab runners ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ gitlab.com ¦ - ¦ GR1348941[0-9a-zA-Z_-]{20}
        bitbucket-token ¦ App passwords and tokens of Bitbucket ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ bitbucket.org, atlassian.com ¦ - ¦ ATBB[A-Za-z0-9]{24}[A-F0-9]{8}
        bitbucket-access-token ¦ Access tokens of Bitbucket repositories ¦ secrets ¦ start ¦ - ¦ high ¦ - ¦ bitbucket.org, atlassian.com ¦ - ¦ ATCTT3xFfGN0[A-Za-z0-9_=-]{100,250}
        atlassian-token ¦ API tokens of Atlassian ¦ secrets ¦ start ¦ - ¦ high ¦ - ¦ atlassian.com, atlassian.net ¦ - ¦ ATATT3xFfGF0[A-Za-z0-9_=-]{100,250}
        pypi-token ¦ Tokens of PyPI ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ pypi.org ¦ - ¦ pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,1000}
        pypi-test-token ¦ Tokens of the test instance of PyPI ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ pypi.org ¦ - ¦ pypi-AgENdGVzdC5weXBpLm9yZw[A-Za-z0-9_-]{50,1000}
        rubygems-key ¦ Keys of RubyGems ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ rubygems.org ¦ - ¦ rubygems_[a-f0-9]{48}
        nuget-key ¦ Keys of NuGet ¦ secrets ¦ token ¦ mixed ¦ high ¦ - ¦ nuget.org ¦ - ¦ oy2[a-z0-9]{43}
        crates-token ¦ Tokens of crates.io ¦ secrets ¦ token ¦ entropy-3 ¦ high ¦ - ¦ crates.io ¦ - ¦ cio[A-Za-z0-9]{32}
        clojars-token ¦ Tokens of Clojars ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ clojars.org ¦ - ¦ CLOJARS_[a-z0-9]{60}
        docker-token ¦ Access tokens of Docker Hub ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ docker.com, docker.io ¦ - ¦ dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,32}
        jfrog-key ¦ API keys of JFrog ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ jfrog.io, jfrog.com ¦ - ¦ AKCp[A-Za-z0-9]{69}
        jfrog-token ¦ Reference tokens of JFrog ¦ secrets ¦ start ¦ - ¦ high ¦ - ¦ jfrog.io, jfrog.com ¦ - ¦ cmVmdGtuOjAxOj[A-Za-z0-9+/=]{45,60}
        sonar-token ¦ Tokens of SonarQube ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ sonarcloud.io, sonarqube.com ¦ - ¦ sq[apu]_[0-9a-f]{40}
        circleci-token ¦ Tokens of CircleCI ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ circleci.com ¦ - ¦ CCI(?:PAT|PRJ)_[A-Za-z0-9]{22}_[a-f0-9]{40}
        buildkite-token ¦ Tokens of Buildkite ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ buildkite.com ¦ - ¦ bk(?:ua|pt|aj|ct)_[a-f0-9]{40}
        harness-token ¦ Tokens of Harness ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ harness.io ¦ - ¦ (?:pat|sat)\.[A-Za-z0-9_-]{22}\.[0-9a-f]{24}\.[A-Za-z0-9]{20}
        octopus-key ¦ API keys of Octopus Deploy ¦ secrets ¦ token ¦ mixed ¦ high ¦ - ¦ octopus.app, octopus.com ¦ - ¦ API-[A-Z0-9]{26,31}
        pulumi-token ¦ Tokens of Pulumi ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ pulumi.com ¦ - ¦ pul-[a-f0-9]{40}
        terraform-token ¦ Tokens of Terraform Cloud ¦ secrets ¦ start ¦ - ¦ high ¦ - ¦ terraform.io, hashicorp.com ¦ - ¦ [A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}
        vault-token ¦ Tokens of Vault ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ - ¦ - ¦ hv[sbr]\.[A-Za-z0-9_-]{24,300}
        vault-old-token ¦ Tokens of Vault before 1.10, near words that say so ¦ secrets ¦ token ¦ entropy-3 ¦ low ¦ 40; high; vault, vault token ¦ - ¦ - ¦ s\.[A-Za-z0-9]{24}
        doppler-token ¦ Tokens of Doppler ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ doppler.com ¦ - ¦ dp\.(?:pt|st|ct|scim|sa|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}
        infisical-token ¦ Tokens of Infisical ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ infisical.com ¦ - ¦ st\.[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}\.[a-f0-9]{32}\.[a-f0-9]{32}
        onepassword-token ¦ Service account tokens of 1Password ¦ secrets ¦ start ¦ - ¦ high ¦ - ¦ 1password.com, 1password.eu, 1password.ca ¦ - ¦ ops_eyJ[A-Za-z0-9+/=_-]{250,1500}
        onepassword-key ¦ Secret keys of 1Password ¦ secrets ¦ token ¦ mixed ¦ high ¦ - ¦ 1password.com ¦ - ¦ A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}
        openshift-token ¦ Tokens of OpenShift ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ - ¦ - ¦ sha256~[A-Za-z0-9_-]{43}
        sentry-token ¦ Tokens of Sentry ¦ secrets ¦ start ¦ - ¦ high ¦ - ¦ sentry.io ¦ - ¦ sntry[su]_[A-Za-z0-9+/=_]{60,250}
        grafana-token ¦ Service account tokens of Grafana ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ grafana.net, grafana.com ¦ - ¦ glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}
        grafana-cloud-token ¦ Tokens of Grafana Cloud ¦ secrets ¦ start ¦ - ¦ high ¦ - ¦ grafana.net, grafana.com ¦ - ¦ glc_eyJ[A-Za-z0-9+/]{32,400}={0,2}
        grafana-key ¦ API keys of Grafana ¦ secrets ¦ start ¦ - ¦ high ¦ - ¦ grafana.net, grafana.com ¦ - ¦ eyJrIjoi[A-Za-z0-9]{70,400}={0,3}
        newrelic-key ¦ Keys of New Relic ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ newrelic.com, nr-data.net ¦ - ¦ NR(?:AK|II|IQ|JS|RA|AA)-[A-Za-z0-9_-]{27,44}
        datadog-key ¦ Keys of Datadog, near words that say so ¦ secrets ¦ token ¦ mixed ¦ low ¦ 40; high; dd api key, dd app key, datadog, dd application key ¦ datadoghq.com, datadoghq.eu, ddog-gov.com ¦ - ¦ [a-f0-9]{32}(?:[a-f0-9]{8})?
        dynatrace-token ¦ Tokens of Dynatrace ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ dynatrace.com ¦ - ¦ dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}
        sourcegraph-token ¦ Tokens of Sourcegraph ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ sourcegraph.com ¦ - ¦ sgp_(?:[a-fA-F0-9]{16}_|local_)?[a-fA-F0-9]{40}
        postman-key ¦ API keys of Postman ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ getpostman.com, postman.com ¦ - ¦ PMAK-[a-f0-9]{24}-[a-f0-9]{34}
        readme-key ¦ API keys of ReadMe ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ readme.io, readme.com ¦ - ¦ rdme_[a-z0-9]{70}
        prefect-token ¦ Tokens of Prefect ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ prefect.cloud, prefect.io ¦ - ¦ pn[ub]_[A-Za-z0-9]{36}
        scalingo-token ¦ Tokens of Scalingo ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ scalingo.com ¦ - ¦ tk-us-[A-Za-z0-9_-]{48}
        databricks-token ¦ Tokens of Databricks ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ databricks.com, azuredatabricks.net ¦ - ¦ dapi[a-f0-9]{32}(?:-[0-9])?
        snowflake-token ¦ Programmatic access tokens of Snowflake, near words that say so ¦ secrets ¦ start ¦ - ¦ low ¦ 40; high; snowflake, snowflake token ¦ snowflakecomputing.com ¦ - ¦ eyJraWQiOi[A-Za-z0-9_.-]{100,1000}
        planetscale-token ¦ Tokens and passwords of PlanetScale ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ planetscale.com, psdb.cloud ¦ - ¦ pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,64}
        supabase-key ¦ Keys of Supabase ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ supabase.com, supabase.co ¦ - ¦ sbp_[a-f0-9]{40}|sb_secret_[A-Za-z0-9_-]{31}
        neon-key ¦ API keys of Neon ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ neon.tech ¦ - ¦ napi_[a-z0-9]{64}
        airtable-token ¦ Tokens of Airtable ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ airtable.com ¦ - ¦ pat[A-Za-z0-9]{14}\.[a-f0-9]{64}
        notion-token ¦ Tokens of Notion ¦ secrets ¦ token ¦ mixed ¦ high ¦ - ¦ notion.com, notion.so ¦ - ¦ ntn_[0-9]{11}[A-Za-z0-9]{35}|secret_[A-Za-z0-9]{43}
        linear-key ¦ Keys of Linear ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ linear.app ¦ - ¦ lin_(?:api|oauth)_[A-Za-z0-9]{40,64}
        figma-token ¦ Tokens of Figma ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ figma.com ¦ - ¦ fig[doh]r?_[A-Za-z0-9_-]{40,60}
        asana-token ¦ Tokens of Asana ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ asana.com ¦ - ¦ [12]/[0-9]{13,17}(?:/[0-9]{13,17})?:[a-f0-9]{32}
        typeform-token ¦ Tokens of Typeform ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ typeform.com ¦ - ¦ tfp_[A-Za-z0-9_.=-]{59}
        hubspot-token ¦ Private app tokens of HubSpot ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ hubapi.com, hubspot.com ¦ - ¦ pat-(?:na|eu|ap)[0-9]-[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}
        dropbox-token ¦ Tokens of Dropbox ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ dropboxapi.com, dropbox.com ¦ - ¦ sl\.(?:u\.)?[A-Za-z0-9_-]{130,1300}
        contentful-token ¦ Management tokens of Contentful ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ contentful.com ¦ - ¦ CFPAT-[A-Za-z0-9_-]{43}
        algolia-key ¦ Admin keys of Algolia, near words that say so ¦ secrets ¦ token ¦ mixed ¦ low ¦ 40; high; algolia, algolia admin, algolia api ¦ algolia.net, algolianet.com ¦ - ¦ [a-f0-9]{32}
        slack-bot-token ¦ Bot tokens of Slack ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ slack.com, slack-edge.com ¦ - ¦ xoxb-[0-9]{10,13}-[0-9]{10,13}-[A-Za-z0-9]{18,34}
        slack-user-token ¦ User tokens of Slack ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ slack.com, slack-edge.com ¦ - ¦ xox[pe](?:-[0-9]{10,13}){3}-[A-Za-z0-9-]{28,34}
        slack-old-token ¦ Workspace and legacy tokens of Slack ¦ secrets ¦ token ¦ mixed ¦ high ¦ - ¦ slack.com, slack-edge.com ¦ - ¦ xox[aors]-(?:[0-9]-)?[A-Za-z0-9-]{10,80}
        slack-app-token ¦ App-level tokens of Slack ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ slack.com, slack-edge.com ¦ - ¦ xapp-[0-9]-[A-Z0-9]{8,12}-[0-9]{10,13}-[a-f0-9]{64}
        slack-config-token ¦ Configuration tokens of Slack ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ slack.com, slack-edge.com ¦ - ¦ xoxe(?:\.xox[bp])?-[0-9]-[A-Za-z0-9]{140,190}
        slack-webhook ¦ Webhooks of Slack ¦ secrets ¦ start ¦ - ¦ high ¦ - ¦ slack.com, slack-edge.com ¦ - ¦ hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{40,60}
        discord-bot-token ¦ Bot tokens of Discord ¦ secrets ¦ token ¦ mixed ¦ medium ¦ 40; high; discord, bot, bot token ¦ discord.com, discordapp.com, discord.gg ¦ - ¦ [MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}
        discord-webhook ¦ Webhooks of Discord ¦ secrets ¦ start ¦ - ¦ high ¦ - ¦ discord.com, discordapp.com ¦ - ¦ discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60,72}
        teams-webhook ¦ Webhooks of Microsoft Teams ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ office.com ¦ - ¦ webhook\.office\.com/webhookb2/[a-f0-9-]{36}@[a-f0-9-]{36}/IncomingWebhook/[a-z0-9]{32}/[a-f0-9-]{36}
        telegram-bot-token ¦ Bot tokens of Telegram ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ telegram.org ¦ - ¦ [0-9]{8,10}:A[A-Za-z0-9_-]{34}
        twilio-key ¦ API keys and accounts of Twilio ¦ secrets ¦ token ¦ mixed ¦ medium ¦ 40; high; twilio, account sid, auth token, api key ¦ twilio.com ¦ - ¦ (?:SK|AC)[a-f0-9]{32}
        sendgrid-key ¦ API keys of SendGrid ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ sendgrid.com, sendgrid.net ¦ - ¦ SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}
        mailgun-key ¦ Keys of Mailgun ¦ secrets ¦ token ¦ mixed ¦ medium ¦ 40; high; mailgun, api key ¦ mailgun.net, mailgun.com ¦ - ¦ key-[a-f0-9]{32}
        mailchimp-key ¦ Keys of Mailchimp ¦ secrets ¦ token ¦ mixed ¦ high ¦ - ¦ mailchimp.com, mandrillapp.com ¦ - ¦ [a-f0-9]{32}-us[0-9]{1,2}
        brevo-key ¦ Keys of Brevo ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ brevo.com, sendinblue.com ¦ - ¦ xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}
        resend-key ¦ Keys of Resend ¦ secrets ¦ token ¦ mixed ¦ high ¦ - ¦ resend.com ¦ - ¦ re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}
        postmark-token ¦ Tokens of Postmark, near words that say so ¦ secrets ¦ token ¦ - ¦ low ¦ 40; high; postmark, postmark server token, postmark token ¦ postmarkapp.com ¦ - ¦ [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}
        facebook-token ¦ Access tokens of Facebook ¦ secrets ¦ token ¦ mixed ¦ high ¦ - ¦ facebook.com, graph.instagram.com ¦ - ¦ EAA[A-Za-z0-9]{90,300}
        twitter-bearer ¦ Bearer tokens of Twitter ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ twitter.com, x.com ¦ - ¦ A{20,22}[A-Za-z0-9%]{80,100}
        stripe-secret ¦ Live secret and restricted keys of Stripe ¦ secrets ¦ token ¦ entropy-3 ¦ high ¦ - ¦ stripe.com ¦ - ¦ (?:sk|rk)_(?:live|prod)_[A-Za-z0-9]{10,99}
        stripe-test ¦ Test keys of Stripe ¦ secrets ¦ token ¦ entropy-3 ¦ medium ¦ - ¦ stripe.com ¦ sk_test_4eC39HqLyjWDarjtT1zdp7dc ;; sk_test_BQokikJOvBiI2HlWgH4olfQ2 ¦ (?:sk|rk)_test_[A-Za-z0-9]{10,99}
        stripe-webhook ¦ Signing secrets of webhooks ¦ secrets ¦ start ¦ entropy-3 ¦ high ¦ - ¦ stripe.com ¦ - ¦ whsec_[A-Za-z0-9+/]{24,64}={0,2}
        square-token ¦ Tokens of Square ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ squareup.com, squareupsandbox.com ¦ - ¦ (?:sq0atp-[A-Za-z0-9_-]{22}|sq0csp-[A-Za-z0-9_-]{43}|EAAAE[A-Za-z0-9_-]{59})
        paypal-braintree ¦ Access tokens of Braintree ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ paypal.com, braintreegateway.com ¦ - ¦ access_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[a-f0-9]{32}
        shopify-token ¦ Tokens and secrets of Shopify ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ myshopify.com, shopify.com ¦ - ¦ shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}
        flutterwave-key ¦ Secret keys of Flutterwave ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ flutterwave.com ¦ - ¦ FLWSECK(?:_TEST)?-[a-h0-9]{32}-X
        plaid-token ¦ Access tokens of Plaid ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ plaid.com ¦ - ¦ access-(?:sandbox|development|production)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}
        easypost-key ¦ Keys of EasyPost ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ easypost.com ¦ - ¦ EZ[AT]K[A-Za-z0-9]{54}
        shippo-token ¦ Tokens of Shippo ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ goshippo.com ¦ - ¦ shippo_(?:live|test)_[a-fA-F0-9]{40}
        duffel-token ¦ Tokens of Duffel ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ duffel.com ¦ - ¦ duffel_(?:live|test)_[A-Za-z0-9_=-]{43}
        razorpay-key ¦ Keys of Razorpay ¦ secrets ¦ token ¦ entropy-3 ¦ high ¦ - ¦ razorpay.com ¦ - ¦ rzp_live_[A-Za-z0-9]{14}
        adyen-key ¦ API keys of Adyen ¦ secrets ¦ start ¦ mixed ¦ high ¦ - ¦ adyen.com ¦ - ¦ AQE[a-z0-9]{1,3}[A-Za-z0-9+/]{60,300}={0,2}-[A-Za-z0-9+/=]{20,60}-[A-Za-z0-9+/=!-~]{16}
        openai-key ¦ Keys of OpenAI ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ openai.com, openai.azure.com ¦ - ¦ sk-(?:proj-|svcacct-|admin-|None-)?[A-Za-z0-9_-]{20,90}T3BlbkFJ[A-Za-z0-9_-]{20,90}
        anthropic-key ¦ Keys of Anthropic ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ anthropic.com, claude.ai ¦ - ¦ sk-ant-(?:api03|admin01|sid01|oat01|ort01)-[A-Za-z0-9_-]{86,100}AA
        huggingface-token ¦ Tokens of Hugging Face ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ huggingface.co, hf.co ¦ - ¦ (?:hf_[A-Za-z]{34}|api_org_[A-Za-z]{34})
        replicate-token ¦ Tokens of Replicate ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ replicate.com ¦ - ¦ r8_[A-Za-z0-9]{37}
        groq-key ¦ Keys of Groq ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ groq.com ¦ - ¦ gsk_[A-Za-z0-9]{52}
        perplexity-key ¦ Keys of Perplexity ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ perplexity.ai ¦ - ¦ pplx-[A-Za-z0-9]{48}
        xai-key ¦ Keys of xAI ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ x.ai ¦ - ¦ xai-[A-Za-z0-9]{80}
        openrouter-key ¦ Keys of OpenRouter ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ openrouter.ai ¦ - ¦ sk-or-v1-[a-f0-9]{64}
        deepseek-key ¦ Keys of DeepSeek, near words that say so ¦ secrets ¦ token ¦ mixed ¦ low ¦ 40; high; deepseek, deepseek api key ¦ deepseek.com ¦ - ¦ sk-[a-f0-9]{32}
        langsmith-key ¦ Keys of LangSmith ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ langchain.com, smith.langchain.com ¦ - ¦ lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}
        pinecone-key ¦ Keys of Pinecone ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ pinecone.io ¦ - ¦ pcsk_[A-Za-z0-9]{5,6}_[A-Za-z0-9]{60,70}
        wandb-key ¦ Keys of Weights & Biases, near words that say so ¦ secrets ¦ token ¦ mixed ¦ low ¦ 40; high; wandb, wandb api key ¦ wandb.ai ¦ - ¦ [a-f0-9]{40}
        elevenlabs-key ¦ Keys of ElevenLabs, near words that say so ¦ secrets ¦ token ¦ - ¦ medium ¦ 40; high; elevenlabs, xi api key ¦ elevenlabs.io ¦ - ¦ sk_[a-f0-9]{48}
        tailscale-key ¦ Keys of Tailscale ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ tailscale.com ¦ - ¦ tskey-(?:auth|api|client|webhook|scim)-[A-Za-z0-9]{8,16}-[A-Za-z0-9]{20,40}
        ngrok-token ¦ Tokens of ngrok, near words that say so ¦ secrets ¦ token ¦ mixed ¦ low ¦ 40; high; ngrok, authtoken ¦ ngrok.com ¦ - ¦ [12][A-Za-z0-9]{26}_[A-Za-z0-9]{21}
        mapbox-token ¦ Secret tokens of Mapbox ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ mapbox.com ¦ - ¦ sk\.eyJ[A-Za-z0-9_-]{60,200}\.[A-Za-z0-9_-]{22}
        okta-token ¦ Tokens of Okta, near words that say so ¦ secrets ¦ token ¦ mixed ¦ low ¦ 40; high; okta, ssws, okta api token ¦ okta.com, oktapreview.com ¦ - ¦ 00[A-Za-z0-9_-]{40}
        adobe-secret ¦ Client secrets of Adobe ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ adobe.io, adobelogin.com ¦ - ¦ p8e-[A-Za-z0-9-]{32}
        intra42-secret ¦ Client secrets of 42 Intra ¦ secrets ¦ token ¦ - ¦ high ¦ - ¦ intra.42.fr ¦ - ¦ s-s4t2(?:ud|af)-[a-f0-9]{64}
        artifactory-token ¦ Tokens and encrypted passwords of Artifactory, near words that say so ¦ secrets ¦ token ¦ mixed ¦ low ¦ 40; high; artifactory, jfrog ¦ - ¦ - ¦ AKC[0-9A-Za-z]{10,100} ;; AP[0-9A-F][0-9A-Za-z]{8,100}
        cloudant-key ¦ Passwords and keys of Cloudant, near words that say so ¦ secrets ¦ token ¦ entropy-3 ¦ low ¦ 40; high; cloudant ¦ cloudant.com ¦ - ¦ [0-9a-f]{64} ;; [a-z]{24}
        ibm-cos-key ¦ Secret keys of IBM's object storage, near words that say so ¦ secrets ¦ token ¦ mixed ¦ low ¦ 40; high; cos hmac, cos_hmac, ibm cos, cos secret, hmac secret, hmac secret access key, secret access key ¦ - ¦ - ¦ [0-9a-f]{48}
        softlayer-key ¦ Keys of SoftLayer, near words that say so ¦ secrets ¦ token ¦ mixed ¦ low ¦ 40; high; softlayer, sl api key, sl key ¦ softlayer.com ¦ - ¦ [0-9a-z]{64}
        quoted-entropy ¦ Strings in quotes that look drawn by chance ¦ secrets ¦ none ¦ entropy-3.5 ¦ low ¦ - ¦ - ¦ - ¦ ["'][0-9A-Za-z+/_-]{20,200}={0,2}["']
        pem-private-key ¦ Private keys in PEM: PKCS #1, PKCS #8, SEC 1 ¦ keys ¦ none ¦ - ¦ high ¦ - ¦ - ¦ - ¦ -----BEGIN (?:RSA |EC |DSA )?PRIVATE KEY-----(?:\s|\\[nr]|%0[AD]){1,8}(?:(?:Proc-Type|DEK-Info)[^\n]{1,80}\s{1,4}){0,2}[A-Za-z0-9+/]{40}
        pem-encrypted-key ¦ Private keys in PEM that a passphrase protects ¦ keys ¦ none ¦ - ¦ medium ¦ - ¦ - ¦ - ¦ -----BEGIN ENCRYPTED PRIVATE KEY-----(?:\s|\\[nr]|%0[AD]){1,8}[A-Za-z0-9+/]{40}
        openssh-private-key ¦ Private keys of OpenSSH ¦ keys ¦ none ¦ - ¦ high ¦ - ¦ - ¦ - ¦ -----BEGIN OPENSSH PRIVATE KEY-----(?:\s|\\[nr]|%0[AD]){1,8}b3BlbnNzaC1rZXktdjE[A-Za-z0-9+/=]{20}
        pgp-private-key ¦ Private keys of PGP ¦ keys ¦ none ¦ - ¦ high ¦ - ¦ - ¦ - ¦ -----BEGIN PGP PRIVATE KEY BLOCK-----[^-]{0,400}?[A-Za-z0-9+/]{60}
        putty-private-key ¦ Private keys of PuTTY ¦ keys ¦ none ¦ - ¦ high ¦ - ¦ - ¦ - ¦ PuTTY-User-Key-File-[23]: [a-z0-9-]{6,40}\s{1,4}Encryption: [a-z0-9-]{3,12}
        age-key ¦ Secret keys of age ¦ keys ¦ none ¦ - ¦ high ¦ - ¦ - ¦ - ¦ AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}
        age-plugin-key ¦ Identities of age plugins ¦ keys ¦ none ¦ - ¦ high ¦ - ¦ - ¦ - ¦ AGE-PLUGIN-[A-Z0-9-]{2,30}-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{32,120}
        wireguard-key ¦ Private keys of WireGuard ¦ keys ¦ none ¦ - ¦ high ¦ - ¦ - ¦ - ¦ PrivateKey\s{0,3}=\s{0,3}[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=
        jwk-private ¦ Private keys in JSON (JWK) ¦ keys ¦ none ¦ mixed ¦ low ¦ 200; high; kty, crv, jwk, keys ¦ - ¦ - ¦ "d"\s{0,3}:\s{0,3}"[A-Za-z0-9_-]{42,700}"
        jwt ¦ JSON Web Tokens whose header decodes ¦ keys ¦ none ¦ jwt ¦ medium ¦ 40; high; token, access token, bearer, authorization, id token, refresh token, secret ¦ - ¦ - ¦ (?<![0-9A-Za-z])eyJ[A-Za-z0-9_-]{14,600}\.eyJ[A-Za-z0-9_-]{14,1800}\.[A-Za-z0-9_-]{10,700}
        kubernetes-token ¦ Tokens of Kubernetes service accounts ¦ keys ¦ none ¦ jwt ¦ high ¦ - ¦ - ¦ - ¦ (?<![0-9A-Za-z])eyJhbGciOi[A-Za-z0-9_-]{20,200}\.eyJ(?:[A-Za-z0-9_-]{10,400}?)(?:a3ViZXJuZXRlcy|t1YmVybmV0ZXMu|rdWJlcm5ldGVz)[A-Za-z0-9_-]{20,1500}\.[A-Za-z0-9_-]{60,700}
        kubernetes-secret ¦ Secrets of Kubernetes with their data ¦ keys ¦ none ¦ - ¦ high ¦ - ¦ - ¦ - ¦ kind:\s{0,3}"?Secret\b[^\x00]{0,600}?\n(?:data|stringData):\s{0,3}\r?\n\s{1,8}[A-Za-z0-9._-]{1,80}:\s{1,3}\S{4} ;; "kind"\s{0,3}:\s{0,3}"Secret"[^\x00]{0,600}?"(?:data|stringData)"\s{0,3}:\s{0,3}\{\s{0,8}"[A-Za-z0-9._-]{1,80}"\s{0,3}:\s{0,3}"[^"]{4}
        kubeconfig ¦ Client keys and tokens in kubeconfig files ¦ keys ¦ none ¦ - ¦ high ¦ - ¦ - ¦ - ¦ client-key-data:\s{1,3}[A-Za-z0-9+/]{40}|"client-key-data"\s{0,3}:\s{0,3}"[A-Za-z0-9+/]{40}
        database-url ¦ Database URLs with a password ¦ keys ¦ none ¦ password ¦ high ¦ - ¦ - ¦ - ¦ (?<![A-Za-z0-9])(?:postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|rediss?|amqps?|mssql|sqlserver|clickhouse|cockroachdb|oracle|ldaps?|mqtts?)(?:\+[a-z0-9]{2,12})?://[^\s:/@"\'<>]{0,80}:[^\s/@"\'<>]{3,120}@[A-Za-z0-9.\[\]-]{1,253}
        basic-auth-url ¦ Names and passwords in URLs ¦ keys ¦ none ¦ password ¦ high ¦ - ¦ - ¦ - ¦ (?<![A-Za-z0-9])(?:https?|ftps?|sftp|ssh|git|smtps?|imaps?)://[^\s:/@"\'<>?#\[\]]{1,80}:[^\s/@"\'<>?#\[\]]{3,120}@[A-Za-z0-9.\[\]-]{1,253}
        curl-user ¦ Names and passwords on command lines of curl and wget ¦ keys ¦ none ¦ password ¦ high ¦ - ¦ - ¦ - ¦ \bcurl\b[^\n]{0,200}?\s(?:-u|--user)[ =]["\']?[A-Za-z0-9._@-]{1,80}:[^\s"\']{6,120} ;; \bwget\b[^\n]{0,200}?\s--(?:http-|ftp-)?password[ =]["\']?[^\s"\']{6,120}
        connection-string ¦ Connection strings with a password ¦ keys ¦ none ¦ password ¦ medium ¦ - ¦ - ¦ - ¦ (?i)(?:server|data source|host|addr)\s{0,2}=[^;\n"]{1,120};(?:[^;\n"]{1,80};){0,8}\s{0,2}(?:password|pwd)\s{0,2}=\s{0,2}[^;\s"\']{6,120}
        docker-auth ¦ Credentials in the configuration of Docker ¦ keys ¦ none ¦ - ¦ high ¦ - ¦ - ¦ - ¦ "auths"\s{0,3}:\s{0,3}\{\s{0,8}"[^"]{1,200}"\s{0,3}:\s{0,3}\{[^{}]{0,200}?"auth"\s{0,3}:\s{0,3}"[A-Za-z0-9+/=]{8,400}"
        npmrc-auth ¦ Credentials in the configuration of npm ¦ keys ¦ none ¦ mixed ¦ high ¦ - ¦ - ¦ - ¦ //[A-Za-z0-9.:/_-]{3,120}/:_(?:authToken|auth|password)\s{0,2}=\s{0,2}["\']?[A-Za-z0-9+/=_.-]{16,400}
        netrc ¦ Names and passwords in netrc files ¦ keys ¦ none ¦ - ¦ high ¦ - ¦ - ¦ - ¦ \bmachine\s{1,3}[A-Za-z0-9.-]{1,120}\s{1,4}login\s{1,3}\S{1,80}\s{1,4}password\s{1,3}(?!password\b|secret\b|qwerty\b)\S{6,120}
        ansible-vault ¦ Files of Ansible Vault ¦ keys ¦ none ¦ - ¦ medium ¦ - ¦ - ¦ - ¦ \$ANSIBLE_VAULT;[0-9]\.[0-9];AES256(?:;[^\s]{1,60})?\s{1,4}[0-9a-f]{40}
        shadow-hash ¦ Hashes of passwords as in /etc/shadow ¦ keys ¦ none ¦ mixed ¦ high ¦ - ¦ - ¦ - ¦ \$(?:6|5)\$(?:rounds=[0-9]{1,9}\$)?[A-Za-z0-9./]{1,16}\$[A-Za-z0-9./]{43,86}|\$y\$[A-Za-z0-9./]{2,10}\$[A-Za-z0-9./]{10,86}\$[A-Za-z0-9./]{43}|\$1\$[A-Za-z0-9./]{1,8}\$[A-Za-z0-9./]{22}
        bcrypt-hash ¦ Hashes of passwords by bcrypt ¦ keys ¦ none ¦ mixed ¦ medium ¦ - ¦ - ¦ - ¦ \$2[abxy]\$[0-9]{2}\$[A-Za-z0-9./]{53}
        argon2-hash ¦ Hashes of passwords by Argon2 ¦ keys ¦ none ¦ - ¦ medium ¦ - ¦ - ¦ - ¦ \$argon2(?:id|i|d)\$v=[0-9]{1,3}\$m=[0-9]{1,9},t=[0-9]{1,4},p=[0-9]{1,4}\$[A-Za-z0-9+/]{8,60}\$[A-Za-z0-9+/]{20,100}
        aws-credentials ¦ Profiles of AWS credentials ¦ keys ¦ none ¦ mixed ¦ high ¦ - ¦ amazonaws.com, aws.amazon.com, amazonaws.com.cn ¦ - ¦ aws_access_key_id\s{0,3}=\s{0,3}(?:AKIA|ASIA)[A-Z2-7]{16}\s{1,8}aws_secret_access_key\s{0,3}=\s{0,3}[A-Za-z0-9/+]{40}
        pkcs12 ¦ Key stores (PKCS #12) in base64, near words that say so ¦ keys ¦ none ¦ - ¦ medium ¦ 40; high; p12, pfx, pkcs12, keystore ¦ - ¦ - ¦ MII[A-Za-z0-9+/]{3}IBAzCC[A-Za-z0-9+/]{60,600}
        bitcoin-private-key ¦ Private keys of Bitcoin wallets (WIF) ¦ keys ¦ none ¦ base58check ¦ high ¦ - ¦ - ¦ - ¦ (?<![0-9A-Za-z])(?:5[HJK][1-9A-HJ-NP-Za-km-z]{49}|[KL][1-9A-HJ-NP-Za-km-z]{51})(?![0-9A-Za-z])
        extended-private-key ¦ Extended private keys of wallets (BIP 32) ¦ keys ¦ none ¦ - ¦ high ¦ - ¦ - ¦ - ¦ (?<![0-9A-Za-z])[xyz]prv[1-9A-HJ-NP-Za-km-z]{107,108}(?![0-9A-Za-z])
        django-secret ¦ Secret keys of Django ¦ keys ¦ none ¦ mixed ¦ medium ¦ - ¦ - ¦ - ¦ (?:SECRET_KEY|secret_key)\s{0,3}=\s{0,3}["\'][^"\'\n]{40,80}["\']
        rails-master-key ¦ Master keys of Rails, near words that say so ¦ keys ¦ none ¦ mixed ¦ low ¦ 24; high; rails master key, master key ¦ - ¦ - ¦ (?<![0-9A-Za-z])[0-9a-f]{32}(?![0-9A-Za-z])
        saml-assertion ¦ SAML responses in base64 ¦ keys ¦ none ¦ - ¦ medium ¦ - ¦ - ¦ - ¦ (?<![0-9A-Za-z])PHNhbWxwOlJlc3BvbnNl[A-Za-z0-9+/]{100}
        authorization-basic ¦ Names and passwords of HTTP Basic in text ¦ keys ¦ none ¦ - ¦ medium ¦ - ¦ - ¦ - ¦ (?i)authorization["\']?\s{0,3}[:=]\s{0,3}["\']?basic [A-Za-z0-9+/]{8,300}={0,2}
        authorization-bearer ¦ Bearer tokens in text ¦ keys ¦ none ¦ mixed ¦ medium ¦ - ¦ - ¦ - ¦ (?i)authorization["\']?\s{0,3}[:=]\s{0,3}["\']?bearer [A-Za-z0-9._~+/-]{20,800}
        password-assignment ¦ Passwords and secrets that text assigns ¦ keys ¦ none ¦ password ¦ low ¦ - ¦ - ¦ - ¦ (?i)(?<![a-z])(?:password|passwd|pwd|client_secret|secret|passphrase|api_key|apikey|secret_key|access_token|auth_token)["\']?\s{0,3}[:=]\s{0,3}["\'][^\s"\']{8,120}["\']
        ssh2-private-key ¦ Encrypted private keys of SSH2 ¦ keys ¦ none ¦ - ¦ medium ¦ - ¦ - ¦ - ¦ -{4,5} ?BEGIN SSH2 ENCRYPTED PRIVATE KEY ?-{4,5}(?:\s|\\[nr]|%0[AD]){1,8}(?:[A-Za-z-]{3,20}: [^\n]{1,120}\s{1,4}){0,4}[A-Za-z0-9+/]{40}
        """#

    static let all: [DetectorSpec] = text.split(separator: "\n").compactMap { parse($0) }

    private static func parse(_ line: Substring) -> DetectorSpec? {
        let fields = parts(line, " ¦ ")
        guard fields.count == 10, let edges = DetectorSpec.Edges(rawValue: String(fields[3])),
            let confidence = Confidence.allCases.first(where: { $0.label == fields[5] })
        else { return nil }
        let context = parts(fields[6], "; ")
        var words: WordsSpec?
        if context.count == 3, let within = Int(context[0]),
            let raises = Confidence.allCases.first(where: { $0.label == context[1] })
        {
            words = WordsSpec(words: list(context[2], ", "), within: within, raises: raises)
        }
        return DetectorSpec(
            name: String(fields[0]), description: String(fields[1]), sensors: list(fields[2], ", "), edges: edges,
            patterns: list(fields[9], " ;; "), validator: fields[4] == "-" ? nil : String(fields[4]),
            confidence: confidence, context: words, homeDomains: list(fields[7], ", "), allow: list(fields[8], " ;; "))
    }

    /// `-` is an empty list.
    private static func list(_ field: Substring, _ separator: StaticString) -> [String] {
        field == "-" ? [] : parts(field, separator).map(String.init)
    }

    private static func parts(_ text: Substring, _ separator: StaticString) -> [Substring] {
        var parts: [Substring] = []
        var from = text.startIndex
        var at = from
        let length = separator.utf8CodeUnitCount
        let bytes = UnsafeBufferPointer(start: separator.utf8Start, count: length)
        while at < text.endIndex {
            if text.utf8[at...].starts(with: bytes) {
                parts.append(text[from..<at])
                at = text.utf8.index(at, offsetBy: length)
                from = at
            } else {
                at = text.utf8.index(after: at)
            }
        }
        return parts + [text[from...]]
    }
}
