//! The table of answers, row by row, and the rule above it: an answer speaks of its own send only.
use crate::money::currency;
use payout_shared::{
    answer::{
        AnswerMeta, Asked, Class, Effect, PayoutObject, Sent, StripeError, cause, classify, effect, is_bank_code,
    },
    attempt::AttemptState,
    id::{AccountId, DestinationId, Mode, ObjectId},
    payout::{ObjectStatus, PayoutEvent, PayoutState, Standing, Verdict, Which, apply},
};
use proptest::{option, prelude::*, sample::select};

fn asked() -> Asked {
    Asked {
        key: "payoutd:test:acct_1:usd:2026-12-01#1:create:1:1".to_owned(),
        account: AccountId::new("acct_1"),
        amount_minor: 1000,
        currency: currency("usd"),
        mode: Mode::Test,
        destination: DestinationId::new("ba_1"),
    }
}

fn object() -> PayoutObject {
    PayoutObject {
        id: ObjectId::new("po_1"),
        account: AccountId::new("acct_1"),
        amount_minor: 1000,
        currency: currency("usd"),
        status: Some(ObjectStatus::Pending),
        mode: Mode::Test,
        destination: Some(DestinationId::new("ba_1")),
        automatic: false,
        key: Some(asked().key),
        failure_code: None,
        failure_message: None,
        failure_balance_transaction: None,
        created_s: 1_800_000_000,
        arrival_date_s: None,
        original_payout: None,
        reversed_by: None,
    }
}

fn made(change: impl FnOnce(&mut PayoutObject)) -> Sent {
    let mut object = object();
    change(&mut object);
    Sent::Object { object, meta: AnswerMeta::default() }
}

fn error(status: u16, code: &str, message: &str) -> Sent {
    typed(status, "invalid_request_error", code, message)
}

fn typed(status: u16, kind: &str, code: &str, message: &str) -> Sent {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let error =
        StripeError { kind: kind.to_owned(), code: text(code), message: text(message), ..StripeError::default() };
    Sent::Error { status, error, meta: AnswerMeta::default() }
}

fn unreadable(status: u16) -> Sent {
    Sent::Unreadable { status, detail: "html".to_owned(), meta: AnswerMeta::default() }
}

fn meta(mut sent: Sent, change: impl FnOnce(&mut AnswerMeta)) -> Sent {
    match &mut sent {
        Sent::Object { meta, .. } | Sent::Error { meta, .. } | Sent::Unreadable { meta, .. } => change(meta),
        Sent::NeverLeft { .. } | Sent::Lost { .. } => panic!("no headers without an answer"),
    }
    sent
}

/// Every answer that the table has a row for, with its class.
#[allow(clippy::too_many_lines, reason = "a table: one answer a line")]
fn rows() -> Vec<(&'static str, Sent, Class)> {
    use Class as C;
    let at_fault = |param: &str| {
        let error = StripeError { param: Some(param.to_owned()), ..StripeError::default() };
        Sent::Error { status: 404, error, meta: AnswerMeta::default() }
    };
    let limited =
        |reason: &str| meta(error(429, "lock_timeout", "slow down"), |m| m.limited_reason = Some(reason.to_owned()));
    vec![
        ("2xx that echoes", made(|_| ()), C::Done),
        ("2xx, already paid", made(|o| o.status = Some(ObjectStatus::Paid)), C::Done),
        ("2xx with a status that we don't know", made(|o| o.status = None), C::Done),
        ("2xx that shows no destination", made(|o| o.destination = None), C::Done),
        ("2xx, another amount", made(|o| o.amount_minor = 1001), C::Differs),
        ("2xx, another currency", made(|o| o.currency = currency("eur")), C::Differs),
        ("2xx, another account", made(|o| o.account = AccountId::new("acct_2")), C::Differs),
        ("2xx, the other mode", made(|o| o.mode = Mode::Live), C::Differs),
        ("2xx, another destination", made(|o| o.destination = Some(DestinationId::new("ba_2"))), C::Differs),
        ("2xx, another key", made(|o| o.key = Some("payoutd:other".to_owned())), C::Differs),
        ("2xx without metadata", made(|o| o.key = None), C::Differs),
        (
            "403 naming the account",
            error(
                403,
                "account_invalid",
                "The provided key does not have access to account 'acct_1' (or that account does not exist).",
            ),
            C::CreatorLevel,
        ),
        ("403 naming the account without a code", error(403, "", "account acct_1 was rejected"), C::CreatorLevel),
        ("404 naming the account", error(404, "resource_missing", "No such account: 'acct_1'"), C::CreatorLevel),
        ("account_invalid, alone", error(400, "account_invalid", ""), C::CreatorLevel),
        (
            "account_invalid that names another",
            error(403, "account_invalid", "no access to account 'acct_12'"),
            C::RunLevel,
        ),
        (
            "400 account_invalid that names another",
            error(400, "account_invalid", "no access to account 'acct_12'"),
            C::RunLevel,
        ),
        ("403 naming another account", error(403, "", "No such account: acct_12 or xacct_1"), C::RunLevel),
        ("403", error(403, "", "Payouts are not available to you"), C::RunLevel),
        ("404", error(404, "", "Unrecognized request URL (POST: /v1/payout)."), C::RunLevel),
        ("404 of the bank account's parameter", at_fault("destination"), C::Refused),
        ("404 of another parameter", at_fault("amount"), C::RunLevel),
        ("404 of a longer bank account's id", error(404, "", "No such external account: 'ba_12'"), C::RunLevel),
        ("404 of the bank account", error(404, "resource_missing", "No such external account: 'ba_1'"), C::Refused),
        (
            "a key's missing permission, naming the account",
            error(
                403,
                "",
                "The provided key 'rk_test_*' does not have the required permissions for this endpoint on account 'acct_1'.",
            ),
            C::RunLevel,
        ),
        ("401", error(401, "", "Invalid API Key provided"), C::RunLevel),
        ("401, unreadable", unreadable(401), C::RunLevel),
        ("wrong mode by code", error(400, "livemode_mismatch", ""), C::RunLevel),
        ("a key that has expired", error(400, "api_key_expired", "account acct_1"), C::RunLevel),
        ("a permission by code", error(403, "more_permissions_required_for_application", "acct_1"), C::RunLevel),
        (
            "wrong mode by text, naming the account",
            error(
                404,
                "resource_missing",
                "No such account: 'acct_1'; a similar object exists in live mode, but a test mode key was used.",
            ),
            C::RunLevel,
        ),
        ("400 with a code", error(400, "balance_insufficient", "too little"), C::Refused),
        ("400 without a code", error(400, "", "Cannot create payouts; please contact us"), C::Refused),
        ("400 of the bank account", error(400, "bank_account_unusable", "cannot be used"), C::Refused),
        (
            "400 of payouts of one account",
            error(400, "payouts_not_allowed", "disabled on the connected account"),
            C::Refused,
        ),
        ("400 idempotency_error", typed(400, "idempotency_error", "", "other parameters"), C::KeyMisused),
        ("409 in use", error(409, "idempotency_key_in_use", "in progress"), C::InFlight),
        ("409 in use, typed", typed(409, "idempotency_error", "idempotency_key_in_use", ""), C::InFlight),
        ("409 without a code", error(409, "", "conflict"), C::InFlight),
        ("429", error(429, "rate_limit", ""), C::Limited),
        ("429 without a code", error(429, "", ""), C::Limited),
        ("429 with a limit's name", limited("endpoint-rate"), C::Limited),
        ("429, unreadable", unreadable(429), C::Limited),
        ("lock_timeout", error(429, "lock_timeout", "locked"), C::NotExecuted),
        ("lock_timeout as a conflict", error(409, "lock_timeout", "locked"), C::NotExecuted),
        ("never left", Sent::NeverLeft { detail: "gate shut".to_owned() }, C::NotExecuted),
        ("408", error(408, "", ""), C::Unknown),
        ("424", error(424, "", ""), C::Unknown),
        ("500", typed(500, "api_error", "", ""), C::Unknown),
        ("500 that says lock_timeout", error(500, "lock_timeout", ""), C::Unknown),
        ("200, unreadable", unreadable(200), C::Unknown),
        ("400, unreadable", unreadable(400), C::Unknown),
        ("403, unreadable", unreadable(403), C::Unknown),
        ("a redirect with an error object", error(302, "", ""), C::Unknown),
        ("timeout", Sent::Lost { detail: "10 s".to_owned() }, C::Unknown),
    ]
}

/// The effect of a class on a first send that was submitting, as the table says.
fn expected(class: Class) -> (PayoutEvent, AttemptState) {
    match class {
        Class::Done | Class::Differs => {
            (PayoutEvent::Object(ObjectStatus::Pending, Which::Newest), AttemptState::Executed)
        }
        Class::CreatorLevel | Class::Refused => (PayoutEvent::Refuse, AttemptState::Refused),
        Class::RunLevel | Class::Limited | Class::NotExecuted => (PayoutEvent::PutBack, AttemptState::Waiting),
        Class::KeyMisused | Class::InFlight | Class::Unknown => (PayoutEvent::LoseAnswer, AttemptState::Unknown),
    }
}

#[test]
fn every_row_of_the_table_of_answers_has_its_class() {
    for (row, sent, class) in rows() {
        assert_eq!(classify(&asked(), &sent), class, "{row}");
    }
}

#[test]
fn every_class_has_its_consequences_for_a_first_send() {
    for (row, sent, class) in rows() {
        let said = effect(&asked(), &sent, false);
        let (mut event, attempt) = expected(class);
        if row == "2xx, already paid" {
            event = PayoutEvent::Object(ObjectStatus::Paid, Which::Newest);
        }
        let flags = Effect {
            class,
            event,
            attempt,
            ambiguous: matches!(class, Class::KeyMisused | Class::InFlight | Class::Unknown),
            hold_creator: matches!(class, Class::CreatorLevel | Class::Differs) || row == "400 of the bank account",
            pause_run: class == Class::RunLevel,
            no_resend: class == Class::KeyMisused,
            slow_down: class == Class::Limited,
            page: matches!(class, Class::Differs | Class::KeyMisused),
        };
        assert_eq!(said, flags, "{row}");
        let standing = Standing { state: PayoutState::Submitting, executed: false };
        assert!(matches!(apply(standing, said.event), Verdict::Move(_)), "{row}: the payout doesn't take it");
    }
}

#[test]
fn with_an_ambiguous_send_before_an_answer_speaks_of_its_own_send_only() {
    for (row, sent, class) in rows() {
        let said = effect(&asked(), &sent, true);
        if matches!(class, Class::Done | Class::Differs) {
            assert_eq!(said, effect(&asked(), &sent, false), "{row}");
        } else {
            assert_eq!((said.event, said.attempt), (PayoutEvent::LoseAnswer, AttemptState::Unknown), "{row}");
            assert!(!said.hold_creator, "{row}: nobody is blamed for what isn't known");
            assert_eq!(said.pause_run, class == Class::RunLevel, "{row}: the next one would get it too");
            assert_eq!(said.slow_down, class == Class::Limited, "{row}");
        }
    }
}

#[test]
fn a_replayed_refusal_is_the_answer_to_the_ambiguous_send() {
    let replayed = |sent| meta(sent, |meta| meta.replayed = true);
    let said = effect(&asked(), &replayed(error(400, "no_account", "")), true);
    assert_eq!((said.event, said.attempt, said.hold_creator), (PayoutEvent::Refuse, AttemptState::Refused, true));
    let said = effect(&asked(), &replayed(typed(500, "api_error", "", "")), true);
    assert_eq!((said.event, said.attempt, said.ambiguous), (PayoutEvent::LoseAnswer, AttemptState::Unknown, true));
    let said = effect(&asked(), &replayed(error(429, "", "")), true);
    assert_eq!(said.event, PayoutEvent::LoseAnswer, "a limiter's answer is never stored: it can't be a replay");
}

#[test]
fn an_unknown_one_is_not_sent_again_when_stripe_said_so() {
    let no_retry = |sent| meta(sent, |meta| meta.should_retry = Some(false));
    for (sent, before, no_resend) in [
        (typed(500, "api_error", "", ""), false, true),
        (unreadable(502), false, true),
        (error(400, "balance_insufficient", ""), true, true),
        (error(400, "balance_insufficient", ""), false, false),
        (error(429, "", ""), false, false),
    ] {
        assert_eq!(effect(&asked(), &no_retry(sent.clone()), before).no_resend, no_resend, "{sent:?}");
        let asks_again = meta(sent, |meta| meta.should_retry = Some(true));
        assert!(!effect(&asked(), &asks_again, before).no_resend);
    }
}

#[test]
fn an_object_that_failed_at_once_for_its_bank_account_holds_the_creator() {
    let failed = made(|o| (o.status, o.failure_code) = (Some(ObjectStatus::Failed), Some("account_closed".to_owned())));
    let said = effect(&asked(), &failed, false);
    assert_eq!(said.event, PayoutEvent::Object(ObjectStatus::Failed, Which::Newest));
    assert!(said.hold_creator && !said.page);
}

#[test]
fn bank_account_failures_are_known_by_their_codes() {
    for code in [
        "account_closed",
        "no_account",
        "bank_account_unusable",
        "bank_account_declined",
        "bank_account_restricted",
        "bank_account_unverified",
        "bank_account_verification_failed",
        "bank_ownership_changed",
        "account_frozen",
        "incorrect_account_holder_name",
        "incorrect_account_type",
        "invalid_account_number",
        "unsupported_card",
    ] {
        assert!(is_bank_code(code), "{code}");
        assert!(effect(&asked(), &error(400, code, ""), false).hold_creator, "{code}");
    }
    for code in [
        "",
        "balance_insufficient",
        "payouts_not_allowed",
        "amount_too_small",
        "could_not_process",
        "insufficient_funds",
    ] {
        assert!(!is_bank_code(code), "{code}");
        assert!(!effect(&asked(), &error(400, code, ""), false).hold_creator, "{code}: a passing cause blames nobody");
    }
}

#[test]
fn a_cause_is_one_short_stable_word() {
    for (sent, word) in [
        (error(400, "balance_insufficient", "long"), "balance_insufficient"),
        (typed(500, "api_error", "", "long"), "api_error"),
        (typed(500, "", "", "long"), "http_500"),
        (unreadable(502), "http_502"),
        (Sent::NeverLeft { detail: "x".to_owned() }, "never_left"),
        (Sent::Lost { detail: "x".to_owned() }, "answer_lost"),
        (made(|o| o.amount_minor = 7), "differs"),
        (made(|o| o.failure_code = Some("no_account".to_owned())), "no_account"),
    ] {
        assert_eq!(cause(&sent), word);
    }
}

fn any_sent() -> impl Strategy<Value = Sent> {
    let words = |words: &'static [&'static str]| select(words).prop_map(str::to_owned);
    let code = words(&[
        "lock_timeout",
        "rate_limit",
        "account_invalid",
        "resource_missing",
        "idempotency_key_in_use",
        "idempotency_error",
        "livemode_mismatch",
        "balance_insufficient",
        "no_account",
        "",
    ]);
    let message =
        words(&["No such account: 'acct_1'", "acct_12", "'ba_1' is gone", "a similar object exists in live mode", ""]);
    let kind = words(&["invalid_request_error", "idempotency_error", "api_error", ""]);
    let status = prop_oneof![
        select(vec![200, 302, 400, 401, 402, 403, 404, 408, 409, 424, 429, 499, 500, 502, 599]),
        100_u16..=999
    ];
    let meta = (any::<bool>(), option::of(any::<bool>()), option::of(Just("endpoint-rate".to_owned()))).prop_map(
        |(replayed, should_retry, limited_reason)| AnswerMeta {
            replayed,
            should_retry,
            limited_reason,
            ..AnswerMeta::default()
        },
    );
    let object = (
        select(vec![1000, -1000, 1001]),
        option::of(select(ObjectStatus::ALL.to_vec())),
        option::of(Just(asked().key)),
    )
        .prop_map(|(amount_minor, status, key)| PayoutObject { amount_minor, status, key, ..object() });
    prop_oneof![
        1 => (object, meta.clone()).prop_map(|(object, meta)| Sent::Object { object, meta }),
        4 => (status.clone(), kind, option::of(code), option::of(message), meta.clone()).prop_map(|(status, kind, code, message, meta)| {
            Sent::Error { status, error: StripeError { kind, code, message, ..StripeError::default() }, meta }
        }),
        1 => (status, meta).prop_map(|(status, meta)| Sent::Unreadable { status, detail: String::new(), meta }),
        1 => Just(Sent::NeverLeft { detail: String::new() }),
        1 => Just(Sent::Lost { detail: String::new() }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn no_answer_after_an_ambiguous_send_frees_the_payout_unless_it_is_a_2xx_or_a_replay(sent in any_sent()) {
        let said = effect(&asked(), &sent, true);
        let may_free = match &sent {
            Sent::Object { .. } => true,
            Sent::Error { meta, .. } => meta.replayed,
            Sent::Unreadable { .. } | Sent::NeverLeft { .. } | Sent::Lost { .. } => false,
        };
        if !may_free {
            prop_assert_eq!((said.event, said.attempt), (PayoutEvent::LoseAnswer, AttemptState::Unknown));
            let unknown = Standing { state: PayoutState::Unknown, executed: false };
            prop_assert_eq!(apply(unknown, said.event), Verdict::Stale, "it stays unknown");
        }
        prop_assert_ne!(said.event, PayoutEvent::PutBack, "nothing that may have left is sent anew");
    }

    #[test]
    fn event_attempt_and_flags_tell_one_story(sent in any_sent(), before in any::<bool>()) {
        let said = effect(&asked(), &sent, before);
        let attempt = match said.event {
            PayoutEvent::Object(_, Which::Newest) => AttemptState::Executed,
            PayoutEvent::Refuse => AttemptState::Refused,
            PayoutEvent::PutBack => AttemptState::Waiting,
            PayoutEvent::LoseAnswer => AttemptState::Unknown,
            other => return Err(TestCaseError::fail(format!("{other:?} is no answer's event"))),
        };
        prop_assert_eq!(said.attempt, attempt);
        prop_assert!(!said.ambiguous || attempt == AttemptState::Unknown);
        prop_assert!(!said.no_resend || attempt == AttemptState::Unknown);
        prop_assert!(attempt != AttemptState::Unknown || said.ambiguous || before, "unknown for no reason");
        prop_assert!(!(said.pause_run && said.hold_creator), "no creator is blamed for everybody's trouble");
        prop_assert!(!cause(&sent).is_empty());
    }

    #[test]
    fn only_a_2xx_executes_and_no_status_outside_4xx_refuses(sent in any_sent(), before in any::<bool>()) {
        let said = effect(&asked(), &sent, before);
        prop_assert_eq!(said.attempt == AttemptState::Executed, matches!(sent, Sent::Object { .. }));
        if let Sent::Error { status, .. } | Sent::Unreadable { status, .. } = sent
            && !(400..500).contains(&status)
        {
            prop_assert_eq!((said.class, said.attempt), (Class::Unknown, AttemptState::Unknown));
        }
    }
}
