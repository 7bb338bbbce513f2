//! What Stripe said of accounts: who is to be read, and how a swapped bank account shows.
use super::fixtures::{Paid, a_run, fence, import, run_of, sale, usd};
use crate::databases::{START_MS, each_database};
use payout_shared::{id::AccountId, run::RunKind};
use payoutd::store::{
    Store, StoreError,
    door_types::{AccountRead, BANK_REMOVED, BankRead},
    types::{Fence, NewRun, RunRow},
};

fn read(n: u64, bank: &str) -> AccountRead {
    AccountRead {
        account: AccountId::new(format!("acct_{n}")),
        read_at_ms: START_MS,
        country: None,
        payouts_enabled: true,
        charges_enabled: true,
        details_submitted: true,
        disabled_reason: None,
        schedule_interval: Some("manual".to_owned()),
        banks: vec![BankRead {
            currency: usd(),
            destination: bank.into(),
            status: "new".to_owned(),
            bank_name: None,
            country: None,
        }],
    }
}

/// Accounts to be read for the first page of a run.
async fn stale(store: &Store, run: &RunRow, before_ms: i64) -> Vec<String> {
    store.stale_accounts(run, before_ms, 100).await.unwrap().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn unread_stale_and_old_accounts_with_free_entries_are_to_be_read() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        import(&store, &[sale(1, "ch_1", 10), sale(2, "ch_2", 10), sale(3, "ch_3", 10)]).await;
        let run = a_run(&store).await;
        Paid { id: "pay_4", run: &run, creator: 4, state: "paid", amount_minor: 5, cause: None, changed_at_ms: 1 }.write(database).await;
        database
            .execute("INSERT INTO creator_stripe_accounts (account_id, creator_id, country, created_at_ms) VALUES ('acct_4', 'creator4', 'DE', 1)")
            .await;
        assert_eq!(stale(&store, &run, START_MS).await, ["acct_1", "acct_2", "acct_3"], "nothing is free on acct_4");
        let token = fence(&store).await;
        store.record_accounts(token, &[read(1, "ba_1"), read(2, "ba_2"), read(99, "ba_x")]).await.unwrap();
        assert_eq!(stale(&store, &run, START_MS).await, ["acct_3"]);
        assert_eq!(stale(&store, &run, START_MS + 1).await, ["acct_1", "acct_2", "acct_3"]);
        assert!(store.mark_stale(&"acct_2".into()).await.unwrap());
        assert!(!store.mark_stale(&"acct_99".into()).await.unwrap());
        assert_eq!(stale(&store, &run, START_MS).await, ["acct_2", "acct_3"]);
        let page = store.stale_accounts(&run, START_MS, 2).await.unwrap();
        assert_eq!(page, ["acct_2".into()], "a page of two purses ends with acct_2");
        let behind = RunRow { plan_after: "acct_2 usd".to_owned(), ..run.clone() };
        assert_eq!(stale(&store, &behind, START_MS).await, ["acct_2", "acct_3"], "acct_2 may have other currencies");
        let behind = RunRow { plan_after: "acct_4 usd".to_owned(), ..run.clone() };
        assert_eq!(stale(&store, &behind, START_MS).await, [""; 0], "no purse follows");

        let named = NewRun { creators: vec!["creator3".into()], ..run_of(12, 3, RunKind::Manual) };
        let named = store.insert_run(&named).await.unwrap().0;
        assert_eq!(stale(&store, &named, START_MS).await, ["acct_3"]);
    })
    .await;
}

#[tokio::test]
async fn only_a_bank_account_that_replaces_a_known_one_is_marked_as_changed() {
    each_database(async |database| {
        let (store, hand) = database.store().await;
        import(&store, &[sale(1, "ch_1", 10)]).await;
        let token = fence(&store).await;
        let bank = async || {
            let row = store.account_facts(&"acct_1".into()).await.unwrap();
            row.banks.first().map(|(bank, at)| (bank.destination.to_string(), bank.status.clone(), *at)).unwrap()
        };
        store.record_accounts(token, &[read(1, "ba_1")]).await.unwrap();
        assert_eq!(bank().await, ("ba_1".to_owned(), "new".to_owned(), None), "the first one known");
        hand.advance(10);
        store.record_accounts(token, &[read(1, "ba_1")]).await.unwrap();
        assert_eq!(bank().await.2, None);
        store.record_accounts(token, &[read(1, "ba_2")]).await.unwrap();
        assert_eq!(bank().await, ("ba_2".to_owned(), "new".to_owned(), Some(START_MS + 10)));
        hand.advance(10);
        store.record_accounts(token, &[read(1, "ba_2")]).await.unwrap();
        assert_eq!(bank().await.2, Some(START_MS + 10), "the same again isn't a change");

        store.record_accounts(token, &[AccountRead { banks: Vec::new(), ..read(1, "") }]).await.unwrap();
        assert_eq!(bank().await, ("ba_2".to_owned(), BANK_REMOVED.to_owned(), Some(START_MS + 10)));
        hand.advance(10);
        store.record_accounts(token, &[read(1, "ba_3")]).await.unwrap();
        assert_eq!(
            bank().await,
            ("ba_3".to_owned(), "new".to_owned(), Some(START_MS + 30)),
            "removing first hides no swap"
        );
    })
    .await;
}

#[tokio::test]
async fn the_journal_tells_when_being_paid_changes_and_of_swapped_banks_and_nothing_else() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        import(&store, &[sale(1, "ch_1", 10), sale(2, "ch_2", 10)]).await;
        let token = fence(&store).await;
        let head = store.journal_head().await.unwrap().0;
        let told = async || {
            let rows = store.journal_after(head, 100).await.unwrap();
            rows.iter()
                .map(|row| format!("{} {}", row.from_state.clone().unwrap(), row.to_state.clone().unwrap()))
                .collect::<Vec<_>>()
        };
        store.record_accounts(token, &[read(1, "ba_1"), read(2, "ba_2")]).await.unwrap();
        store.record_accounts(token, &[AccountRead { details_submitted: false, ..read(1, "ba_1") }]).await.unwrap();
        assert!(told().await.is_empty());
        let disabled =
            AccountRead { payouts_enabled: false, disabled_reason: Some("listed".to_owned()), ..read(1, "ba_1") };
        store.record_accounts(token, &[disabled]).await.unwrap();
        let daily = AccountRead { schedule_interval: Some("daily".to_owned()), ..read(2, "ba_2") };
        store.record_accounts(token, &[read(1, "ba_1"), daily]).await.unwrap();
        store.record_accounts(token, &[read(1, "ba_9")]).await.unwrap();
        assert_eq!(
            told().await,
            ["payable not_payable", "not_payable payable", "payable not_payable", "payable payable"]
        );
        let last = store.journal_after(head, 100).await.unwrap().pop().unwrap();
        assert!(last.detail.contains("ba_1") && last.detail.contains("ba_9"), "{}", last.detail);
        assert!(store.verify_journal().await.unwrap().first_bad.is_none());
    })
    .await;
}

#[tokio::test]
async fn a_stale_token_records_no_account_and_a_thousand_are_recorded_at_once() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let rows: Vec<_> = (0..1200).map(|n| sale(n, &format!("ch_{n}"), 10)).collect();
        import(&store, &rows).await;
        let token = fence(&store).await;
        let reads: Vec<_> =
            (0..1200).map(|n| AccountRead { country: Some("FR".to_owned()), ..read(n, "ba") }).collect();
        assert!(matches!(store.record_accounts(Fence(token.0 - 1), &reads).await, Err(StoreError::Fenced { .. })));
        store.record_accounts(token, &reads).await.unwrap();
        let run = a_run(&store).await;
        assert_eq!(stale(&store, &run, START_MS).await, Vec::<String>::new());
        let one = store.account_facts(&"acct_777".into()).await.unwrap();
        assert_eq!((one.country.as_str(), one.payouts_enabled, one.read_at_ms), ("FR", true, Some(START_MS)));
        assert!(matches!(store.account_facts(&"acct_x".into()).await, Err(StoreError::NotFound { .. })));
    })
    .await;
}
