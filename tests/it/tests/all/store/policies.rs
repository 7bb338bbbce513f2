//! Policies in the store: versions are appended, counted from a moment that isn't over, journalled, and fit into Stripe's holding limit.
use super::fixtures::{ann, import, sale};
use crate::databases::{START_MS, each_database, policies};
use payout_shared::policy::{PolicyName, PolicyValue};
use payoutd::store::{StoreError, door_types::PolicySetting};

fn setting(name: &str, value: &str, effective_from_ms: Option<i64>) -> PolicySetting {
    let name = PolicyName::parse(name).unwrap();
    let value = PolicyValue::parse(name, value).unwrap();
    PolicySetting { name, value, effective_from_ms, reason: "the board said so".to_owned() }
}

#[tokio::test]
async fn what_is_set_counts_from_its_moment_on_and_never_before() {
    each_database(async |database| {
        let (store, hand) = database.store().await;
        let head = store.journal_head().await.unwrap().0;
        store.set_policy(&setting("reserve_percent", "10", None), &ann()).await.unwrap();
        let seq = store.set_policy(&setting("reserve_percent", "2.5", Some(START_MS + 5_000)), &ann()).await.unwrap();
        assert_eq!(seq, head + 2, "each with its journal row");
        let row = store.journal_after(seq - 1, 10).await.unwrap().remove(0);
        assert_eq!(
            (row.actor.as_str(), row.action.as_str(), row.reason.as_deref()),
            ("user:ann(1000)", "policy.set", Some("the board said so"))
        );
        assert!(row.detail.contains("\"reserve_percent\"") && row.detail.contains("\"2.5\""), "{}", row.detail);
        for (at, bp) in [(START_MS - 1, 0), (START_MS, 1_000), (START_MS + 4_999, 1_000), (START_MS + 5_000, 250)] {
            assert_eq!(store.policy_at(at).await.unwrap().reserve_bp(), bp, "at {at}");
        }
        let late = store.set_policy(&setting("reserve_percent", "90", Some(START_MS - 1)), &ann()).await;
        assert!(matches!(&late, Err(StoreError::Refused(why)) if why.contains("for the past")), "{late:?}");
        hand.advance(5_000);
        assert_eq!(store.plan_context().await.unwrap().rules.policies.reserve_bp(), 250);
        assert_eq!(store.policies().await.unwrap().versions().len(), 2);
        assert_eq!(store.journal_head().await.unwrap().0, seq);
        assert!(store.verify_journal().await.unwrap().first_bad.is_none());
    })
    .await;
}

#[tokio::test]
async fn a_restart_writes_what_the_configuration_changed_and_undoes_nobody() {
    each_database(async |database| {
        let (store, hand) = database.store().await;
        policies(&store, &[("hold_days", "5"), ("minimum.usd", "10.00")]).await;
        let (head, versions) =
            (store.journal_head().await.unwrap().0, store.policies().await.unwrap().versions().len());
        policies(&store, &[("hold_days", "5"), ("minimum.usd", "10.00")]).await;
        assert_eq!(
            (store.journal_head().await.unwrap().0, store.policies().await.unwrap().versions().len()),
            (head, versions)
        );
        hand.advance(1_000);
        store.set_policy(&setting("hold_days", "9", None), &ann()).await.unwrap();
        let now = START_MS + 1_000;
        policies(&store, &[("hold_days", "5"), ("minimum.usd", "10.00")]).await;
        assert_eq!(store.policy_at(now).await.unwrap().hold_days(), 9);
        policies(&store, &[("hold_days", "6")]).await;
        let set = store.policy_at(now).await.unwrap();
        assert_eq!(set.hold_days(), 6);
        assert_eq!(set.minimum(super::fixtures::usd()), None, "no longer configured, and nobody else set it");
    })
    .await;
}

#[tokio::test]
async fn days_that_would_pass_stripes_holding_limit_are_refused_by_the_countries_that_there_are() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let refused = async |name: &str, days: &str| match store.set_policy(&setting(name, days, None), &ann()).await {
            Err(StoreError::Refused(why)) => Some(why),
            other => other.map(|_| None).unwrap(),
        };
        for name in ["hold_days", "reserve_days"] {
            let why = refused(name, "74").await.unwrap();
            assert!(why.contains("90 days") && why.contains("at most 73 days fit"), "{why}");
            assert_eq!(refused(name, "73").await, None);
        }
        import(&store, &[payoutd::store::door_types::EarningRow { country: "US".to_owned(), ..sale(1, "ch_1", 500) }])
            .await;
        assert_eq!(refused("hold_days", "713").await, None, "two years in the United States");
        import(&store, &[payoutd::store::door_types::EarningRow { country: "TH".to_owned(), ..sale(2, "ch_2", 500) }])
            .await;
        assert!(refused("hold_days", "1").await.unwrap().contains("accounts in TH"));
        assert_eq!(refused("hold_days", "0").await, None);
        let name = PolicyName::parse("reserve_days").unwrap();
        let said = [(name, (PolicyValue::Number(30), payout_shared::policy::Source::Environment))].into();
        let before = store.policy_at(START_MS).await.unwrap().reserve_days();
        let unfit = store.configure_policies(&said).await.unwrap();
        assert!(unfit.len() == 1 && unfit[0].contains("accounts in TH"), "{unfit:?}");
        assert_eq!(
            store.policy_at(START_MS).await.unwrap().reserve_days(),
            before,
            "what can't hold is left out, and said"
        );
    })
    .await;
}
