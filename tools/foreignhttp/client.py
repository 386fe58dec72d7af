"""Buys, is refused, retries and pages with clients that openapi-python-client has generated.

Usage: client.py FOLDER KEY CONTRACT-URL BILLING-URL. FOLDER has the generated packages contract and
billing, and KEY is the API key. The script uses nothing else of the services than those packages.
"""

import datetime
import sys
import time
import uuid

folder, api_key, contract_url, billing_url = sys.argv[1:]
sys.path.insert(0, folder)

from billing import AuthenticatedClient as Billing
from billing.api.operations import create_operation, get_operation, list_operations
from billing.api.subscriptions import get_subscription
from billing.models import Money as BillingMoney
from billing.models import PositiveMoney, Problem, ProblemCode, Purchase, PurchaseRequest, PurchaseRequestType, RefusalReason, Subscription
from billing.models import ContractStatus as KnownStatus
from contract import AuthenticatedClient as Contract
from contract.api.contracts import create_contract, get_contract
from contract.api.mandate import sign_mandate
from contract.models import Address, Company, ContractStatus, MandateScheme, Money, NewContract, SignedMandate
from contract.models import Contract as ContractBody

run = uuid.uuid4().hex[:10]
contracts = Contract(base_url=contract_url, token=api_key, prefix="", auth_header_name="X-API-Key")
billing = Billing(base_url=billing_url, token=api_key, prefix="", auth_header_name="X-API-Key")
long_ago = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def wait(what, ask, enough):
    """Returns what ask returns once that is enough."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        answer = ask()
        if enough(answer):
            return answer
        time.sleep(0.1)
    raise SystemExit(f"{what}: not within 60 s, last {answer}")


def expect(what, good):
    if not good:
        raise SystemExit(f"not as expected: {what}")
    print("ok", what)


new = NewContract(
    customer_ref=f"CE-{run}",
    seller_ref="AG-CLIENT",
    buyer=Company("CSE CLIENT", "732829320", "FR44732829320", Address("12 rue de la Paix", "75002", "Paris", "FR")),
    ceiling=Money(100000, "EUR"),
    valid_from=long_ago,
)
created = create_contract.sync_detailed(client=contracts, body=new, idempotency_key=f"create-{run}")
expect("a contract is created", created.status_code == 201 and isinstance(created.parsed, ContractBody))
ref = created.parsed.contract_ref
mandate = SignedMandate(f"RUM-{run}", "FR72ZZZ123456", MandateScheme.B2B, long_ago, "FR7630006000011234567890189", "CSE CLIENT")
signed = sign_mandate.sync_detailed(ref, client=contracts, body=mandate, idempotency_key=f"sign-{run}", if_match=created.headers["ETag"])
expect("a mandate is signed", signed.status_code == 200)
wait("the contract is active", lambda: get_contract.sync(ref, client=contracts), lambda c: c.status == ContractStatus.ACTIVE)
subscription = ref.replace("CTR-", "SUB-")
wait(
    "billing knows the contract",
    lambda: get_subscription.sync(subscription, client=billing),
    lambda s: isinstance(s, Subscription) and s.status == KnownStatus.ACTIVE,
)


def buy(order, amount, key):
    body = PurchaseRequest(PurchaseRequestType.PURCHASE, ref, order, PositiveMoney(amount, "EUR"))
    return create_operation.sync_detailed(client=billing, body=body, idempotency_key=key)


bought = buy("ORD-1", 40000, f"buy-1-{run}")
expect("a purchase is accepted", bought.status_code == 201 and isinstance(bought.parsed, Purchase))
again = buy("ORD-1", 40000, f"buy-1-{run}")
expect(
    "the retry gets the same answer",
    again.parsed.operation_ref == bought.parsed.operation_ref and again.headers["Idempotent-Replayed"] == "true",
)
refused = buy("ORD-2", 70000, f"buy-2-{run}")
expect(
    "a purchase above the ceiling is refused with its reason",
    isinstance(refused.parsed, Problem)
    and refused.parsed.code == ProblemCode.PURCHASE_REFUSED
    and refused.parsed.reasons == [RefusalReason.CEILING_EXCEEDED]
    and refused.parsed.available == BillingMoney(60000, "EUR"),
)
reused = buy("ORD-3", 1, f"buy-1-{run}")
expect("a key that was used is a problem of its own", reused.parsed.code == ProblemCode.IDEMPOTENCY_KEY_REUSED)
missing = get_operation.sync("BOP-1-999999", client=billing)
expect("what does not exist is a problem", isinstance(missing, Problem) and missing.code == ProblemCode.OPERATION_NOT_FOUND)
for n in range(4, 8):
    expect(f"purchase {n} is accepted", buy(f"ORD-{n}", 100, f"buy-{n}-{run}").status_code == 201)
seen, offset = [], 0
while True:
    page = list_operations.sync(client=billing, contract_ref=ref, limit=2, offset=offset)
    seen += [o.operation_ref for o in page.items]
    offset += len(page.items)
    if offset >= page.total:
        break
expect("six operations on pages of two", len(seen) == len(set(seen)) == 6 and seen[0] == bought.parsed.operation_ref)
