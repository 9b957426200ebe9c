"""Personal data and secrets, found by patterns and proved by check digits: a tag or a pseudonym stands for each.

Every pattern takes time linear in its text: what may repeat is bounded, or can't be read in two ways.
"""

import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import blake2b, sha256
from ipaddress import IPv6Address
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from stages.core.check_digits import bare, card, cpf, dni, iban, idnr, nir
from stages.core.faults import Fault
from stages.core.params import Distinct, Section, Sha256

KEY = "REPROLM_PII_KEY"
Name = Literal["credentials", "secret", "email", "iban", "card", "national_id", "ip", "phone"]


class Params(Section):
    kinds: Annotated[tuple[Name, ...], Distinct, Field(min_length=1)]
    replace: Literal["tag", "pseudonym"]
    key_sha256: Sha256 | None

    @model_validator(mode="after")
    def pseudonyms_have_a_key(self) -> Self:
        """Without one, anybody could try all telephone numbers until the pseudonym comes out."""
        if self.replace == "pseudonym" and self.key_sha256 is None:
            raise ValueError(
                f"pseudonyms want a key: put what `openssl rand -hex 32` prints into {KEY}, "
                f'and what `printf %s "${KEY}" | sha256sum` prints into key_sha256; or replace by tag'
            )
        return self


class Match(NamedTuple):
    """Where something stands; of two that overlap, the one that begins first and then the longer one counts."""

    start: int
    minus_end: int
    kind: Name


Finder = Callable[[str], Iterator[tuple[int, int]]]


def clean(text: str, p: Params) -> str:
    """The text without any match: where one goes, another may come to light, so it looks again."""
    while found := matches(text, p.kinds):
        text = replaced(text, found, p)
    return text


def matches(text: str, kinds: tuple[Name, ...]) -> list[Match]:
    """What of these kinds there is in the text."""
    found = list[Match]()
    for sign, finders in by_sign(kinds):
        if sign(text):
            for kind, find in finders:
                found += [Match(start, -end, kind) for start, end in find(text)]
    return found


@cache
def by_sign(kinds: tuple[Name, ...]) -> list[tuple[Callable[[str], object], list[tuple[Name, Finder]]]]:
    """The kinds by what any text must have in it that has one of them, so that it is looked for once."""
    signs = dict[Callable[[str], object], list[tuple[Name, Finder]]]()
    for kind in kinds:
        signs.setdefault(KINDS[kind].sign, []).append((kind, KINDS[kind].find))
    return list(signs.items())


def replaced(text: str, found: list[Match], p: Params) -> str:
    """The text with something else where the matches stand."""
    pieces, at = list[str](), 0
    for start, minus_end, kind in sorted(found):
        if start >= at:
            pieces += [text[at:start], standing(text[start:-minus_end], kind, p)]
            at = -minus_end
    return "".join([*pieces, text[at:]])


def standing(value: str, kind: Name, p: Params) -> str:
    """What stands for a value: letters and signs in which no pattern finds anything."""
    tag = KINDS[kind].tag
    if p.replace == "tag" or p.key_sha256 is None:
        return f"[{tag}]"
    # 40 bits: of ten thousand values, two have the same pseudonym once in 20,000 times.
    digest = blake2b(
        KINDS[kind].same(value).encode("utf-8", "surrogatepass"),
        key=key(p.key_sha256),
        person=tag.encode(),
        digest_size=5,
    )
    return f"[{tag}-{digest.hexdigest().translate(LETTERS)}]"


@cache
def key(pinned: str) -> bytes:
    """The key of the environment, if it is the pinned one."""
    given = os.environ.get(KEY)
    if given is None:
        raise Fault(f"cleaners.pii: the key of the pseudonyms is not there; put it into {KEY}, or set `replace: tag`")
    if not re.fullmatch("[0-9a-f]{64}", given):
        raise Fault(f"{KEY}: 64 hexadecimal digits are wanted, as `openssl rand -hex 32` prints them")
    if (found := sha256(given.encode()).hexdigest()) != pinned:
        raise Fault(
            f"{KEY}: its sha256 is {found}, and cleaners.pii.key_sha256 is {pinned}; "
            "give the key that is pinned, or pin this one"
        )
    return bytes.fromhex(given)


LETTERS = str.maketrans("0123456789", "ghijklmnop")


def folded(value: str) -> str:
    """An address in any case is the same."""
    return value.casefold()


def everywhere(pattern: re.Pattern[str], proof: Callable[[str], bool] | None = None) -> Finder:
    """Finds what a pattern matches, or its group `value`, where a proof confirms it."""
    group = "value" if "value" in pattern.groupindex else 0

    def find(text: str) -> Iterator[tuple[int, int]]:
        for match in pattern.finditer(text):
            if proof is None or proof(match[group]):
                yield match.span(group)

    return find


def begun(begin: re.Pattern[str], *shapes: tuple[re.Pattern[str], Callable[[str], bool] | None]) -> Finder:
    """Finds, wherever one may begin, what has one of the shapes and its proof. The first character goes first, as `re`
    is quick to find it; and a shape that proves false hides no other that begins within it."""

    def find(text: str) -> Iterator[tuple[int, int]]:
        for first in begin.finditer(text):
            at = first.start()
            for shape, proof in shapes:
                match = shape.match(text, at)
                if match and (proof is None or proof(match[0])):
                    yield match.span()

    return find


def several(*finders: Finder) -> Finder:
    """What any of them finds."""
    return lambda text: (span for find in finders for span in find(text))


# A value after the name of a user: https://ann:secret@example.org. A user alone is no secret, as in ssh://git@….
CREDENTIALS = re.compile(r"://(?P<value>[^\s/?#@:]*+:[^\s/?#]+)@")

# As their makers publish them, so that they can be found.
SECRETS = re.compile(
    r"""
    (?<![A-Za-z0-9]) (?:
      (?:AKIA|ASIA) [A-Z2-7]{16} (?![A-Za-z0-9])                      # AWS access key ids
    | gh[pousr]_ [A-Za-z0-9]{36,}+ | github_pat_ [A-Za-z0-9_]{22,}+
    | glpat- [A-Za-z0-9_-]{20,}+                                      # GitLab
    | xox[abeoprs]- [A-Za-z0-9-]{10,}+ | xapp- [A-Za-z0-9-]{10,}+     # Slack
    | [rs]k_live_ [A-Za-z0-9]{16,}+                                   # Stripe
    | AIza [A-Za-z0-9_-]{35} (?![A-Za-z0-9])                          # Google
    | hf_ [A-Za-z]{34} (?![A-Za-z0-9])                                # Hugging Face
    | npm_ [A-Za-z0-9]{36} (?![A-Za-z0-9]) | pypi-AgE [A-Za-z0-9_-]{50,}+
    | (?<![_-]) eyJ [A-Za-z0-9_-]*+ \. eyJ [A-Za-z0-9_-]*+ \. [A-Za-z0-9_-]*+  # JSON Web Tokens
    )
    | hooks\.slack\.com/services/ [A-Za-z0-9/_-]{20,}+
    | -----BEGIN\ (?:[A-Z0-9]++\ ){0,3} PRIVATE\ KEY (?:\ BLOCK)? -----
      (?: [^-]*+ (?:-(?!-)[^-]*+)*+ -----END\ [A-Z0-9 ]{1,40}+ -----  # what lies between has no two hyphens
        | (?:\s*[A-Za-z0-9+/=]{40,}+)* )                              # or breaks off
    """,
    re.VERBOSE,
)
SIGNS = ("AKIA", "ASIA", "AIza", "glpat-", "xox", "xapp-", "pypi-AgE", "eyJ", "hooks.slack", "PRIVATE KEY")
SIGNS_WITH_LINE = ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "k_live_", "hf_", "npm_")

# Letters of alphabets with spaces between words: in others, an address would take its neighbours along.
WORD = "A-Za-z0-9À-ɏͰ-ԯ"
EMAIL = re.compile(
    rf"(?<![{WORD}_.%+-])[.%+-]*+(?P<value>[{WORD}_][{WORD}_.%+-]*+(?:'[{WORD}_.%+-]++)?"
    rf"@(?:[{WORD}_-]++\.)+(?:xn--[A-Za-z0-9-]{{2,59}}|[A-Za-zÀ-ɏͰ-ԯ]{{2,24}}))(?![{WORD}_])"
)

OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
IPV4_BEGIN = re.compile(r"[0-9](?<![\w.].)", re.ASCII)
IPV4 = re.compile(rf"(?:{OCTET}\.){{3}}{OCTET}(?!\w|\.[0-9])", re.ASCII)
IPV6 = re.compile(
    r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}(?:\.[0-9]{1,3}){0,3}(?<![^:]:)(?!\w|:[\w:]|\.[0-9])",
    re.ASCII,
)
COLONS = re.compile(":[0-9A-Fa-f]{0,4}:")


def ipv6(address: str) -> bool:
    """Whether it is one, and has a group of four with a digit: a slice [1::2] and what C++ writes have none."""
    try:
        IPv6Address(address)
    except ValueError:
        return False
    return any(len(group) == 4 and not group.isalpha() for group in address.split(":"))


# Numbers of eight signs or more: what is longer, or has a decimal point, is something else.
NUMBER, END = re.compile(r"[0-9](?<!\w.)(?<![0-9]\..)(?=(?:[ .-]?[0-9AB]){7})", re.ASCII), r"(?!\w)(?!\.[0-9])"
WORD_BEGIN, END_OF_WORD = re.compile(r"[A-Z](?<!\w.)(?=[A-Z]?[ -]?[0-9])", re.ASCII), r"(?!\w)"
SIX_DIGITS = re.compile(r"[0-9](?:[ ./()-]{0,2}[0-9]){5}")

CARD = re.compile(
    rf"""(?: [0-9]{{12,19}}
    | [0-9]{{4}} ([ -]) [0-9]{{4}} \1 [0-9]{{4}} \1 [0-9]{{4}}
    | [0-9]{{4}} ([ -]) [0-9]{{6}} \2 [0-9]{{4,5}} ) {END}""",
    re.ASCII | re.VERBOSE,
)
# Countries and lengths of the SWIFT registry.
IBANS = re.findall(
    r"[A-Z]{2}[0-9]{2}",
    """
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24
    FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21
    LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22
    RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
""",
)
IBAN_BEGIN = re.compile(r"[A-Za-z]{2}[0-9]{2}(?<!\w....)", re.ASCII)
IBAN = re.compile(
    "(?:" + "|".join(f"{one[:2]}[0-9]{{2}}(?: ?[A-Z0-9]){{{int(one[2:]) - 4}}}" for one in IBANS) + f"){END_OF_WORD}",
    re.ASCII | re.IGNORECASE,
)


# United States: no area 000, 666, 900-999, no group 00, no serial 0000 (Social Security Administration, 2011).
SSN = re.compile(rf"(?!000|666|9)[0-9]{{3}}([ -])(?!00)[0-9]{{2}}\1(?!0000)[0-9]{{4}}{END}", re.ASCII)
# United Kingdom: the prefixes that HMRC gives.
NINO = re.compile(
    rf"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]( ?)(?:[0-9]{{2}}\1){{3}}[A-D]{END_OF_WORD}",
    re.ASCII,
)
IDNR = re.compile(rf"[1-9][0-9]( ?)[0-9]{{3}}\1[0-9]{{3}}\1[0-9]{{3}}{END}", re.ASCII)
DNI = re.compile(rf"[0-9]{{8}}-?[A-HJ-NP-TV-Z]{END_OF_WORD}", re.ASCII)
NIE = re.compile(rf"[XYZ]-?[0-9]{{7}}-?[A-HJ-NP-TV-Z]{END_OF_WORD}", re.ASCII)
NIR = re.compile(
    rf"[12]( ?)[0-9]{{2}}\1[0-9]{{2}}\1(?:[0-9]{{2}}|2[AB])\1[0-9]{{3}}\1[0-9]{{3}}\1[0-9]{{2}}{END}", re.ASCII
)
CPF = re.compile(rf"[0-9]{{3}}\.[0-9]{{3}}\.[0-9]{{3}}-[0-9]{{2}}{END}", re.ASCII)


# Only what is written as telephone numbers are: ten digits in a row or 467 3395 may be anything. What may not stand
# before one may not stand behind another either: else, of many in a row, each would come to light in its own round.
PHONE_BEGIN = re.compile(r"[+(0-9](?<![\w+].)(?<![0-9][.-].)", re.ASCII)
PHONE = re.compile(
    r"""
    (?:
      (?: \+ | 00[ -] | 00(?=[1-9][0-9]{0,2}[ .-]) ) [1-9][0-9]{0,2} (?:[ ./-]?\(0?[0-9]{0,4}\))? (?:[ ./-]?[0-9]){6,12}
      # North America: area, exchange, number
    | (?:1[ .-])? (?: \([2-9][0-9]{2}\)[ ]?[0-9]{3}[ .-] | [2-9][0-9]{2}([.-])[0-9]{3}\1
                    | [2-9][0-9]{2}[ ][2-9][0-9]{2}[ -] ) [0-9]{4}
      # With the 0 that calls within a country begin with
    | 0[1-9]([ .-])[0-9]{2} (?:\2[0-9]{2}){3}
    | 0[1-9][0-9]{1,2}([ .-])[0-9]{2,3} \3[0-9]{2} \3[0-9]{2}
    | (?: \(0[1-9][0-9]{0,3}\)[ ]? | 0[1-9][0-9]{0,3}[ /-] ) [0-9]{3,4}[ -][0-9]{3,4}
    | (?: \(0[1-9][0-9]{1,3}\)[ ]? | 0[1-9][0-9]{1,3}[ /-] ) [0-9]{6,8}
      # An area in brackets, pairs
    | \([1-9][0-9]{1,2}\) [ ]? [0-9]{3,4} [ -] [0-9]{3,4}
    | [0-9]{2} (?:-[0-9]{2}){3}
    ) (?: [ ]?(?:x|ext\.?)[ ]?[0-9]{1,5})? (?![\w+(]) (?![.-][0-9+(])
    """,
    re.VERBOSE | re.ASCII,
)


class Kind(NamedTuple):
    """What stands for it, what every text that has one has in it, how it is found, and what makes two the same."""

    tag: str
    sign: Callable[[str], object]
    find: Finder
    same: Callable[[str], str]


def has_at(text: str) -> bool:
    """Whether there may be an address."""
    return "@" in text


def has_prefix(text: str) -> bool:
    """Whether there may be a secret."""
    return holds(text, SIGNS) or ("_" in text and holds(text, SIGNS_WITH_LINE))


def holds(text: str, signs: tuple[str, ...]) -> bool:
    """Whether one of the signs is there; a loop takes a third of what `any` takes."""
    for sign in signs:  # noqa: SIM110
        if sign in text:
            return True
    return False


def has_points(text: str) -> bool:
    """Whether there may be a machine's address."""
    return text.count(".") > 2 or COLONS.search(text) is not None


KINDS: dict[Name, Kind] = {
    "credentials": Kind("CREDENTIALS", has_at, everywhere(CREDENTIALS), str),
    "secret": Kind("SECRET", has_prefix, everywhere(SECRETS), str),
    "email": Kind("EMAIL", has_at, everywhere(EMAIL), folded),
    "iban": Kind("IBAN", SIX_DIGITS.search, begun(IBAN_BEGIN, (IBAN, iban)), bare),
    "card": Kind("CARD", SIX_DIGITS.search, begun(NUMBER, (CARD, card)), bare),
    "national_id": Kind(
        "ID",
        SIX_DIGITS.search,
        several(
            begun(NUMBER, (SSN, None), (IDNR, idnr), (DNI, dni), (NIR, nir), (CPF, cpf)),
            begun(WORD_BEGIN, (NINO, None), (NIE, dni)),
        ),
        bare,
    ),
    "ip": Kind("IP", has_points, several(begun(IPV4_BEGIN, (IPV4, None)), everywhere(IPV6, ipv6)), folded),
    "phone": Kind("PHONE", SIX_DIGITS.search, begun(PHONE_BEGIN, (PHONE, None)), bare),
}
