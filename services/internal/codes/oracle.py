"""Answers for each line {"kind": ..., "value": ...} whether the value is right, as one JSON array.

The verdicts are those of schwifty, python-stdnum and pycountry.
"""

import json
import sys

import pycountry
from schwifty import BIC, IBAN
from stdnum.eu import at_02, vat
from stdnum.fr import siren


def schwifty(kind):
    def right(value):
        try:
            kind(value)
        except ValueError:
            return False
        return True

    return right


JUDGES = {
    "iban": schwifty(IBAN),
    "bic": schwifty(BIC),
    "ics": at_02.is_valid,
    "siren": siren.is_valid,
    "vat": vat.is_valid,
    "country": lambda code: pycountry.countries.get(alpha_2=code) is not None and code.isupper(),
    "currency": lambda code: pycountry.currencies.get(alpha_3=code) is not None and code.isupper(),
}

questions = (json.loads(line) for line in sys.stdin)
print(json.dumps([bool(JUDGES[q["kind"]](q["value"])) for q in questions]))
