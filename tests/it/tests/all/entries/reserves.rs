//! A reserve is kept back of what is earned while its policy is in force, whichever door the sale came through.
use crate::databases::{START_MS, each_database};
use crate::store::fixtures::{import, sale};

const DAY: i64 = 86_400_000;

#[tokio::test]
async fn an_imported_sale_has_the_reserve_of_when_it_was_earned() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let earned = START_MS - DAY;
        for (name, value) in [("reserve_percent", "10"), ("reserve_days", "30")] {
            database
                .execute(&format!(
                    "INSERT INTO policies (name, value, effective_from_ms, set_by, reason, source, created_at_ms) \
                     VALUES ('{name}', '{value}', {earned}, 'x', 'x', 'person', 1)"
                ))
                .await;
        }
        let mut before = sale(1, "ch_0", 1_000);
        before.earned_at_ms = earned - 1;
        for _ in 0..2 {
            import(&store, &[before.clone(), sale(1, "ch_1", 1_000)]).await;
        }
        let kept = "SELECT kind, source_id, CAST(amount_minor AS TEXT), CAST((available_on_ms - earned_at_ms) / 3600000 AS TEXT) \
                    FROM creator_earnings WHERE kind <> 'sale' ORDER BY kind";
        let expected = [["reserve_hold", "ch_1", "-90", "23"], ["reserve_release", "ch_1", "90", "720"]];
        assert_eq!(database.texts(kept).await, expected, "{}", database.engine);
        assert!(store.books().await.unwrap().violations.is_empty());
    })
    .await;
}
