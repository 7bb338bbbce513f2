//! A daemon without its engine: a store in a directory of its own, the doors, and a hand on the clock.
use hyper_util::rt::TokioIo;
use payout_proto::v1::control_client::ControlClient;
use payout_shared::{
    calendar::CycleRules,
    id::Mode,
    policy::{PolicyName, PolicyValue, Source},
    roles::RoleGroups,
};
use payoutd::{
    clock::{Clock, ManualClock},
    desk::{Desk, Settings},
    doors::control::{self, ControlDoor, Lookup},
    health::Health,
    logging::RecentLog,
    store::{
        Store,
        types::{By, Ids},
    },
    stripe::{
        Stripe,
        limits::{Limits, Rates},
    },
    tell::{figures::Figures, watch::Watch},
    wake::{Changed, Wake},
};
use std::{path::PathBuf, sync::Arc};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint, Uri};

pub(crate) struct Room {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: Clock,
    pub(crate) hand: ManualClock,
    pub(crate) desk: Arc<Desk>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) wake: Wake,
    pub(crate) changed: Changed,
    pub(crate) stop: CancellationToken,
    /// Roles, and who the peer is taken for; `None` = roles aren't in use.
    pub(crate) roles: Option<(RoleGroups, Lookup)>,
    /// What the control door looks at; `None` = no key is configured.
    pub(crate) stripe: Option<Arc<dyn Stripe>>,
}

/// Unix milliseconds of a moment.
pub(crate) fn ms(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// Sets policies, as the configuration would.
pub(crate) async fn policies(store: &Store, values: &[(&str, &str)]) {
    let said = values.iter().map(|(name, value)| {
        let name = PolicyName::parse(name).unwrap();
        (name, (PolicyValue::parse(name, value).unwrap(), Source::Environment))
    });
    store.configure_policies(&said.collect()).await.unwrap();
}

impl Room {
    /// It is `now`, and a cron secret is configured.
    pub(crate) async fn at(now: &str) -> Self {
        Self::with(now, true).await
    }

    pub(crate) async fn with(now: &str, may_arm: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(ms(now));
        let url = format!("sqlite://{}", dir.path().join("books.sqlite").display());
        let store = Store::open(&url, Mode::Test, clock.clone(), Ids::seeded(7)).await.unwrap();
        policies(&store, &[("minimum.usd", "10.00"), ("bank_changed_days", "0")]).await;
        let desk = Arc::new(Desk {
            store,
            clock: clock.clone(),
            health: Health::default(),
            figures: Figures::new(clock.clone()),
            limits: Limits::new(Rates::default(), clock.clone()),
            settings: Settings {
                hostname: "here".to_owned(),
                rules: CycleRules::new("Europe/Berlin", jiff::civil::time(6, 0, 0, 0)).unwrap(),
                may_arm,
                create_milli_per_s: 14_500,
                plan_page: 2,
            },
        });
        let (changed, stop) = (Changed::default(), CancellationToken::new());
        let recent = RecentLog::new(clock.clone());
        let watch = Arc::new(Watch::new(Arc::clone(&desk), recent, changed.clone(), stop.clone()));
        Self { dir, clock, hand, desk, watch, wake: Wake::default(), changed, stop, roles: None, stripe: None }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.desk.store
    }

    /// Runs statements past the store, as an engine would have left things.
    pub(crate) async fn sql(&self, text: &str) {
        use sqlx::{Connection as _, Executor as _};
        let url = format!("sqlite://{}", self.dir.path().join("books.sqlite").display());
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned()))).await.unwrap();
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("control.sock")
    }

    /// Opens the control door and gives a client of it.
    pub(crate) async fn client(&self) -> ControlClient<Channel> {
        ControlClient::new(self.channel().await)
    }

    pub(crate) async fn channel(&self) -> Channel {
        let path = self.socket();
        if !path.exists() {
            let door = ControlDoor::new(
                Arc::clone(&self.desk),
                Arc::clone(&self.watch),
                self.wake.clone(),
                self.changed.clone(),
                self.stop.clone(),
            )
            .with_stripe(self.stripe.clone());
            let door = match self.roles.clone() {
                Some((groups, lookup)) => door.with_roles(groups, lookup),
                None => door,
            };
            tokio::spawn(control::serve(door, control::bind(&path).unwrap()));
            let watch = Arc::clone(&self.watch);
            tokio::spawn(async move { watch.run().await });
        }
        let connector = tower::service_fn(move |_: Uri| {
            let path = path.clone();
            async move { UnixStream::connect(path).await.map(TokioIo::new) }
        });
        Endpoint::from_static("http://payoutd").connect_with_connector(connector).await.unwrap()
    }
}

pub(crate) fn somebody() -> By {
    By::Person { name: "test".to_owned(), uid: 1 }
}
