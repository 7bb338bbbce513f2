//! Cohorts over the control socket: one opens after another when the gate lets it, and one call takes it back.
use crate::room::{Room, ms, somebody};
use payout_proto::v1::{self, control_client::ControlClient};
use payout_shared::{
    currency::Currency,
    id::{AccountId, CreatorId},
    roles::{Role, RoleGroups},
};
use payoutd::{
    doors::control::{Lookup, Person},
    store::door_types::{AccountRead, BankRead, EarningRow},
};
use tonic::{Code, Status, transport::Channel};

const NOW: &str = "2026-12-01T06:00:00Z";

fn usd() -> Currency {
    Currency::parse("usd").unwrap()
}

/// Creators c00 to c29 of three countries, who earned 10.00 USD and more.
async fn fill(room: &Room) {
    let rows: Vec<EarningRow> = (0..30)
        .map(|n| EarningRow {
            line: 2,
            creator: CreatorId::new(format!("c{n:02}")),
            account: AccountId::new(format!("acct_{n:02}")),
            country: ["US", "DE", "JP"][n % 3].to_owned(),
            currency: usd(),
            gross_minor: 1_000 + i64::try_from(n).unwrap() * 100,
            fee_minor: 0,
            earned_at_ms: ms("2026-11-01T00:00:00Z"),
            available_on_ms: ms("2026-11-05T00:00:00Z"),
            source_id: format!("ch_{n}"),
        })
        .collect();
    room.store().import_earnings(&rows, "test.csv", &somebody(), |_| ()).await.unwrap();
    let fence = room.store().lease_acquire("test", 600_000, true).await.unwrap().unwrap().0;
    let reads: Vec<AccountRead> = rows
        .iter()
        .map(|row| AccountRead {
            account: row.account.clone(),
            read_at_ms: ms(NOW),
            country: None,
            payouts_enabled: true,
            charges_enabled: true,
            details_submitted: true,
            disabled_reason: None,
            schedule_interval: Some("manual".to_owned()),
            banks: vec![BankRead {
                currency: usd(),
                destination: "ba_1".into(),
                status: "new".to_owned(),
                country: None,
                bank_name: None,
            }],
        })
        .collect();
    room.store().record_accounts(fence, &reads).await.unwrap();
}

/// Payouts of creators c00 on, in these states, as if a run of this moment had made them.
async fn went(room: &Room, prefix: &str, states: &[&str]) {
    let mut sql = String::from(
        "INSERT OR IGNORE INTO payout_runs (id, cycle_date, number, kind, state, cutoff_ms, instant_ms, requested_by, created_at_ms) \
         VALUES ('run_1', '2026-12-01', 2, 'manual', 'completed', 0, 0, 'x', 0);",
    );
    for (n, state) in states.iter().enumerate() {
        let now = room.clock.now_ms();
        sql += &format!(
            "INSERT INTO creator_payouts (id, run_id, number, creator_id, account_id, currency, amount_minor, destination_id, state, \
             created_at_ms, changed_at_ms) VALUES ('{prefix}{n}', 'run_1', (SELECT COUNT(*) + 1 FROM creator_payouts), 'c{n:02}', \
             'acct_{n:02}', 'usd', 1000, 'ba_1', '{state}', {now}, {now});"
        );
    }
    room.sql(&sql).await;
}

struct Rollout {
    room: Room,
    client: ControlClient<Channel>,
}

impl Rollout {
    async fn new() -> Self {
        Self::of(Room::at(NOW).await).await
    }

    async fn of(room: Room) -> Self {
        fill(&room).await;
        let client = room.client().await;
        Self { room, client }
    }

    async fn create(&mut self, name: &str, creators: &[&str], percent_bp: i64) -> v1::CreateCohortReply {
        let creator_ids = creators.iter().map(|creator| (*creator).to_owned()).collect();
        let request = v1::CreateCohortRequest {
            name: name.to_owned(),
            reason: "rollout".to_owned(),
            creator_ids,
            percent_bp,
            ..v1::CreateCohortRequest::default()
        };
        self.client.create_cohort(request).await.unwrap().into_inner()
    }

    async fn open(&mut self, name: &str, is_overridden: bool) -> Result<v1::OpenCohortReply, Status> {
        let request =
            v1::OpenCohortRequest { name: name.to_owned(), reason: "go".to_owned(), r#override: is_overridden };
        self.client.open_cohort(request).await.map(tonic::Response::into_inner)
    }

    async fn close(&mut self, name: &str) -> Result<v1::CloseCohortReply, Status> {
        let request = v1::CloseCohortRequest { name: name.to_owned(), reason: "back".to_owned() };
        self.client.close_cohort(request).await.map(tonic::Response::into_inner)
    }

    async fn add(&mut self, name: &str, creators: &[&str], is_overridden: bool) -> Result<i64, Status> {
        let request = v1::ChangeMembersRequest {
            name: name.to_owned(),
            reason: "more".to_owned(),
            creator_ids: creators.iter().map(|creator| (*creator).to_owned()).collect(),
            r#override: is_overridden,
            ..v1::ChangeMembersRequest::default()
        };
        Ok(self.client.change_members(request).await?.into_inner().changed)
    }

    /// How many creators would be paid.
    async fn paid(&mut self) -> usize {
        let request = v1::ListCreatorsRequest { limit: 100, ..v1::ListCreatorsRequest::default() };
        let page = self.client.list_creators(request).await.unwrap().into_inner();
        page.lines.iter().filter(|line| line.outcome == "payout").count()
    }
}

const BETA: [&str; 10] = ["c00", "c01", "c02", "c03", "c04", "c05", "c06", "c07", "c08", "c09"];

#[tokio::test]
async fn a_rollout_goes_on_when_the_gate_is_passed_and_back_by_one_call() {
    let mut it = Rollout::new().await;
    assert_eq!(it.paid().await, 30);
    assert!(it.create("beta", &BETA, 0).await.first);
    assert!(!it.create("all", &[], 10_000).await.first);
    assert_eq!(it.paid().await, 0, "a cohort exists, none is open");
    assert!(it.open("beta", false).await.unwrap().judged.is_empty(), "the first has nothing before it");
    assert_eq!(it.paid().await, 10);
    let status = it.client.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner().daemon.unwrap();
    assert_eq!((status.cohorts_open, status.cohorts), (1, 2));

    let head = it.room.store().journal_head().await.unwrap();
    let early = it.open("all", false).await.unwrap_err();
    assert_eq!(early.code(), Code::FailedPrecondition);
    assert_eq!(
        early.message(),
        "the gate of cohort beta is not passed: 0 of 0 payouts paid, and at least 10 payouts with an outcome are needed; \
         all was not opened (an admin may with --override)"
    );
    went(&it.room, "a", &["in_transit"]).await;
    went(&it.room, "b", &["paid"; 9]).await;
    assert!(it.open("all", false).await.unwrap_err().message().contains("1 on their way without an outcome yet"));
    it.room.sql("UPDATE creator_payouts SET state = 'failed' WHERE id = 'a0'").await;
    let failing = it.open("all", false).await.unwrap_err();
    assert!(failing.message().contains("9 of 10 payouts paid = 90.00 %"), "{}", failing.message());
    assert_eq!(it.room.store().journal_head().await.unwrap(), head, "what is refused changes nothing");

    it.room.sql("UPDATE creator_payouts SET state = 'settled' WHERE id = 'a0'").await;
    let judged = it.client.judge_cohort(v1::JudgeCohortRequest { name: "beta".to_owned() }).await.unwrap().into_inner();
    assert!(judged.passed && judged.success_bp == 10_000 && judged.amounts[0].paid_minor == 10_000, "{judged:?}");
    let opened = it.open("all", false).await.unwrap();
    assert_eq!((opened.judged.len(), opened.judged[0].paid), (1, 10));
    assert_eq!(it.open("all", false).await.unwrap_err().code(), Code::AlreadyExists);
    assert!(it.paid().await > 10);
    it.close("all").await.unwrap();
    assert_eq!(it.close("all").await.unwrap_err().code(), Code::AlreadyExists);
    let row = it.room.store().journal_after(0, 999).await.unwrap().into_iter().rfind(|row| row.action == "cohort.open");
    let detail: serde_json::Value = serde_json::from_str(&row.unwrap().detail).unwrap();
    assert_eq!(
        (detail["gate"]["judged"][0]["paid"].as_i64(), detail["gate"]["overridden"].as_bool()),
        (Some(10), Some(false))
    );
}

/// Closing what went badly must not be the way around the gate, nor filling a cohort that is open.
#[tokio::test]
async fn the_gate_has_no_way_around() {
    let mut it = Rollout::new().await;
    it.create("beta", &BETA[..9], 0).await;
    it.create("all", &[], 10_000).await;
    assert_eq!(it.add("beta", &["c09"], false).await.unwrap(), 1, "it was never open: anybody may be added");
    it.open("beta", false).await.unwrap();
    went(&it.room, "a", &["failed"; 10]).await;
    let refused = it.add("beta", &["c10"], false).await.unwrap_err();
    assert!(
        refused.message().contains("0 of 10 payouts paid") && refused.message().contains("nobody was added"),
        "{refused}"
    );
    it.close("beta").await.unwrap();
    assert!(it.add("beta", &["c10"], false).await.unwrap_err().message().contains("0 of 10 payouts paid"));
    let around = it.open("all", false).await.unwrap_err();
    assert!(
        around.message().contains("the gate of cohort beta is not passed: 0 of 10 payouts paid"),
        "{}",
        around.message()
    );
    it.room.hand.advance(1_000);
    it.open("beta", false).await.unwrap();
    assert_eq!(it.paid().await, 10, "the same creators again, as before");
    assert_eq!(it.add("beta", &["c10"], true).await.unwrap(), 1, "an admin may");
    it.open("all", true).await.unwrap();
    let rows = it.room.store().journal_after(0, 999).await.unwrap();
    let overridden = rows.iter().filter(|row| row.detail.contains("\"overridden\":true")).count();
    assert_eq!(overridden, 2);
}

#[tokio::test]
async fn an_override_is_an_admins() {
    let groups = RoleGroups::new([(Role::Operator, "ops".to_owned()), (Role::Admin, "adm".to_owned())].into());
    let lookup = Lookup::by(|_, _| {
        Ok(Person { uid: 3_999_999_999, name: Some("oncall".to_owned()), groups: vec!["ops".to_owned()] })
    });
    let mut it = Rollout::of(Room { roles: Some((groups, lookup)), ..Room::at(NOW).await }).await;
    it.create("beta", &BETA, 0).await;
    it.create("all", &[], 10_000).await;
    it.open("beta", false).await.unwrap();
    for refused in [it.open("all", true).await.unwrap_err(), it.add("beta", &["c10"], true).await.unwrap_err()] {
        assert_eq!(refused.code(), Code::PermissionDenied);
        assert_eq!(
            refused.message(),
            "oncall(3999999999) is operator; to open a cohort past its gate the role admin is needed (group adm gives admin)"
        );
    }
    assert_eq!(it.paid().await, 10);
}

#[tokio::test]
async fn a_sample_is_a_mix_and_becomes_a_cohort_as_it_was_shown() {
    let mut it = Rollout::new().await;
    let head = it.room.store().journal_head().await.unwrap();
    let ask = v1::SampleCohortRequest { name: "beta".to_owned(), size: 12 };
    let sample = it.client.sample_cohort(ask.clone()).await.unwrap().into_inner();
    assert_eq!((sample.picks.len(), sample.of), (12, 30));
    for country in ["US", "DE", "JP"] {
        assert_eq!(sample.picks.iter().filter(|pick| pick.country == country).count(), 4, "{country}");
    }
    for quarter in 1..=4 {
        assert_eq!(sample.picks.iter().filter(|pick| pick.quarter == quarter).count(), 3, "quarter {quarter}");
    }
    assert_eq!(it.room.store().journal_head().await.unwrap(), head);
    let ids: Vec<&str> = sample.picks.iter().map(|pick| pick.creator_id.as_str()).collect();
    it.create("beta", &ids, 0).await;
    assert_eq!(it.client.sample_cohort(ask).await.unwrap().into_inner(), sample, "the same again");
    let other = v1::SampleCohortRequest { name: "second".to_owned(), size: 30 };
    assert_eq!(
        it.client.sample_cohort(other).await.unwrap().into_inner().picks.len(),
        18,
        "who is on a list isn't picked again"
    );
    let show = v1::ShowCohortRequest { name: "beta".to_owned(), limit: 10, cursor: String::new() };
    let first = it.client.show_cohort(show.clone()).await.unwrap().into_inner();
    let rest = v1::ShowCohortRequest { cursor: first.next_cursor.clone(), ..show };
    let rest = it.client.show_cohort(rest).await.unwrap().into_inner();
    assert_eq!((first.creator_ids.len(), rest.creator_ids.len(), rest.next_cursor.as_str()), (10, 2, ""));
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_what_is_needed() {
    let mut it = Rollout::new().await;
    let create = |name: &str, creators: &[&str], tag: &str, percent_bp| v1::CreateCohortRequest {
        name: name.to_owned(),
        reason: "x".to_owned(),
        creator_ids: creators.iter().map(|creator| (*creator).to_owned()).collect(),
        tag: tag.to_owned(),
        percent_bp,
    };
    for (request, said) in [
        (create("Beta", &["c00"], "", 0), "is no name of a cohort"),
        (create("beta", &[], "", 0), "one of them is needed"),
        (create("beta", &["c00"], "x", 0), "one of them is needed"),
        (create("beta", &[], "x", 5), "one of them is needed"),
        (create("beta", &[], "A tag", 0), "is no tag"),
        (create("beta", &[], "", 10_001), "at most 100"),
        (create("beta", &["c00", " "], "", 0), "a creator's id is empty"),
        (v1::CreateCohortRequest { reason: String::new(), ..create("beta", &["c00"], "", 0) }, "a reason is needed"),
    ] {
        let refused = it.client.create_cohort(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().contains(said), "{}", refused.message());
    }
    let many = vec!["c00"; 50_001];
    let refused = it.client.create_cohort(create("beta", &many, "", 0)).await.unwrap_err();
    assert!(refused.message().starts_with("50001 creators are named, at most 50000"), "{}", refused.message());
    assert_eq!(it.open("nobody", false).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(it.paid().await, 30);
}

#[tokio::test]
async fn a_tag_is_given_once_and_shown_with_the_creator() {
    let mut it = Rollout::new().await;
    let tag = |remove| v1::TagCreatorRequest {
        creator_id: "c07".to_owned(),
        tag: "friend".to_owned(),
        reason: "asked".to_owned(),
        remove,
    };
    it.client.tag_creator(tag(false)).await.unwrap();
    let again = it.client.tag_creator(tag(false)).await.unwrap_err();
    assert_eq!((again.code(), again.message()), (Code::AlreadyExists, "c07 has the tag friend already"));
    let request = v1::CreateCohortRequest {
        name: "friends".to_owned(),
        tag: "friend".to_owned(),
        reason: "x".to_owned(),
        ..Default::default()
    };
    let made = it.client.create_cohort(request).await.unwrap().into_inner().cohort.unwrap();
    assert_eq!((made.kind.as_str(), made.members), ("tag", 1));
    let show = v1::ShowCreatorRequest { creator_id: "c07".to_owned() };
    let shown = it.client.show_creator(show.clone()).await.unwrap().into_inner();
    assert_eq!((shown.tags.join(","), shown.cohort.as_str()), ("friend".to_owned(), ""));
    assert!(shown.cohort_why_out.contains("when cohort friends is opened"), "{}", shown.cohort_why_out);
    it.open("friends", false).await.unwrap();
    let shown = it.client.show_creator(show).await.unwrap().into_inner();
    assert_eq!((shown.cohort.as_str(), shown.cohort_why_out.as_str()), ("friends", ""));
    it.client.tag_creator(tag(true)).await.unwrap();
    assert_eq!(it.client.tag_creator(tag(true)).await.unwrap_err().message(), "c07 doesn't have the tag friend");
}
