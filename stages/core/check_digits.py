"""Numbers that prove themselves: what the check digits of cards, accounts and national ids say.

Each takes a number however its digits are grouped.
"""

import re

# Mastercard, Mir, American Express, Diners, JCB, Visa, UnionPay, Discover, Maestro: first digits and lengths.
NETWORKS = re.compile(
    r"5[1-5]\d{14}|2(?:2(?:2[1-9]|[3-9]\d)|[3-6]\d\d|7(?:[01]\d|20))\d{12}|220[0-4]\d{12}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}"
    r"|35\d{14}|(?:2131|1800)\d{11}|4\d{12}(?:\d{3}){0,2}|(?:50|5[6-9]|6\d)\d{10,17}"
)


def bare(value: str) -> str:
    """A number is the same however its digits are grouped."""
    return re.sub(r"[\W_]", "", value).casefold()


def card(number: str) -> bool:
    """Whether a network gives such numbers, and Luhn's sum (ISO/IEC 7812) is right."""
    digits = bare(number)
    return NETWORKS.fullmatch(digits) is not None and luhn(digits) % 10 == 0


def luhn(digits: str) -> int:
    """Every second digit from the right is doubled, with its own digits added up."""
    return sum(map(int, digits[-1::-2])) + sum((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)[int(digit)] for digit in digits[-2::-2])


def iban(number: str) -> bool:
    """ISO 13616: the first four signs at the end and letters as numbers, the rest by 97 is 1."""
    signs = bare(number)
    return int("".join(str(int(sign, 36)) for sign in signs[4:] + signs[:4])) % 97 == 1


def idnr(number: str) -> bool:
    """Germany: of ten digits one comes twice or three times, no other again; the eleventh by ISO 7064, MOD 11, 10."""
    digits = bare(number)
    often = sorted((digits[:10].count(digit) for digit in set(digits[:10])), reverse=True)
    rest = 10
    for digit in digits[:10]:
        rest = ((rest + int(digit)) % 10 or 10) * 2 % 11
    return often[0] in {2, 3} and often[1] == 1 and (11 - rest) % 10 == int(digits[10])


def dni(number: str) -> bool:
    """Spain: the letter is the rest by 23; foreigners have X, Y, Z for 0, 1, 2."""
    signs = bare(number).upper()
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(signs[:-1].translate(str.maketrans("XYZ", "012"))) % 23] == signs[-1]


def nir(number: str) -> bool:
    """France: the last two digits and the rest by 97 are 97; Corsica's 2A and 2B count as 19 and 18."""
    signs = bare(number).upper().replace("2A", "19").replace("2B", "18")
    return int(signs[:13]) % 97 + int(signs[13:]) == 97


def cpf(number: str) -> bool:
    """Brazil: two check digits by 11, over nine and over ten digits; not all the same."""
    digits = [int(digit) for digit in bare(number)]

    def check(count: int) -> int:
        return sum(digit * (count + 1 - n) for n, digit in enumerate(digits[:count])) * 10 % 11 % 10

    return len(set(digits)) > 1 and [check(9), check(10)] == digits[9:]
