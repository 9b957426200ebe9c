"""Scripts that are written without spaces between words, as ranges for a regular expression."""

# Kana and Han: each character counts as a word.
WITHOUT_SPACES = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
# Thai, Lao, Burmese and Khmer, whose signs for vowels and tones belong to the letter before; and the rarer Han.
RARER = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\U00020000-\U000323af"
