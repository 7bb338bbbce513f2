//! What a late execution may make wrong, of a 429 whose copy was executed or of what two people said was not paid: nobody can know of it before it
//! shows; then it is told, again and again, and that is what the books do. Only the sentences that follow from that very execution are taken
//! for right, and only with its numbers.
use super::{fault::Fault, walk::Walk};
use std::collections::{BTreeMap, BTreeSet};

/// What Stripe executed of a payout that had been given up, or has another object: its money is out.
struct Late {
    payout: String,
    state: String,
    key: String,
    account: String,
    currency: String,
    amount_minor: i64,
    /// What the payout locks; the same for each late object of one payout.
    locked_minor: i64,
}

/// The sentences that follow from late executions.
#[derive(Default)]
pub(super) struct Followed {
    exactly: Vec<String>,
    /// How much more than it has earned an account may have been paid, minor units.
    overpaid: BTreeMap<String, i64>,
}

impl Walk {
    /// What follows from the late executions that the journal has told by now.
    pub(super) async fn follows_from_late_ones(&self) -> Followed {
        let mut followed = Followed::default();
        let (mut locked, mut counted) = (BTreeMap::<(String, String), i64>::new(), Vec::new());
        for late in self.late_ones().await {
            let Late { payout, state, key, account, currency, amount_minor, locked_minor } = late;
            followed.exactly.push(format!(
                "payout {payout} is {state}, but Stripe executed its attempt {key} and the money has not come back"
            ));
            if state == "voided" && !counted.contains(&payout) {
                *locked.entry((account.clone(), currency)).or_default() += locked_minor;
                counted.push(payout);
            }
            *followed.overpaid.entry(account).or_default() += amount_minor;
        }
        let locks =
            |((account, currency), minor)| format!("purse {account} {currency}: voided payouts still lock {minor}");
        followed.exactly.extend(locked.into_iter().map(locks));
        followed
    }

    /// Stripe's objects of payouts which had been given up by then: nothing that becomes of such an object moves its payout.
    pub(super) async fn late_objects(&self) -> BTreeSet<String> {
        let mut late = BTreeSet::new();
        for payout in self.given_up().await {
            let told = format!(
                "SELECT t.stripe_object_id FROM payout_attempts t JOIN journal j ON j.payout_id = t.payout_id \
                 AND j.action = 'payout.late_execution' AND j.detail LIKE '%' || t.stripe_object_id || '%' \
                 WHERE t.payout_id = '{payout}' AND t.kind = 'create'"
            );
            late.extend(self.world.probe.texts(&told).await.concat());
        }
        late
    }

    /// The payouts that were given up although somebody may have executed them: a copy of them went round, or two people said that they were not
    /// paid.
    async fn given_up(&self) -> BTreeSet<String> {
        let vouched = "SELECT subject FROM requests WHERE kind = 'not_paid' AND state = 'applied'";
        let mut given_up: BTreeSet<String> = self.world.probe.texts(vouched).await.into_iter().flatten().collect();
        given_up.extend(self.met.met(Fault::Copied).map(str::to_owned));
        given_up
    }

    async fn late_ones(&self) -> Vec<Late> {
        let mut late = Vec::new();
        for payout in self.given_up().await {
            let told = format!(
                "SELECT p.id, p.state, t.key, p.account_id, p.currency, CAST(t.amount_minor AS TEXT), \
                 CAST(COALESCE((SELECT SUM(i.amount_minor) FROM payout_items i WHERE i.payout_id = p.id AND i.released_at_ms IS NULL), 0) \
                 AS TEXT) FROM creator_payouts p JOIN payout_attempts t ON t.payout_id = p.id AND t.kind = 'create' \
                 WHERE p.id = '{payout}' AND t.object_status IN ('pending', 'in_transit', 'paid') \
                 AND (p.stripe_payout_id IS NULL OR p.stripe_payout_id <> t.stripe_object_id) \
                 AND EXISTS (SELECT 1 FROM journal j WHERE j.payout_id = p.id AND j.action = 'payout.late_execution')"
            );
            for row in self.world.probe.texts(&told).await {
                let [payout, state, key, account, currency, amount, locked] = row.try_into().unwrap();
                let (amount_minor, locked_minor) = (amount.parse().unwrap(), locked.parse().unwrap());
                late.push(Late { payout, state, key, account, currency, amount_minor, locked_minor });
            }
        }
        late
    }
}

impl Followed {
    /// This sentence says no more than what those executions did.
    pub(super) fn explains(&self, sentence: &str) -> bool {
        self.exactly.iter().any(|told| told == sentence)
            || self
                .overpaid
                .iter()
                .any(|(account, most)| overpaid(sentence, account).is_some_and(|minor| minor <= *most))
    }
}

/// By how much this sentence says that an account was overpaid.
fn overpaid(sentence: &str, account: &str) -> Option<i64> {
    let numbers = sentence.strip_prefix(account)?.strip_prefix(" was paid ")?;
    let (paid, earned) = numbers.split_once(" and has earned ")?;
    Some(paid.parse::<i64>().ok()? - earned.parse::<i64>().ok()?)
}

#[test]
fn only_what_follows_from_a_late_execution_is_taken_for_right() {
    let exactly = vec!["purse acct_000 usd: voided payouts still lock 900".to_owned()];
    let followed = Followed { exactly, overpaid: [("acct_000".to_owned(), 900)].into() };
    assert!(followed.explains("purse acct_000 usd: voided payouts still lock 900"));
    assert!(followed.explains("acct_000 was paid 2900 and has earned 2000"));
    for other in [
        "purse acct_000 usd: voided payouts still lock 901",
        "acct_000 was paid 2901 and has earned 2000",
        "acct_001 was paid 2900 and has earned 2000",
        "purse acct_000 usd has 2 active payouts at once",
        "\"key of acct_000\" was executed twice",
    ] {
        assert!(!followed.explains(other), "{other}");
    }
}
