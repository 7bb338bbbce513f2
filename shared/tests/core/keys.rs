//! Keys: the same parts give the same key for ever, different parts never do.
use crate::money::currency;
use jiff::civil;
use payout_shared::{
    attempt::{AttemptKind, KeyParts, payout_number_of},
    id::{AccountId, Mode},
    run::RunLabel,
};
use proptest::{prelude::*, sample::select};

type Owned = (Mode, AccountId, String, RunLabel, AttemptKind, u32, u32);

fn key(parts: &Owned) -> String {
    let (mode, account, code, label, kind, payout_number, attempt_number) = parts;
    KeyParts {
        mode: *mode,
        account,
        currency: currency(code),
        label: *label,
        kind: *kind,
        payout_number: *payout_number,
        attempt_number: *attempt_number,
    }
    .key()
}

fn of(account: &str) -> Owned {
    let label = RunLabel { date: civil::date(2026, 12, 1), number: 1 };
    (Mode::Test, AccountId::new(account), "usd".to_owned(), label, AttemptKind::Create, 1, 1)
}

fn parts() -> impl Strategy<Value = Owned> {
    (
        select(vec![Mode::Live, Mode::Test]),
        prop_oneof!["[ab:%/é_2-]{0,6}", "[a:]{170,260}"].prop_map(AccountId::new),
        "[uU]s[dD]".prop_map(|code| code.to_ascii_lowercase()),
        (
            select(vec![civil::date(2026, 12, 1), civil::date(2026, 12, 15), civil::Date::MIN]),
            select(vec![1, 2, 11, 12, u32::MAX]),
        )
            .prop_map(|(date, number)| RunLabel { date, number }),
        select(vec![AttemptKind::Create, AttemptKind::Cancel, AttemptKind::Reverse]),
        select(vec![1, 2, 11, 12, 21, u32::MAX]),
        select(vec![1, 2, 11, 12, 21, u32::MAX]),
    )
}

#[test]
fn a_key_is_what_every_database_before_and_after_a_restore_derives() {
    assert_eq!(key(&of("acct_1")), "payoutd:test:acct_1:usd:2026-12-01#1:create:1:1");
    let (_, account, code, label, ..) = of("acct_1");
    let label = RunLabel { number: 12, ..label };
    assert_eq!(
        key(&(Mode::Live, account, code, label, AttemptKind::Reverse, 2, 3)),
        "payoutd:live:acct_1:usd:2026-12-01#12:reverse:2:3"
    );
}

#[test]
fn no_account_id_can_pretend_to_be_another_key() {
    assert_eq!(key(&of("acct:1%")), "payoutd:test:acct%3A1%25:usd:2026-12-01#1:create:1:1");
    assert_ne!(key(&of("a:b")), key(&of("a%3Ab")));
    let long = "a".repeat(255);
    let hashed = key(&of(&long));
    let pretended = hashed.split(':').nth(2).unwrap().to_owned();
    assert_eq!(pretended.len(), 65);
    assert_ne!(key(&of(&pretended)), hashed, "the text of the hash isn't the account");
    assert_ne!(key(&of(&pretended[1..])), hashed);
}

#[test]
fn an_account_is_readable_in_its_key_up_to_180_characters_and_hashed_beyond() {
    let named = |length: usize| key(&of(&"a".repeat(length))).split(':').nth(2).unwrap().to_owned();
    assert_eq!(named(180), "a".repeat(180), "a database from before derives it so");
    // SHA-256 of these 181 characters, computed by another program.
    assert_eq!(named(181), "%9ce4e58a8e1314bf14ca8a52ac20fa1b1e27a78c40a24b5a287422f992b29b9d");
}

proptest! {
    #[test]
    fn different_parts_have_different_keys_and_equal_ones_the_same(a in parts(), b in parts()) {
        prop_assert_eq!(key(&a) == key(&b), a == b, "{} {}", key(&a), key(&b));
        prop_assert_eq!(key(&a), key(&a.clone()));
        prop_assert_eq!(payout_number_of(&key(&a)), Some(a.5));
    }

    #[test]
    fn a_key_is_printable_ascii_that_stripe_takes(parts in parts(), account in "\\PC{0,300}") {
        let odd = (parts.0, AccountId::new(account), parts.2.clone(), parts.3, parts.4, parts.5, parts.6);
        for key in [key(&parts), key(&odd)] {
            prop_assert!(key.len() <= 255, "{} characters: {}", key.len(), key);
            prop_assert!(key.bytes().all(|byte| byte.is_ascii_graphic()), "{}", key);
        }
    }
}
