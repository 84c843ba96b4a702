"""What a log, a mail or a page gives away, without mistaking a clock or a drawn number for it.

A systolic 192 is looked for as a number of its own: `...:58.391192Z`, an epoch `a192…` and a message's boundary hold the same
digits by chance, and a test that cries over chance is soon not believed.
"""

import re
from typing import Final

#: Instants, identifiers drawn at random, and boundaries between the parts of a mail.
_DRAWN: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ][\d:.,]+(Z|[+-]\d\d:?\d\d)?"
    r"|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{12,}\b"
    r"|={5,}\d+={2,}"
    r"|^(Message-ID|Date):.*$",
    re.MULTILINE,
)


def leaked(text: str, *secrets: str) -> list[str]:
    """Those of `secrets` that stand in `text`: a number only as a whole number (192, 192.0), a word wherever it is,
    in capitals or not."""
    rest = _DRAWN.sub(" ", text)
    return [secret for secret in secrets if re.search(_pattern(secret), rest, re.IGNORECASE)]


def _pattern(secret: str) -> str:
    if re.fullmatch(r"[\d.]+", secret):
        return rf"(?<![\w.]){re.escape(secret)}(\.0+)?(?!\w|\.\d)"
    return re.escape(secret)
