//! Webhooks and holds.
use super::fixtures::{ann, fence, import, sale};
use crate::databases::{START_MS, each_database};
use payoutd::store::{StoreError, door_types::InboxEvent, types::Fence};

fn event(id: &str) -> InboxEvent {
    InboxEvent {
        event_id: id.to_owned(),
        event_type: "payout.paid".to_owned(),
        account: Some("acct_1".into()),
        object_id: Some("po_1".to_owned()),
        livemode: false,
        created_s: 5,
        body: "{\"id\":\"evt\u{fc}\"}".to_owned(),
    }
}

#[tokio::test]
async fn an_event_that_comes_twice_is_one_event() {
    each_database(async |database| {
        let (store, hand) = database.store().await;
        assert_eq!(store.last_webhook_ms().await.unwrap(), None);
        assert!(store.put_event(&event("evt_1")).await.unwrap());
        hand.advance(7);
        assert!(!store.put_event(&event("evt_1")).await.unwrap());
        assert_eq!(store.last_webhook_ms().await.unwrap(), Some(START_MS), "a repetition tells nothing new");
        assert!(store.put_event(&InboxEvent { account: None, object_id: None, ..event("evt_2") }).await.unwrap());
        assert_eq!(store.inbox_backlog().await.unwrap(), 2);
        let todo = store.inbox_todo(10).await.unwrap();
        assert_eq!(todo.iter().map(|row| row.event.event_id.as_str()).collect::<Vec<_>>(), ["evt_1", "evt_2"]);
        assert_eq!(todo[0].event.body, event("evt_1").body);
        assert_eq!((todo[0].received_at_ms, todo[1].received_at_ms), (START_MS, START_MS + 7));
    })
    .await;
}

#[tokio::test]
async fn marking_events_is_fenced_and_idempotent_and_the_first_outcome_stays() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        for n in 0..1100 {
            if n < 3 || database.engine == "postgres" {
                store.put_event(&event(&format!("evt_{n}"))).await.unwrap();
            }
        }
        let token = fence(&store).await;
        let todo = store.inbox_todo(5000).await.unwrap();
        let outcomes: Vec<(i64, String)> = todo.iter().skip(1).map(|row| (row.seq, "applied".to_owned())).collect();
        assert!(matches!(store.events_done(Fence(token.0 - 1), &outcomes).await, Err(StoreError::Fenced { .. })));
        assert_eq!(store.inbox_backlog().await.unwrap(), i64::try_from(todo.len()).unwrap());
        store.events_done(token, &outcomes).await.unwrap();
        store.events_done(token, &[(outcomes[0].0, "again".to_owned())]).await.unwrap();
        store.events_done(token, &[]).await.unwrap();
        let left = store.inbox_todo(10).await.unwrap();
        assert_eq!(left.iter().map(|row| row.seq).collect::<Vec<_>>(), [todo[0].seq]);
        assert_eq!(database.number("SELECT COUNT(*) FROM webhook_inbox WHERE outcome = 'again'").await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_postgres_cannot_store_is_refused_on_both_for_good() {
    each_database(async |database| {
        let (store, _) = database.store().await;
        let refused = store.put_event(&InboxEvent { body: "a\0b".to_owned(), ..event("evt_1") }).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn one_hold_per_creator_and_cause_is_in_force_and_each_change_is_journaled() {
    each_database(async |database| {
        let (store, hand) = database.store().await;
        import(&store, &[sale(1, "ch_1", 1000)]).await;
        let creator = "creator1".into();
        let placed = store.hold(&creator, "fraud", "looks odd", &ann()).await.unwrap();
        assert!(!placed.already);
        assert!(store.hold(&creator, "fraud", "still", &ann()).await.unwrap().already);
        hand.advance(1);
        assert!(!store.hold(&creator, "bank", "closed", &ann()).await.unwrap().already);
        let holds = store.holds().await.unwrap();
        assert_eq!(
            holds.iter().map(|hold| (hold.cause.as_str(), hold.reason.as_str())).collect::<Vec<_>>(),
            [("bank", "closed"), ("fraud", "looks odd")]
        );
        assert!(!store.release_hold(&creator, "fraud", "cleared", &ann()).await.unwrap().already);
        assert!(store.release_hold(&creator, "fraud", "cleared", &ann()).await.unwrap().already);
        assert_eq!(store.holds().await.unwrap().len(), 1);
        assert!(
            !store.hold(&creator, "fraud", "again", &ann()).await.unwrap().already,
            "a released one doesn't block a new one"
        );
        assert!(matches!(
            store.hold(&"nobody".into(), "x", "y", &ann()).await,
            Err(StoreError::NotFound { what: "creator", .. })
        ));
        let told = store.journal_after(placed.seq - 1, 10).await.unwrap();
        let actions: Vec<_> = told.iter().map(|row| row.action.as_str()).collect();
        assert_eq!(actions, ["creator.hold", "creator.hold", "creator.release", "creator.hold"]);
    })
    .await;
}
