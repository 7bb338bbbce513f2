//! What a rollback does about each state, what it hashes, and what answers to cancels and reversals mean.
use payout_shared::{
    answer::{AnswerMeta, PayoutObject, Sent, StripeError},
    attempt::{AttemptKind, AttemptState},
    currency::Currency,
    id::{AccountId, Mode, ObjectId, PayoutId, RunId},
    payout::{ObjectStatus, PayoutEvent, PayoutState, Which},
    rollback::{RollbackHash, RowFacts, Step, step},
    undo::{AfterLook, UndoAsked, UndoSends, looked, undone},
};

const DAY: i64 = 24 * 60 * 60 * 1000;
const HOUR: i64 = 60 * 60 * 1000;

fn facts(state: PayoutState) -> RowFacts {
    RowFacts {
        state,
        bank_country: Some("US".to_owned()),
        bank_is_current: true,
        arrival_ms: 0,
        cancel: None,
        reverse: None,
    }
}

#[test]
fn each_state_has_its_step() {
    use PayoutState as S;
    for (state, expected) in [
        (S::Planned, Step::Void),
        (S::Submitting, Step::Resolve),
        (S::Unknown, Step::Resolve),
        (S::Pending, Step::Cancel),
        (S::InTransit, Step::Wait),
        (S::Paid, Step::Reverse),
        (S::Settled, Step::Reverse),
        (S::Voided, Step::Back),
        (S::Failed, Step::Back),
        (S::Canceled, Step::Back),
        (S::Returned, Step::Back),
        (S::Reversing, Step::Wait),
        (S::Reversed, Step::Back),
    ] {
        assert_eq!(step(&facts(state), DAY).0, expected, "{state:?}");
    }
}

#[test]
fn what_stripe_cannot_do_is_impossible_and_says_why() {
    let paid = || facts(PayoutState::Paid);
    for (facts, said) in [
        (RowFacts { bank_country: Some("DE".to_owned()), ..paid() }, "bank account in DE"),
        (RowFacts { bank_country: None, ..paid() }, "an unknown country"),
        (RowFacts { bank_is_current: false, ..paid() }, "was replaced since"),
        (RowFacts { arrival_ms: -90 * DAY, ..paid() }, "90 days ago"),
        (RowFacts { reverse: Some(AttemptState::Refused), ..paid() }, "refused to reverse"),
        (RowFacts { reverse: Some(AttemptState::Executed), ..paid() }, "isn't asked for again"),
        (RowFacts { cancel: Some(AttemptState::Refused), ..facts(PayoutState::Pending) }, "refused to cancel"),
    ] {
        let (step, why) = step(&facts, 0);
        assert!(step == Step::Impossible && why.contains(said), "{step:?} {why}");
    }
    let canada = RowFacts { bank_country: Some("CA".to_owned()), arrival_ms: -90 * DAY + 1, ..paid() };
    assert_eq!(step(&canada, 0).0, Step::Reverse);
}

#[test]
fn the_hash_is_of_every_row_and_its_order() {
    let usd = Currency::parse("usd").unwrap();
    let of = |rows: &[(&str, PayoutState, Step, i64)]| {
        let mut hash = RollbackHash::new(&RunId::new("run_1"));
        for (id, state, step, minor) in rows {
            hash.add(&PayoutId::new(*id), *state, *step, *minor, usd);
        }
        hash.finish()
    };
    let (a, b) = (("pay_1", PayoutState::Pending, Step::Cancel, 5), ("pay_2", PayoutState::Planned, Step::Void, 6));
    let base = of(&[a, b]);
    assert_eq!((base.len(), &base), (64, &of(&[a, b])));
    for other in [
        of(&[a]),
        of(&[b, a]),
        of(&[a, b, b]),
        of(&[("pay_1", PayoutState::InTransit, Step::Wait, 5), b]),
        of(&[("pay_1", PayoutState::Pending, Step::Impossible, 5), b]),
        of(&[("pay_1", PayoutState::Pending, Step::Cancel, 4), b]),
    ] {
        assert_ne!(base, other);
    }
    assert_ne!(RollbackHash::new(&RunId::new("run_2")).finish(), RollbackHash::new(&RunId::new("run_1")).finish());
}

fn asked(kind: AttemptKind) -> UndoAsked {
    UndoAsked {
        kind,
        key: "k".to_owned(),
        account: AccountId::new("acct_1"),
        object: ObjectId::new("po_1"),
        amount_minor: 5_000,
        currency: Currency::parse("usd").unwrap(),
        mode: Mode::Test,
    }
}

fn object(status: ObjectStatus) -> PayoutObject {
    PayoutObject {
        id: ObjectId::new("po_1"),
        account: AccountId::new("acct_1"),
        amount_minor: 5_000,
        currency: Currency::parse("usd").unwrap(),
        status: Some(status),
        mode: Mode::Test,
        destination: None,
        automatic: false,
        key: None,
        failure_code: None,
        failure_message: None,
        failure_balance_transaction: None,
        created_s: 0,
        arrival_date_s: None,
        original_payout: None,
        reversed_by: None,
    }
}

fn answer(object: PayoutObject) -> Sent {
    Sent::Object { object, meta: AnswerMeta::default() }
}

fn error(status: u16, code: &str) -> Sent {
    let error =
        StripeError { kind: "invalid_request_error".to_owned(), code: Some(code.to_owned()), ..StripeError::default() };
    Sent::Error { status, error, meta: AnswerMeta::default() }
}

#[test]
fn an_answer_that_did_what_was_asked_moves_the_payout_and_no_other_does() {
    let canceled = undone(&asked(AttemptKind::Cancel), &answer(object(ObjectStatus::Canceled)), true);
    assert_eq!(canceled.event, Some(PayoutEvent::Object(ObjectStatus::Canceled, Which::Newest)));
    assert_eq!(canceled.attempt, AttemptState::Executed);
    let reversal = PayoutObject {
        id: ObjectId::new("po_2"),
        amount_minor: -5_000,
        original_payout: Some(ObjectId::new("po_1")),
        ..object(ObjectStatus::Pending)
    };
    let reversed = undone(&asked(AttemptKind::Reverse), &answer(reversal.clone()), false);
    assert_eq!((reversed.event, reversed.attempt), (Some(PayoutEvent::Reverse), AttemptState::Executed));
    for (kind, odd) in [
        (AttemptKind::Cancel, object(ObjectStatus::Pending)),
        (AttemptKind::Cancel, PayoutObject { id: ObjectId::new("po_9"), ..object(ObjectStatus::Canceled) }),
        (AttemptKind::Reverse, PayoutObject { amount_minor: -4_999, ..reversal.clone() }),
        (AttemptKind::Reverse, PayoutObject { amount_minor: 5_000, ..reversal.clone() }),
        (AttemptKind::Reverse, PayoutObject { currency: Currency::parse("eur").unwrap(), ..reversal.clone() }),
        (AttemptKind::Reverse, PayoutObject { account: AccountId::new("acct_2"), ..reversal.clone() }),
        (AttemptKind::Reverse, PayoutObject { mode: Mode::Live, ..reversal.clone() }),
        (AttemptKind::Reverse, PayoutObject { original_payout: Some(ObjectId::new("po_9")), ..reversal.clone() }),
        (AttemptKind::Reverse, PayoutObject { original_payout: None, ..reversal.clone() }),
        (AttemptKind::Create, reversal),
    ] {
        let said = undone(&asked(kind), &answer(odd.clone()), false);
        assert!(said.event.is_none() && said.page && said.no_resend && said.ambiguous, "{odd:?}");
        assert_eq!(said.attempt, AttemptState::Unknown, "its object is looked up");
    }
}

#[test]
fn a_refusal_is_looked_up_a_limit_waits_and_a_lost_answer_is_unknown() {
    let cancel = asked(AttemptKind::Cancel);
    for (sent, before, attempt, ambiguous, no_resend) in [
        (error(400, "payout_not_cancelable"), false, AttemptState::Unknown, false, true),
        (error(429, "rate_limit"), false, AttemptState::Waiting, false, false),
        (error(429, "rate_limit"), true, AttemptState::Unknown, false, false),
        (error(401, ""), false, AttemptState::Waiting, false, false),
        (error(500, ""), false, AttemptState::Unknown, true, false),
        (error(409, "idempotency_key_in_use"), false, AttemptState::Unknown, true, false),
        (Sent::Lost { detail: String::new() }, false, AttemptState::Unknown, true, false),
        (Sent::NeverLeft { detail: String::new() }, false, AttemptState::Waiting, false, false),
        (Sent::NeverLeft { detail: String::new() }, true, AttemptState::Unknown, false, false),
    ] {
        let said = undone(&cancel, &sent, before);
        assert_eq!(
            (said.attempt, said.ambiguous, said.no_resend),
            (attempt, ambiguous, no_resend),
            "{sent:?} {before}"
        );
        assert_eq!(said.event, None, "{sent:?}: only an object moves a payout");
    }
}

/// Everybody's limiter slows down for Stripe's limit and for nothing else; a person is called only for what can't be explained.
#[test]
fn a_limit_slows_down_for_all_a_misused_key_is_paged_and_should_not_retry_is_heeded() {
    let cancel = asked(AttemptKind::Cancel);
    let unreadable = |status| Sent::Unreadable { status, detail: "html".to_owned(), meta: AnswerMeta::default() };
    for (sent, slow_down, page) in [
        (error(429, "rate_limit"), true, false),
        (unreadable(429), true, false),
        (unreadable(502), false, false),
        (error(401, ""), false, false),
        (error(400, "rate_limit"), true, false),
        (error(429, "lock_timeout"), false, false),
        (error(409, "lock_timeout"), false, false),
        (error(400, "payout_not_cancelable"), false, false),
        (error(400, "idempotency_error"), false, true),
        (error(500, ""), false, false),
        (Sent::NeverLeft { detail: String::new() }, false, false),
    ] {
        for before in [false, true] {
            let said = undone(&cancel, &sent, before);
            assert_eq!((said.slow_down, said.page), (slow_down, page), "{sent:?} {before}");
        }
    }
    let misused = undone(&cancel, &error(400, "idempotency_error"), false);
    assert!(misused.ambiguous && misused.no_resend, "never under this key again, and who knows what it did");
    for (should_retry, heeded) in [(Some(false), true), (Some(true), false), (None, false)] {
        let meta = AnswerMeta { should_retry, ..AnswerMeta::default() };
        let failed = Sent::Error { status: 500, error: StripeError::default(), meta: meta.clone() };
        let cut = Sent::Unreadable { status: 502, detail: String::new(), meta };
        assert_eq!([failed, cut].map(|sent| undone(&cancel, &sent, false).no_resend), [heeded; 2], "{should_retry:?}");
    }
    // What is known for sure isn't asked of Stripe's word: done is done, and what a limit kept out leaves later.
    let meta = AnswerMeta { should_retry: Some(false), ..AnswerMeta::default() };
    let canceled = Sent::Object { object: object(ObjectStatus::Canceled), meta: meta.clone() };
    let limited = Sent::Error { status: 429, error: StripeError::default(), meta };
    for (sent, attempt) in [(canceled, AttemptState::Executed), (limited, AttemptState::Waiting)] {
        let said = undone(&cancel, &sent, false);
        assert_eq!((said.attempt, said.no_resend), (attempt, false));
    }
}

#[test]
fn a_missing_object_is_everybodys_trouble_unless_the_account_is_named() {
    let missing = |message: &str| {
        let error = StripeError { message: Some(message.to_owned()), ..StripeError::default() };
        undone(&asked(AttemptKind::Cancel), &Sent::Error { status: 404, error, meta: AnswerMeta::default() }, false)
    };
    assert_eq!(
        missing("Unrecognized request URL").attempt,
        AttemptState::Waiting,
        "no bank account is named by a cancel"
    );
    let named = missing("No such account: 'acct_1'");
    assert_eq!((named.attempt, named.no_resend), (AttemptState::Unknown, true), "its object is looked up");
}

#[test]
fn the_object_decides_and_a_key_that_may_be_pruned_is_never_sent_again() {
    let sends = UndoSends { first_sent_ms: 0, last_sent_ms: HOUR, no_resend: false, ambiguous: true };
    let refused = UndoSends { no_resend: true, ambiguous: false, ..sends };
    let pending = object(ObjectStatus::Pending);
    let paid = object(ObjectStatus::Paid);
    let reversed = PayoutObject { reversed_by: Some(ObjectId::new("po_2")), ..paid.clone() };
    use AttemptKind::{Cancel, Reverse};
    for (kind, sends, object, at, after) in [
        (Cancel, sends, object(ObjectStatus::Canceled), 99 * DAY, AfterLook::Done),
        (Cancel, sends, object(ObjectStatus::InTransit), 0, AfterLook::Refused),
        (Cancel, sends, object(ObjectStatus::Paid), 0, AfterLook::Refused),
        (Cancel, sends, object(ObjectStatus::Failed), 0, AfterLook::Refused),
        (
            Cancel,
            sends,
            PayoutObject { reversed_by: Some(ObjectId::new("po_2")), ..pending.clone() },
            0,
            AfterLook::Again,
        ),
        (Cancel, sends, pending.clone(), HOUR, AfterLook::Again),
        (Cancel, sends, pending.clone(), 23 * HOUR, AfterLook::Later),
        (Cancel, sends, pending.clone(), 26 * HOUR - 1, AfterLook::Later),
        (Cancel, sends, pending.clone(), 26 * HOUR, AfterLook::Refused),
        (Cancel, refused, pending, 0, AfterLook::Refused),
        (Reverse, sends, reversed, 99 * DAY, AfterLook::Done),
        (Reverse, sends, paid.clone(), HOUR, AfterLook::Again),
        (Reverse, refused, paid.clone(), HOUR, AfterLook::Refused),
        (Reverse, sends, object(ObjectStatus::Failed), HOUR, AfterLook::Refused),
        (Reverse, sends, paid.clone(), -1, AfterLook::Later),
        (Reverse, UndoSends { ambiguous: false, ..sends }, paid, 23 * HOUR, AfterLook::Refused),
    ] {
        assert_eq!(looked(kind, &sends, &object, at), after, "{kind:?} {object:?} at {at}");
    }
}
