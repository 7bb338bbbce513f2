"""Stripe's official Python SDK walks through the twin: everything a marketplace with payouts asks of Stripe.

Usage: walk.py http://127.0.0.1:PORT. Prints a transcript; the exit code is 1 as soon as anything is odd.
The twin must be fresh: test mode, its usual key, no limits, --check-openapi.
"""

import http.server
import json
import sys
import threading
import time
import urllib.request

import stripe

BASE = sys.argv[1].rstrip("/")
KEY = "sk_test_twin00000000000000000000"
CLIENT = stripe.StripeClient(KEY, base_addresses={"api": BASE}, max_network_retries=0)
API = CLIENT.v1
PATIENCE_S = 10


def say(what, *more):
    print(what.ljust(34), *more, flush=True)


def check(holds, what):
    if not holds:
        say("ODD", what)
        sys.exit(1)


def twin(path, body=None):
    """The twin's own doors."""
    data = None if body is None else json.dumps(body).encode()
    method = "GET" if body is None else "POST"
    with urllib.request.urlopen(urllib.request.Request(BASE + "/_twin/" + path, data, method=method), timeout=10) as answer:
        return json.load(answer)


def on(account, key=None):
    options = {"stripe_account": account}
    if key:
        options["idempotency_key"] = key
    return options


def refused(kind, code, call, *args, **named):
    try:
        call(*args, **named)
    except kind as error:
        # For some statuses the SDK leaves the code in the body only.
        found = error.code or (error.json_body or {}).get("error", {}).get("code")
        check(found == code, f"{kind.__name__} with code {found!r}, not {code!r}")
        check(error.request_id is not None or error.headers.get("request-id"), "an error without a request id")
        say(f"  {kind.__name__}", code, error.http_status)
        return error
    except Exception as error:  # pylint: disable=broad-except
        check(False, f"{type(error).__name__} instead of {kind.__name__}: {error}")
    check(False, f"no {kind.__name__}")
    return None


def until(what, holds):
    """Waits for what the twin does by itself, bounded."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = holds()
        if found:
            return found
        time.sleep(0.02)
    check(False, f"never: {what}")
    return None


class Hook(http.server.BaseHTTPRequestHandler):
    """Takes deliveries; which path, the exact bytes, the signature."""

    seen = []
    refusals = {"/connect": 1}

    def do_POST(self):  # pylint: disable=invalid-name
        body = self.rfile.read(int(self.headers["content-length"]))
        left = Hook.refusals.get(self.path, 0)
        Hook.refusals[self.path] = max(left - 1, 0)
        if not left:
            Hook.seen.append((self.path, body, self.headers["stripe-signature"]))
        self.send_response(500 if left else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


def accounts():
    made = [
        {"id": "acct_sdk_us", "country": "US", "currency": "usd", "available": {"usd": 100000}},
        {"id": "acct_sdk_de", "country": "DE", "currency": "eur", "available": {"eur": 5000}},
    ]
    check(twin("accounts", made) == {"added": 2}, "accounts not taken")
    account = API.accounts.retrieve("acct_sdk_us")
    check(account.settings.payouts.schedule.interval == "manual", "the schedule isn't manual")
    check(account.external_accounts.data[0].object == "bank_account", "no bank account")
    check(account.capabilities.transfers == "active", "no capability")
    listed = [row.id for row in API.accounts.list({"limit": 1}).auto_paging_iter()]
    check(sorted(listed) == ["acct_sdk_de", "acct_sdk_us"], f"accounts listed: {listed}")
    say("accounts", account.id, account.country, account.default_currency, *listed)
    balance = API.balance.retrieve(options=on("acct_sdk_us"))
    check(balance.available[0].amount == 100000, "another balance")
    changed = API.accounts.update("acct_sdk_us", {"settings": {"payouts": {"schedule": {"interval": "weekly", "weekly_anchor": "friday"}}}})
    check(changed.settings.payouts.schedule.weekly_anchor == "friday", "the schedule wasn't set")
    settings = API.balance_settings.update({"payments": {"payouts": {"schedule": {"interval": "manual"}}}}, on("acct_sdk_us"))
    check(settings.payments.payouts.schedule.interval == "manual", "the balance settings weren't set")
    say("schedule, balance settings", settings.payments.payouts.schedule.interval)
    link = API.account_links.create(
        {"account": "acct_sdk_us", "type": "account_onboarding", "refresh_url": "https://x.test/r", "return_url": "https://x.test/b"}
    )
    check(link.expires_at > link.created and link.url.startswith("https://connect.stripe.com/"), "an odd link")
    say("account link", link.object, link.expires_at - link.created, "s")


def endpoints(port):
    url = f"http://127.0.0.1:{port}"
    platform = API.webhook_endpoints.create({"url": url + "/platform", "enabled_events": ["*"]})
    connect = API.webhook_endpoints.create(
        {"url": url + "/connect", "enabled_events": ["payout.created", "payout.paid", "payout.canceled"], "connect": True}
    )
    check(platform.secret and connect.secret and platform.secret != connect.secret, "odd secrets")
    check(getattr(API.webhook_endpoints.retrieve(platform.id), "secret", None) is None, "the secret is shown twice")
    check(len(API.webhook_endpoints.list().data) == 2, "not two endpoints")
    say("webhook endpoints", platform.id, connect.id)
    return {"/platform": platform, "/connect": connect}


def payouts():
    asked = {"amount": 1100, "currency": "usd", "metadata": {"key": "walk-1"}, "statement_descriptor": "WALK"}
    first = API.payouts.create(asked, on("acct_sdk_us", "walk-1"))
    check(first.status == "pending" and first.amount == 1100 and first.metadata["key"] == "walk-1", "an odd payout")
    again = API.payouts.create(asked, on("acct_sdk_us", "walk-1"))
    check(again.id == first.id, "a replay made another payout")
    check(again.last_response.headers["idempotent-replayed"] == "true", "a replay doesn't say so")
    say("create, replay", first.id, first.status, "replayed")
    refused(stripe.IdempotencyError, None, API.payouts.create, {**asked, "amount": 1101}, on("acct_sdk_us", "walk-1"))
    canceled = API.payouts.cancel(first.id, options=on("acct_sdk_us", "walk-cancel"))
    check(canceled.status == "canceled" and canceled.failure_balance_transaction, "not canceled")
    say("cancel", canceled.id, canceled.status)
    refused(stripe.InvalidRequestError, None, API.payouts.cancel, first.id, options=on("acct_sdk_us", "walk-cancel-2"))
    second = API.payouts.create(asked, on("acct_sdk_us", "walk-2"))
    paid = until("paid", lambda: (lambda row: row if row.status == "paid" else None)(API.payouts.retrieve(second.id, options=on("acct_sdk_us"))))
    reversal = API.payouts.reverse(paid.id, {"metadata": {"why": "walk"}}, on("acct_sdk_us", "walk-reverse"))
    check(reversal.amount == -1100 and reversal.original_payout == paid.id, "an odd reversal")
    check(API.payouts.retrieve(paid.id, options=on("acct_sdk_us")).reversed_by == reversal.id, "the original doesn't say so")
    until("the reversal is paid", lambda: API.payouts.retrieve(reversal.id, options=on("acct_sdk_us")).status == "paid")
    check(API.balance.retrieve(options=on("acct_sdk_us")).available[0].amount == 100000, "the money isn't back")
    say("reverse", reversal.id, reversal.amount, "original", paid.id)
    for n in range(25):
        API.payouts.create({"amount": 10 + n, "currency": "usd"}, on("acct_sdk_us", f"walk-page-{n}"))
    rows = list(API.payouts.list({"limit": 10}, on("acct_sdk_us")).auto_paging_iter())
    check(len(rows) == 28 and len({row.id for row in rows}) == 28, f"{len(rows)} payouts listed")
    say("list, auto-paging", len(rows), "payouts, each once")


def errors():
    refused(stripe.InvalidRequestError, "balance_insufficient", API.payouts.create, {"amount": 99999999, "currency": "usd"}, on("acct_sdk_us"))
    refused(stripe.InvalidRequestError, "parameter_missing", API.payouts.create, {"currency": "usd"}, on("acct_sdk_us"))
    refused(stripe.InvalidRequestError, "resource_missing", API.payouts.retrieve, "po_no", options=on("acct_sdk_us"))
    refused(stripe.PermissionError, "account_invalid", API.balance.retrieve, options=on("acct_no"))
    refused(stripe.CardError, "card_declined", API.payment_intents.create,
            {"amount": 500, "currency": "usd", "confirm": True, "payment_method": "pm_card_chargeDeclined"})
    stranger = stripe.StripeClient("sk_test_wrong", base_addresses={"api": BASE}, max_network_retries=0)
    refused(stripe.AuthenticationError, None, stranger.v1.balance.retrieve)
    twin("faults", {"faults": "429-storm=100"})
    refused(stripe.RateLimitError, "rate_limit", API.balance.retrieve)
    twin("faults", {"faults": "500-not-executed=100"})
    refused(stripe.APIError, None, API.payouts.create, {"amount": 5, "currency": "usd"}, on("acct_sdk_us", "walk-500"))
    twin("faults", {"faults": "executed-then-dropped=100"})
    dropped()


def dropped():
    """A dropped answer has no request id, so it is looked at apart."""
    try:
        API.payouts.create({"amount": 5, "currency": "usd"}, on("acct_sdk_us", "walk-drop"))
        check(False, "an answer where none should come")
    except stripe.APIConnectionError as error:
        say("  APIConnectionError", type(error).__name__)
    twin("faults", {"faults": "none"})
    replay = API.payouts.create({"amount": 5, "currency": "usd"}, on("acct_sdk_us", "walk-drop"))
    check(replay.last_response.headers["idempotent-replayed"] == "true", "what was dropped isn't replayed")


def market():
    intent = API.payment_intents.create(
        {
            "amount": 5000, "currency": "eur", "application_fee_amount": 500, "confirm": True,
            "payment_method": "pm_card_bypassPending", "transfer_data": {"destination": "acct_sdk_de"},
        },
        {"idempotency_key": "walk-sale"},
    )
    check(intent.status == "succeeded", "not sold")
    charge = API.charges.retrieve(intent.latest_charge)
    transfer = API.transfers.retrieve(charge.transfer)
    check(transfer.destination == "acct_sdk_de" and transfer.source_transaction == charge.id, "an odd transfer")
    payment = API.charges.retrieve(transfer.destination_payment, options=on("acct_sdk_de"))
    check(payment.source_transfer == transfer.id, "an odd destination payment")
    txn = API.balance_transactions.list({"source": payment.id}, on("acct_sdk_de")).data[0]
    check((txn.type, txn.amount, txn.fee, txn.net) == ("payment", 5000, 500, 4500), "an odd balance transaction")
    say("sale", charge.id, transfer.id, payment.id, txn.net)
    refund = API.refunds.create({"charge": charge.id, "amount": 1000, "reverse_transfer": True, "refund_application_fee": True})
    check(refund.status == "succeeded" and refund.transfer_reversal, "an odd refund")
    check(API.transfers.reversals.list(transfer.id).data[0].amount == 1000, "an odd reversal of the transfer")
    fee = API.application_fees.retrieve(charge.application_fee)
    check(fee.amount_refunded == 100, "the fee isn't given back")
    say("refund", refund.id, refund.transfer_reversal, fee.amount_refunded)
    dispute = API.disputes.retrieve(twin("disputes", {"charge": charge.id})["id"])
    check(dispute.status == "needs_response" and dispute.amount == 4000, "an odd dispute")
    answered = API.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "shipped"}, "submit": True})
    check(answered.status == "under_review", "not under review")
    twin(f"disputes/{dispute.id}", {"to": "won"})
    check(API.disputes.retrieve(dispute.id).status == "won", "not won")
    kinds = [txn.reporting_category for txn in API.balance_transactions.list({"limit": 100}).auto_paging_iter()]
    check({"charge", "transfer", "platform_earning", "refund", "dispute", "dispute_reversal"} <= set(kinds), f"odd kinds {kinds}")
    say("dispute", dispute.id, "won;", len(kinds), "balance transactions of the platform")


def events(hooks):
    rows = list(API.events.list({"types": ["payout.created", "payout.paid"], "limit": 20}, on("acct_sdk_us")).auto_paging_iter())
    check(rows and all(row.type in ("payout.created", "payout.paid") for row in rows), "odd events")
    created = [row for row in rows if row.type == "payout.created" and row.request.idempotency_key == "walk-1"]
    check(len(created) == 1 and created[0].data.object.amount == 1100, "the key isn't in its event")
    one = API.events.retrieve(created[0].id, options=on("acct_sdk_us"))
    check(one.account == "acct_sdk_us" and one.data.object.object == "payout", "an odd event")
    say("events", len(rows), one.id, one.request.idempotency_key)
    until("a delivery to the platform's endpoint", lambda: [sent for sent in Hook.seen if sent[0] == "/platform"])
    # One delivery was refused: by the Date it comes again after an hour, and until then it is listed as undelivered.
    undelivered = API.events.list({"delivery_success": False}, on("acct_sdk_us")).data
    check(undelivered, "what was refused isn't listed as undelivered")
    twin("clock", {"advance_ms": 3600 * 1000})
    wanted = {row.id for row in rows}
    seen = lambda: {json.loads(body)["id"] for path, body, _ in Hook.seen if path == "/connect"}
    until("every payout event has come, the refused one too", lambda: wanted <= seen())
    twin("clock", {"offset_ms": 0})
    for path, body, signature in Hook.seen:
        # The twin's Date was an hour ahead for the one that came again.
        event = stripe.Webhook.construct_event(body, signature, hooks[path].secret, tolerance=2 * 3600)
        check((path == "/connect") == hasattr(event, "account"), f"{event.type} came to {path}")
    try:
        stripe.Webhook.construct_event(Hook.seen[0][1] + b" ", Hook.seen[0][2], hooks[Hook.seen[0][0]].secret)
        check(False, "a changed body was believed")
    except stripe.SignatureVerificationError:
        pass
    say("webhooks, construct_event", len(Hook.seen), "deliveries,", len(undelivered), "undelivered for a while")
    for hook in hooks.values():
        check(API.webhook_endpoints.delete(hook.id).deleted, "not deleted")


def proof():
    sums = twin("conservation")
    check(sums["ok"], sums["violations"])
    found = twin("stats")["openapi"]
    check(not found["violations"], json.dumps(found["violations"], indent=1))
    say("conservation, OpenAPI copy", found["requests"], "requests,", found["answers"], "answers,", found["events"], "events")


def main():
    say("SDK", stripe.VERSION, stripe.api_version, "at", BASE)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    accounts()
    hooks = endpoints(server.server_port)
    payouts()
    errors()
    market()
    events(hooks)
    proof()
    server.shutdown()
    say("nothing odd")


main()
