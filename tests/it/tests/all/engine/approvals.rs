//! Two people: a run above a bound leaves only after both, through every pause; overrides and adjustments are for exactly what was seen.
use super::{
    trouble::Trouble,
    world::{World, account, ann, creator},
};
use payout_shared::{
    approval::{RequestKind, RequestState},
    run::RunState,
};
use payoutd::store::{
    StoreError,
    door_types::{NewRequest, RequestRow},
    types::{By, RunRow},
};
use serde_json::json;

pub(super) fn person(name: &str, uid: u32) -> By {
    By::Person { name: name.to_owned(), uid }
}

impl World {
    pub(super) async fn waiting(&self) -> Vec<RequestRow> {
        self.store.requests(false, 100).await.unwrap()
    }

    pub(super) async fn yes(&self, request: &RequestRow, by: &By) -> Result<RequestState, String> {
        let done = self.store.approve(&request.id, &request.hash, by, "looked").await;
        done.map(|done| done.request.state).map_err(|error| error.to_string())
    }

    /// A run that waits for two people, and its request.
    async fn run_that_waits(&mut self) -> (RunRow, RequestRow) {
        self.set_policy("approval_above.usd", "50.00").await;
        let run = self.scheduled().await;
        self.until("the request", async |world| !world.waiting().await.is_empty()).await;
        assert_eq!(self.state(&run).await, RunState::AwaitingApproval);
        let request = self.waiting().await.remove(0);
        (run, request)
    }
}

#[tokio::test]
async fn a_run_above_a_bound_leaves_only_after_two_people() {
    let mut world = World::with(&[4_000, 3_000]).await;
    let (run, request) = world.run_that_waits().await;
    assert_eq!((request.kind, request.subject.as_str()), (RequestKind::Run, run.id.as_str()));
    world.steps(20).await;
    assert!(world.stripe.left().is_empty());
    assert_eq!(world.waiting().await.len(), 1, "asked for once");
    assert_eq!(world.yes(&request, &ann()).await, Ok(RequestState::Open));
    assert!(world.yes(&request, &ann()).await.unwrap_err().contains("already"));
    world.steps(20).await;
    assert!(world.stripe.left().is_empty(), "a schedule asked: one person isn't two");
    let other = RequestRow { hash: "0000000000000000".to_owned(), ..request.clone() };
    assert!(world.yes(&other, &person("bob", 1001)).await.unwrap_err().contains("has the hash"));
    assert_eq!(world.yes(&request, &person("bob", 1001)).await, Ok(RequestState::Applied));
    world.settle().await;
    assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::Completed, 2));
    assert!(world.yes(&request, &person("eve", 1002)).await.unwrap_err().contains("nothing is to be decided"));
    let told = "SELECT action FROM journal WHERE action LIKE 'request.%' ORDER BY seq";
    let told = world.probe.texts(told).await.concat();
    assert_eq!(told, ["request.open", "request.approve", "request.approve", "request.apply"]);
    world.books_equal().await;
}

#[tokio::test]
async fn a_run_at_its_bound_needs_nobody_and_growth_is_judged_by_the_last_completed_cycle() {
    let mut world = World::with(&[5_000]).await;
    world.set_policy("approval_above.usd", "50.00").await;
    world.set_policy("growth_cap_percent", "100").await;
    world.scheduled().await;
    world.settle().await;
    assert_eq!(world.stripe.left().len(), 1, "the first cycle has no last one");
    world.set_policy("approval_above.usd", "none").await;
    world.advance(700_000).await;
    world.deliver().await;
    world.settle().await;
    world.earn(0, 10_001).await;
    let run = world.run(15, payout_shared::run::RunKind::Scheduled).await;
    world.until("the request", async |world| !world.waiting().await.is_empty()).await;
    assert_eq!(world.state(&run).await, RunState::AwaitingApproval);
    assert!(
        world.waiting().await[0].detail.contains("100 % above the 50.00 USD"),
        "{}",
        world.waiting().await[0].detail
    );
    world.books_equal().await;
}

#[tokio::test]
async fn pause_and_resume_do_not_lose_what_is_missing() {
    let mut world = World::with(&[4_000, 3_000]).await;
    let (run, request) = world.run_that_waits().await;
    assert_eq!(world.pause(&run).await, RunState::Paused);
    let refused = world.yes(&request, &ann()).await;
    assert_eq!(refused, Ok(RequestState::Open));
    assert!(world.yes(&request, &person("bob", 1001)).await.unwrap_err().contains("it cannot be approved"));
    world.resume(&run).await;
    world.crash();
    world.steps(20).await;
    assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::AwaitingApproval, 0));
    assert_eq!(world.yes(&request, &person("bob", 1001)).await, Ok(RequestState::Applied));
    world.settle().await;
    assert_eq!((world.state(&run).await, world.stripe.left().len()), (RunState::Completed, 2));
    world.books_equal().await;
}

#[tokio::test]
async fn a_run_that_is_rejected_is_paused_and_asks_again_when_resumed() {
    let mut world = World::with(&[4_000, 3_000]).await;
    let (run, request) = world.run_that_waits().await;
    world.store.reject(&request.id, &ann(), "too much").await.unwrap();
    let row = world.store.run(run.id.as_str()).await.unwrap();
    assert_eq!((row.state, row.pause_reason.as_deref()), (RunState::Paused, Some("not approved: too much")));
    assert!(world.waiting().await.is_empty());
    world.resume(&run).await;
    world.until("asked again", async |world| !world.waiting().await.is_empty()).await;
    assert_ne!(world.waiting().await[0].id, request.id);
    assert!(world.stripe.left().is_empty());
}

#[tokio::test]
async fn a_yes_to_what_has_changed_meanwhile_is_refused_and_asked_anew() {
    let mut world = World::with(&[4_000, 3_000]).await;
    let (_, request) = world.run_that_waits().await;
    world.yes(&request, &ann()).await.unwrap();
    world.database.execute("UPDATE creator_payouts SET state = 'voided' WHERE account_id = 'acct_000'").await;
    let refused = world.yes(&request, &person("bob", 1001)).await.unwrap_err();
    assert!(refused.contains("has changed"), "{refused}");
    let now = world.waiting().await.remove(0);
    assert!(now.id != request.id && now.hash != request.hash && now.approvals.is_empty(), "{now:?}");
    assert!(now.detail.contains("3000") && !now.detail.contains("7000"), "{}", now.detail);
}

#[tokio::test]
async fn a_run_that_is_planned_again_to_more_than_was_approved_waits_for_two_people_again() {
    for (more, waits) in [(500, true), (0, false)] {
        let mut world = World::with(&[4_000, 3_000]).await;
        let (run, request) = world.run_that_waits().await;
        world.pause(&run).await;
        world.resume(&run).await;
        world.yes(&request, &ann()).await.unwrap();
        world.yes(&request, &person("bob", 1001)).await.unwrap();
        world.pause(&run).await;
        if more > 0 {
            world.earn(0, more).await;
        }
        // A plan that is a day old is made again.
        world.advance(25 * 60 * 60 * 1000).await;
        world.resume(&run).await;
        world.settle().await;
        let (state, left) = (world.state(&run).await, world.stripe.left().len());
        if !waits {
            assert_eq!((state, left), (RunState::Completed, 2));
            continue;
        }
        let row = world.store.run(run.id.as_str()).await.unwrap();
        assert!(row.pause_reason.unwrap().contains("more than two people approved"));
        assert_eq!((state, world.executed(0).len()), (RunState::Paused, 0));
        world.resume(&run).await;
        world.until("asked again", async |world| !world.waiting().await.is_empty()).await;
        let again = world.waiting().await.remove(0);
        assert!(again.detail.contains("7500"), "{}", again.detail);
        for by in [ann(), person("bob", 1001)] {
            world.yes(&again, &by).await.unwrap();
        }
        world.settle().await;
        assert_eq!((world.state(&run).await, world.executed(0)[0].amount), (RunState::Completed, 4_500));
        world.books_equal().await;
    }
}

#[tokio::test]
async fn the_first_payouts_leave_alone_and_a_bad_start_pauses_the_run() {
    for (failing, paused) in [(0_usize, false), (1, false), (2, true)] {
        let mut world = World::with(&[5_000; 12]).await;
        world.set_policy("canary_count", "5").await;
        world.set_policy("canary_fail_percent", "20").await;
        let run = world.planned().await;
        let first = "SELECT account_id FROM creator_payouts ORDER BY not_before_ms, id LIMIT 5";
        let first = world.probe.texts(first).await.concat();
        for bad in first.iter().take(failing) {
            world.stripe.trouble(Some(bad), 1, super::again::refusal("account_closed"));
        }
        world.resume(&run).await;
        world.settle().await;
        let row = world.store.run(run.id.as_str()).await.unwrap();
        assert_eq!(row.state == RunState::Paused, paused, "{failing} failed: {:?}", row.state);
        assert_eq!(world.stripe.left().len(), if paused { 5 } else { 12 }, "{failing} failed");
        if paused {
            assert_eq!(row.paused_by.as_deref(), Some("engine"));
            assert!(row.pause_reason.unwrap().contains("2 of the first 5"), "the reason says how many");
            world.resume(&run).await;
            world.settle().await;
            assert_eq!(world.stripe.left().len(), 12, "whoever resumes has looked");
        }
        world.books_equal().await;
    }
}

#[tokio::test]
async fn while_a_first_payout_is_unanswered_the_rest_stays() {
    let mut world = World::with(&[5_000; 6]).await;
    world.set_policy("canary_count", "2").await;
    let run = world.planned().await;
    let first = "SELECT account_id FROM creator_payouts ORDER BY not_before_ms, id LIMIT 1";
    let first = world.probe.texts(first).await.concat().remove(0);
    world.stripe.trouble(Some(&first), 1, Trouble::Limited);
    world.resume(&run).await;
    world.settle().await;
    // Put back, it left a second time before anybody beyond the first two.
    let accounts: Vec<String> = world.stripe.left().into_iter().map(|(key, _)| key).collect();
    assert_eq!(accounts.len(), 7);
    assert!(accounts[..3].iter().filter(|key| key.contains(&first)).count() == 2, "{accounts:?}");
    assert_eq!(world.state(&run).await, RunState::Completed);
    world.books_equal().await;
}

pub(super) async fn asked(world: &World, kind: RequestKind, detail: serde_json::Value) -> RequestRow {
    let by = ann().to_string();
    let subject = creator(0).to_string();
    let new = NewRequest { kind, subject, detail, uid: By::uid_in(&by), by, reason: "a test".to_owned() };
    world.store.open_request(&new).await.unwrap().0
}

#[tokio::test]
async fn a_cap_that_two_people_lift_is_lifted_once_in_that_cycle() {
    let mut world = World::with(&[9_000]).await;
    world.set_policy("cap.usd", "50.00").await;
    world.scheduled().await;
    world.settle().await;
    assert_eq!(world.reason(0).await, "over_cap");
    let purse = json!({"account": account(0), "currency": "usd", "up_to_minor": 9_000});
    let detail = json!({"override": "cap", "cycle": "2026-12-02", "purses": [purse]});
    let request = asked(&world, RequestKind::Override, detail).await;
    assert!(world.yes(&request, &ann()).await.unwrap_err().contains("another one has to approve"));
    world.run(1, payout_shared::run::RunKind::Manual).await;
    world.settle().await;
    assert!(world.stripe.left().is_empty());
    assert_eq!(world.yes(&request, &person("bob", 1001)).await, Ok(RequestState::Applied));
    world.run(1, payout_shared::run::RunKind::Manual).await;
    world.settle().await;
    assert!(world.stripe.left().is_empty(), "another cycle");
    world.run(2, payout_shared::run::RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.executed(0).iter().map(|row| row.amount).collect::<Vec<_>>(), [9_000]);
    world.advance(700_000).await;
    world.deliver().await;
    world.settle().await;
    world.earn(0, 8_000).await;
    world.run(2, payout_shared::run::RunKind::Manual).await;
    world.settle().await;
    assert_eq!((world.executed(0).len(), world.reason(0).await.as_str()), (1, "over_cap"), "it was for one payout");
    world.books_equal().await;
}

#[tokio::test]
async fn a_bank_account_that_two_people_looked_at_is_paid_to_and_no_other() {
    let mut world = World::with(&[9_000]).await;
    let run = world.planned().await;
    world.database.execute(&format!("UPDATE account_banks SET changed_at_ms = {}", world.clock.now_ms())).await;
    let bank = world.probe.texts("SELECT destination_id FROM account_banks").await.concat().remove(0);
    let detail = |destination: &str, cycle: &str| {
        let purse = json!({"account": account(0), "currency": "usd", "destination": destination});
        json!({"override": "bank_changed", "cycle": cycle, "purses": [purse]})
    };
    let other = asked(&world, RequestKind::Override, detail("ba_other", "2026-12-01")).await;
    world.yes(&other, &person("bob", 1001)).await.unwrap();
    world.resume(&run).await;
    world.settle().await;
    assert_eq!((world.executed(0).len(), world.reason(0).await.as_str()), (0, "bank_changed"), "another was looked at");
    let this = asked(&world, RequestKind::Override, detail(&bank, "2026-12-02")).await;
    world.run(2, payout_shared::run::RunKind::Manual).await;
    world.settle().await;
    assert_eq!((world.executed(0).len(), world.reason(0).await.as_str()), (0, "bank_changed"), "one person");
    world.yes(&this, &person("bob", 1001)).await.unwrap();
    // Both the plan and the guard of the send see it.
    world.run(2, payout_shared::run::RunKind::Manual).await;
    world.settle().await;
    assert_eq!(world.executed(0).len(), 1);
    world.books_equal().await;
}

pub(super) fn adjustment(kind: &str, minor: i64, transfer: Option<&str>) -> serde_json::Value {
    let amount = json!({"minor": minor, "currency": "usd"});
    json!({"kind": kind, "account": account(0), "amount": amount, "transfer": transfer})
}

#[tokio::test]
async fn an_adjustment_is_one_entry_by_two_people_and_a_positive_one_counts_with_its_transfer() {
    let mut world = World::with(&[5_000]).await;
    let taken = asked(&world, RequestKind::Adjustment, adjustment("adjustment", -1_500, None)).await;
    let given = asked(&world, RequestKind::Adjustment, adjustment("adjustment", 700, Some("tr_1"))).await;
    let again = asked(&world, RequestKind::Adjustment, adjustment("adjustment", 700, Some("tr_1"))).await;
    let entries = "SELECT COUNT(*) FROM creator_earnings WHERE kind = 'adjustment'";
    assert_eq!(world.probe.number(entries).await, 0);
    for request in [&taken, &given] {
        assert_eq!(world.yes(request, &person("bob", 1001)).await, Ok(RequestState::Applied));
    }
    assert!(world.yes(&again, &person("bob", 1001)).await.unwrap_err().contains("carries something else already"));
    assert_eq!(world.probe.number(entries).await, 2);
    world.advance(10).await;
    let run = world.run_at(2, payout_shared::run::RunKind::Manual, world.clock.now_ms()).await;
    world.database.execute(&format!("UPDATE payout_runs SET cutoff_ms = instant_ms WHERE id = '{}'", run.id)).await;
    world.settle().await;
    assert_eq!(
        world.executed(0).iter().map(|row| row.amount).collect::<Vec<_>>(),
        [3_500],
        "the transfer isn't recorded"
    );
    let waits = "SELECT COUNT(*) FROM creator_earnings e WHERE kind = 'adjustment' AND amount_minor > 0 \
                 AND NOT EXISTS (SELECT 1 FROM payout_items i WHERE i.earning_id = e.id)";
    assert_eq!(world.probe.number(waits).await, 1);
    world.books_equal().await;
}

#[tokio::test]
async fn a_debt_is_written_off_at_most_as_far_as_it_goes() {
    let mut world = World::with(&[1_000]).await;
    world.refund(0, 3_000).await;
    let more = asked(&world, RequestKind::Adjustment, adjustment("debt_writeoff", 2_001, None)).await;
    let all = asked(&world, RequestKind::Adjustment, adjustment("debt_writeoff", 2_000, None)).await;
    let refused = world.yes(&more, &person("bob", 1001)).await.unwrap_err();
    assert!(refused.contains("owes 20.00 USD now"), "{refused}");
    assert_eq!(world.yes(&all, &person("bob", 1001)).await, Ok(RequestState::Applied));
    let sum = "SELECT SUM(amount_minor) FROM creator_earnings";
    assert_eq!(world.probe.number(sum).await, 0);
    let refused = world.yes(&more, &person("eve", 1002)).await.unwrap_err();
    assert!(refused.contains("owes 0.00 USD now"), "{refused}");
    let machine = world.store.approve(&more.id, &more.hash, &By::Engine, "x").await;
    assert!(matches!(machine, Err(StoreError::Refused(_))));
    world.settle().await;
}

#[tokio::test]
async fn what_is_kept_back_of_a_sale_that_is_not_there_yet_is_no_debt() {
    let world = World::with(&[1_000]).await;
    world.database.execute("DELETE FROM creator_earnings").await;
    let (now_ms, later_ms) = (world.clock.now_ms(), world.clock.now_ms() + 86_400_000);
    for (kind, minor, available_ms) in
        [("sale", 10_000, later_ms), ("reserve_hold", -1_000, later_ms), ("reserve_release", 1_000, 2 * later_ms)]
    {
        let entry = format!(
            "INSERT INTO creator_earnings (creator_id, account_id, currency, kind, amount_minor, gross_minor, fee_minor, source_type, \
             source_id, earned_at_ms, available_on_ms, created_at_ms) VALUES ('{}', '{}', 'usd', '{kind}', {minor}, {minor}, 0, 'charge', \
             'ch_kept', {now_ms}, {available_ms}, {now_ms})",
            creator(0),
            account(0)
        );
        world.database.execute(&entry).await;
    }
    let asked = asked(&world, RequestKind::Adjustment, adjustment("debt_writeoff", 1_000, None)).await;
    let refused = world.yes(&asked, &person("bob", 1001)).await.unwrap_err();
    assert!(refused.contains("owes 0.00 USD now"), "{refused}");
}

#[tokio::test]
async fn an_adjustment_whose_transfer_the_account_converts_counts_when_that_is_recorded() {
    let world = World::with(&[5_000]).await;
    let given = asked(&world, RequestKind::Adjustment, adjustment("adjustment", 700, Some("tr_1"))).await;
    assert_eq!(world.yes(&given, &person("bob", 1001)).await, Ok(RequestState::Applied));
    let recorded = "INSERT INTO transfers (transfer_id, account_id, amount_minor, currency, created_ms) VALUES ('tr_1', '{}', 640, 'eur', 1)";
    let bank = "INSERT INTO account_banks (account_id, currency, destination_id, status) VALUES ('{}', 'eur', 'ba_eur', 'new')";
    for (then, mature, why) in [
        ("SELECT 1", 5_000, "it isn't recorded"),
        (recorded, 5_700, "Stripe converts it: there is no bank account for it"),
        (bank, 5_000, "it lies there in its own currency"),
    ] {
        world.database.execute(&then.replace("{}", &account(0))).await;
        let (context, at_ms) = (world.store.plan_context().await.unwrap(), world.clock.now_ms() + 1_000);
        let page = world.store.preview_page(at_ms, at_ms, None, "", 10, &context).await.unwrap();
        assert_eq!(page.purses.iter().map(|purse| purse.mature_minor).collect::<Vec<_>>(), [mature], "{why}");
    }
}
