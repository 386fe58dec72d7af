"""Hooks of schemathesis for our services: new keys, positions that exist, instants in bounds."""

import datetime
import re
import string
import uuid

import schemathesis
from hypothesis import strategies as st

KEY = set(string.ascii_letters + string.digits + string.punctuation)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes a valid key a new one, since a used key is another request's, and a valid position one
    that the log has, since the answer to a later one is 503."""
    headers = case.headers or {}
    position = headers.get("Log-Position")
    if isinstance(position, str) and re.fullmatch(r"(contract|billing)\.log\.v1:[0-9]{1,18}", position):
        headers["Log-Position"] = position.split(":")[0] + ":0"
    key = headers.get("Idempotency-Key")
    if isinstance(key, str) and 0 < len(key) <= 128 and set(key) <= KEY:
        headers["Idempotency-Key"] = str(uuid.uuid4())


instants = st.datetimes(min_value=datetime.datetime(2000, 1, 1), max_value=datetime.datetime(2199, 12, 31))
schemathesis.openapi.format("date-time", instants.map(lambda at: at.isoformat(timespec="seconds") + "Z"))
