"""Personal data: what is found is gone afterwards, pseudonyms hang on a pinned key, no text makes it slow."""

import hashlib
import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from stages import clean
from stages.cleaners import pii
from stages.core.faults import Fault
from stages.core.records import Document, Drop, Span
from tests.cleaners.steps import Steps

EVERY = tuple(pii.KINDS)
TAGS = pii.Params(kinds=EVERY, replace="tag", key_sha256=None)
KEY = "6f" * 32
PINNED = hashlib.sha256(KEY.encode()).hexdigest()
PSEUDONYMS = pii.Params(kinds=EVERY, replace="pseudonym", key_sha256=PINNED)

# What makers and authorities publish as examples, and the same shapes filled up.
VALUES = {
    "credentials": ["://ann:pass@", "://:x@", "://a:b@c@"],
    "secret": [
        "AKIAIOSFODNN7EXAMPLE".replace("0", "2"),
        "ghp_" + "a1" * 18,
        "github_pat_" + "b_2" * 10,
        "glpat-" + "c-3d" * 5,
        "xoxb-" + "1234-abcd" * 3,
        "xapp-1-A1-" + "2b" * 9,
        "sk_" + "live_" + "4e" * 12,
        "AIza" + "f-5_g" * 7,
        "hf_" + "hI" * 17,
        "npm_" + "j6" * 18,
        "pypi-AgE" + "k7_-" * 13,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln",
        "hooks.slack.com/services/T0000/B0000/XXXXXXXX",
        f"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{'Ab1+' * 16}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{'Ab1+' * 16}",
    ],
    "email": ["ann@example.org", "o'neil.b@x-y.example.co.uk", "müller@bücher.example", "a@xn--p1ai.xn--p1ai"],
    "iban": ["GB82WEST12345698765432", "de89 3704 0044 0532 0130 00", "NO9386011117947"],
    "card": ["4111111111111111", "3782 822463 10005", "6304000000000000", "4222222222222"],
    "national_id": [
        "078-05-1120",
        "AB 12 34 56 C",
        "86095742719",
        "12345678Z",
        "2 84 12 2A 099 999 30",
        "529.982.247-25",
    ],
    "ip": ["192.0.2.17", "2001:db8::1", "6e40:4041:c617:e898:c11:40d2:c669:2eb4"],
    "phone": ["+1 555 0100 200", "(579)888-3058x12", "01.84.17.61.18", "0490 75 40 81", "(37) 788-063", "60-56-85-91"],
}
pieces = (
    st.sampled_from([value for values in VALUES.values() for value in values])
    | st.sampled_from([value[: len(value) // 2] for values in VALUES.values() for value in values])
    | st.sampled_from([*" .,:;-+@/()'_[]x0189aF\n", "://", "::", "00", "[EMAIL]", "é", "日", "eyJ", "ext. "])
    | st.text(max_size=3)
)
texts = st.lists(pieces, max_size=10).map("".join)


@pytest.fixture(autouse=True)
def with_the_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(pii.KEY, KEY)
    pii.key.cache_clear()
    yield
    pii.key.cache_clear()


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in VALUES.items() for value in values])
def test_each_kind_is_found_whole_when_it_is_looked_for(kind: pii.Name, value: str):
    p = TAGS.model_copy(update={"kinds": (kind,)})
    behind = "host" if kind == "credentials" else ""
    assert (
        pii.clean(f"say {value}{behind}, so", p)
        == f"say {value.replace(value.removeprefix('://').removesuffix('@'), f'[{pii.KINDS[kind].tag}]')}{behind}, so"
    )
    others = TAGS.model_copy(update={"kinds": tuple(one for one in EVERY if one != kind)})
    assert f"[{pii.KINDS[kind].tag}]" not in pii.clean(f"say {value}{behind}, so", others)


@given(texts, st.booleans())
@example("555-123-4561.2.2.2.2", False)  # the number hides the address behind it, until it is gone
@example("https://a:ghp_" + "a" * 36 + "@x.org", True)
def test_no_match_is_left(text: str, named: bool):
    p = PSEUDONYMS if named else TAGS
    after = pii.clean(text, p)
    assert pii.matches(after, EVERY) == []
    assert pii.clean(after, p) == after


@given(texts)
def test_the_signs_miss_nothing(text: str):
    """What a kind looks for first is in any text in which it would find something."""
    for kind in pii.KINDS.values():
        assert kind.sign(text) or not list(kind.find(text))


@given(texts)
def test_without_digits_addresses_and_keys_nothing_changes(text: str):
    plain = re.sub(r"[0-9@]|::|[a-z]+_|-{2,}|eyJ|AIza|A[KS]IA|xapp|xox|pypi|glpat|hooks", "", text)
    assert pii.clean(plain, TAGS) == plain


def test_a_pseudonym_is_the_same_for_the_same_and_says_nothing_without_the_key(monkeypatch: pytest.MonkeyPatch):
    first = pii.clean("ann@example.org wrote to bob@example.org", PSEUDONYMS)
    ann, bob = re.findall(r"\[EMAIL-[a-p]{10}\]", first)
    assert first == f"{ann} wrote to {bob}" and ann != bob
    assert pii.clean("Ann@Example.org", PSEUDONYMS) == ann
    assert pii.clean("4111-1111-1111-1111", PSEUDONYMS) == pii.clean("4111111111111111", PSEUDONYMS)
    monkeypatch.setenv(pii.KEY, other := "70" * 32)
    pinned = PSEUDONYMS.model_copy(update={"key_sha256": hashlib.sha256(other.encode()).hexdigest()})
    assert pii.clean("ann@example.org", pinned) != ann


def test_the_key_is_the_pinned_one(monkeypatch: pytest.MonkeyPatch):
    def said(value: str | None) -> str:
        if value is None:
            monkeypatch.delenv(pii.KEY)
        else:
            monkeypatch.setenv(pii.KEY, value)
        with pytest.raises(Fault) as fault:
            pii.clean("ann@example.org", PSEUDONYMS)
        return str(fault.value)

    other = "70" * 32
    assert said(other) == (
        f"REPROLM_PII_KEY: its sha256 is {hashlib.sha256(other.encode()).hexdigest()}, and cleaners.pii.key_sha256 "
        f"is {PINNED}; give the key that is pinned, or pin this one"
    )
    assert said("secret") == (
        "REPROLM_PII_KEY: 64 hexadecimal digits are wanted, as `openssl rand -hex 32` prints them"
    )
    assert said(None) == (
        "cleaners.pii: the key of the pseudonyms is not there; put it into REPROLM_PII_KEY, or set `replace: tag`"
    )


def test_tags_want_no_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(pii.KEY)
    assert pii.clean("ann@example.org", TAGS) == "[EMAIL]"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"replace": "pseudonym"},
            "pseudonyms want a key: put what `openssl rand -hex 32` prints into REPROLM_PII_KEY",
        ),
        ({"kinds": ("email", "email")}, "email: named more than once; once is enough"),
        ({"kinds": ()}, "at least 1 item"),
        ({"kinds": ("name",)}, "Input should be 'credentials', 'secret'"),
    ],
)
def test_refused_parameters(changed: dict[str, object], message: str):
    with pytest.raises(ValidationError, match=re.escape(message)):
        pii.Params.model_validate(TAGS.model_dump() | changed)


@pytest.mark.parametrize("p", [TAGS, PSEUDONYMS])
@pytest.mark.parametrize(
    ("marked", "covered"),
    [
        ("{Ann} is {ann@example.org}, {GB82 WEST 1234 5698 7654 32}", ["Ann", "[EMAIL", "[IBAN"]),
        ("{at 192.0.2.17 now} in {Paris}", ["at [IP", "Paris"]),
        ("{ann}@example.org", None),  # half of what is replaced
        ("call 0490 {75 40} 81", None),
    ],
)
def test_spans_cover_what_stands_there_now(p: pii.Params, marked: str, covered: list[str] | None):
    parts = re.split("[{}]", marked)
    ends = [sum(map(len, parts[:n])) for n in range(1, len(parts))]
    spans = tuple(Span(start, end, "x") for start, end in zip(ends[::2], ends[1::2], strict=True))
    before = Document("1", "".join(parts), None, "s", None, None, {}, spans=spans)
    kept, dropped = clean.cleaned([before], clean.Params(steps=("pii",), settings={"pii": p}))
    if covered is None:
        assert dropped == [Drop("1", "a span lost in cleaning")]
    else:
        (after,) = kept
        found = [after.text[span.start : span.end] for span in after.spans or ()]
        assert [one.startswith(start) for one, start in zip(found, covered, strict=True)] == [True] * len(covered)


PATTERNS = {name: value for name, value in vars(pii).items() if isinstance(value, re.Pattern)}
# What patterns begin with, again and again, and never end.
HOSTILE = [
    *(
        "a",
        "a.",
        "a'",
        "@",
        "a@",
        "a@a.",
        "a@a.aa1",
        ".",
        "-",
        "_",
        "%",
        "://",
        "://a:",
        "://a:b",
        "0",
        "1",
        "1.",
        "1:",
        ":",
    ),
    *(
        "0 ",
        "1-",
        "01 ",
        "00 1",
        "+1",
        "(1",
        "(11) ",
        "(0)",
        "4111 ",
        "AA00 ",
        "GB82 ",
        "2A",
        "12 ",
        "99999999",
        "x",
        " x1",
    ),
    *("eyJ", "-eyJ", "eyJ.", "eyJa.eyJ", "ghp_", "xoxb-", "AKIA", "sk_live_a", "pypi-AgE", "hooks.slack.com/services/"),
    *(
        "-----",
        "-----BEGIN ",
        "-----BEGIN A ",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY----- a",
        " ",
        "\n",
    ),
    *("-----BEGIN PRIVATE KEY-----" + "A" * 44 + "\n", "- -", "-----END ", "ab:12::", "::1", "2001:db8:", "255."),
]


@pytest.mark.parametrize("name", PATTERNS)
def test_no_text_makes_a_pattern_slow(name: str):
    """Twice the text takes about twice the steps."""
    for unit in HOSTILE:
        once, twice = (Steps(PATTERNS[name], (unit * 400)[:length]).count for length in (150, 300))
        assert twice < 2.3 * once, unit


def test_the_steps_of_a_slow_pattern_are_seen():
    once, twice = (Steps(re.compile("[a-z.]+@"), "a" * length).count for length in (100, 200))
    assert twice > 3.9 * once


@pytest.mark.parametrize("first", [value for values in VALUES.values() for value in values])
def test_no_text_is_looked_at_again_and_again(first: str, monkeypatch: pytest.MonkeyPatch):
    """What comes to light as other things go does so within a few rounds, however many there are in a row."""
    rounds = list[str]()
    look = pii.matches
    monkeypatch.setattr(pii, "matches", lambda text, kinds: rounds.append(text) or look(text, kinds))
    for second in ["", "555-123-4561.2.2.2.2.", *HOSTILE, *(value for values in VALUES.values() for value in values)]:
        rounds.clear()
        pii.clean((first + second) * 15, TAGS)
        assert len(rounds) <= 4, second
