//! The books against Stripe's: every executed attempt is a payout at Stripe and the other way round, once, with the same money.
use super::world::World;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use stripe_twin::{Payout, Status};

const HOUR_MS: i64 = 3_600_000;

/// What the books said, and when: the database's version and the hour.
pub(super) type LastBooks = tokio::sync::Mutex<Option<((Option<i64>, i64), Arc<Books>)>>;

/// What is wrong with the books, and what each account has earned.
pub(super) struct Books {
    violations: Vec<String>,
    earned: BTreeMap<String, i64>,
}

impl World {
    /// What must hold at any moment, between any two steps.
    pub(super) async fn check(&self) {
        let wrong = self.wrong().await;
        assert!(wrong.is_empty(), "{wrong:#?}");
        self.journal_holds().await;
    }

    /// The journal's chain, which stays broken once it was broken.
    pub(super) async fn journal_holds(&self) {
        assert_eq!(self.store.verify_journal().await.unwrap().first_bad, None);
    }

    pub(super) async fn wrong(&self) -> Vec<String> {
        let mut wrong = self.stripe.wrong();
        let books = self.books().await;
        wrong.extend(books.violations.iter().cloned());
        wrong.extend(self.stripe.twin.check_conservation().violations);
        let mut keys = BTreeSet::new();
        let mut alive = BTreeMap::<String, i64>::new();
        let ledger = self.stripe.twin.ledger();
        let ours: BTreeSet<&str> =
            ledger.iter().filter(|row| row.metadata.contains_key("payoutd_key")).map(|row| row.id.as_str()).collect();
        // What takes one of ours back counts whoever asked for it.
        let of_ours = |row: &&Payout| {
            ours.contains(row.id.as_str()) || row.original_payout.as_deref().is_some_and(|id| ours.contains(id))
        };
        for row in ledger.iter().filter(of_ours) {
            if row.idempotency_key.is_some() && !keys.insert(row.idempotency_key.clone()) {
                wrong.push(format!("{:?} was executed twice", row.idempotency_key));
            }
            if !matches!(row.status, Status::Failed | Status::Canceled) {
                *alive.entry(row.account.clone()).or_default() += row.amount;
            }
        }
        for (account, paid) in alive {
            let earned = books.earned.get(&account).copied().unwrap_or_default();
            if paid > earned {
                wrong.push(format!("{account} was paid {paid} and has earned {earned}"));
            }
        }
        wrong
    }

    /// What the books say: as they said before where nothing was written since, and the hour is the same.
    async fn books(&self) -> Arc<Books> {
        let at = (self.probe.version().await, self.clock.now_ms() / HOUR_MS);
        let mut last = self.books.lock().await;
        match &*last {
            Some((then, books)) if at.0.is_some() && *then == at => books.clone(),
            _ => {
                let books = Arc::new(self.read_books().await);
                *last = Some((at, books.clone()));
                books
            }
        }
    }

    async fn read_books(&self) -> Books {
        let violations = self.store.books_but_journal().await.unwrap().violations;
        let sums = "SELECT account_id, CAST(SUM(amount_minor) AS TEXT) FROM creator_earnings WHERE kind IN ('sale', 'fee_refund', 'debt_repaid') AND amount_minor > 0 GROUP BY account_id";
        let earned = self.probe.texts(sums).await;
        Books { violations, earned: earned.into_iter().map(|row| (row[0].clone(), row[1].parse().unwrap())).collect() }
    }

    /// What must hold when everything has been heard: nothing is unknown, and both ledgers are one.
    pub(super) async fn books_equal(&self) {
        self.check().await;
        self.ledgers_equal().await;
        let open =
            self.probe.texts("SELECT id, state FROM creator_payouts WHERE state IN ('submitting', 'unknown')").await;
        assert!(open.is_empty(), "unresolved: {open:?}");
    }

    /// Our executed attempts are Stripe's payouts, one to one.
    pub(super) async fn ledgers_equal(&self) {
        let ours: BTreeSet<Vec<String>> = self
            .probe
            .texts(
                "SELECT key, account_id, CAST(amount_minor AS TEXT), currency, stripe_object_id, destination_id FROM payout_attempts \
                 WHERE state = 'executed' AND kind = 'create'",
            )
            .await
            .into_iter()
            .collect();
        let theirs: BTreeSet<Vec<String>> = self
            .stripe
            .twin
            .ledger()
            .into_iter()
            .filter(|row| row.metadata.contains_key("payoutd_key") && row.amount > 0)
            .map(|row| {
                let key = row.idempotency_key.unwrap_or_default();
                assert_eq!(row.metadata["payoutd_key"], key, "the object names another key than it was asked with");
                vec![key, row.account, row.amount.to_string(), row.currency, row.id, row.destination]
            })
            .collect();
        assert_eq!(ours, theirs, "our executed attempts against Stripe's payouts");
    }
}
