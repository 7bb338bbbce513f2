//! The list of payouts: one window of rows as the daemon filtered, sorted and paged them, and a cursor that is an id.
//!
//! Invariant: when the row under the cursor leaves the list, the cursor is on nothing until a key moves it.
use super::{App, Failure, FailureKind, Fetch, Request, Screen, Weight, filter::Filter, filter::Sort};
use payout_proto::v1;

/// Rows of the screen that aren't rows of the list: header, notice, title, columns, clock, hints.
pub const CHROME_ROWS: u16 = 6;
/// Rows of a window: a few screens.
const WINDOW_ROWS: std::ops::RangeInclusive<i64> = 60..=300;

/// Where the cursor is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The payout under it.
    pub id: Option<String>,
    /// Where that row was last seen in the window.
    pub at: usize,
    /// The payout that was under it and has left the list.
    pub gone: Option<String>,
}

/// Where the cursor goes when the next window arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Land {
    #[default]
    Stay,
    First,
    Last,
}

/// The payouts screen.
#[derive(Clone, Debug, Default)]
pub struct Payouts {
    /// Id and label of the run that is listed; `None` = all runs.
    pub run: Option<(String, String)>,
    pub filter: Filter,
    pub failures_only: bool,
    pub sort: Sort,
    pub ascending: bool,
    pub rows: Vec<v1::PayoutRow>,
    pub total: i64,
    pub cursor: Cursor,
    /// The first row of the window on the screen.
    pub top: usize,
    pub fetch: Fetch,
    /// When the rows were true, on our monotonic clock.
    pub as_of_mono_ms: Option<i64>,
    pub error: Option<String>,
    /// Windows before this one: the cursor each starts at, and its rows.
    before: Vec<(String, usize)>,
    start: String,
    next: String,
    land: Land,
}

impl Payouts {
    /// Number of the window's first row in the whole list, from 0.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.before.iter().map(|(_, rows)| rows).sum()
    }

    /// The payout under the cursor, when it is in the list.
    #[must_use]
    pub fn under_cursor(&self) -> Option<&v1::PayoutRow> {
        let id = self.cursor.id.as_ref()?;
        self.rows.iter().find(|row| row.id == *id)
    }

    /// Begin again at the first row of a changed list.
    fn restart(&mut self) {
        self.before.clear();
        self.start.clear();
        self.next.clear();
        self.rows.clear();
        self.total = 0;
        self.top = 0;
        self.cursor = Cursor::default();
        self.as_of_mono_ms = None;
        self.land = Land::First;
        // An answer on its way is to the old question.
        self.fetch = Fetch { wanted: true, ..Fetch::default() };
    }

    fn place(&mut self, at: usize, height: usize) {
        if let Some(row) = self.rows.get(at) {
            self.cursor = Cursor { id: Some(row.id.clone()), at, gone: None };
        }
        self.scroll(height);
    }

    fn scroll(&mut self, height: usize) {
        let at = self.cursor.at.min(self.rows.len().saturating_sub(1));
        self.top = self.top.clamp(at.saturating_sub(height.saturating_sub(1)), at);
        self.top = self.top.min(self.rows.len().saturating_sub(height));
    }
}

/// Rows of the list that fit on the screen.
#[must_use]
pub fn height(app: &App) -> usize {
    usize::from(app.size.1.saturating_sub(CHROME_ROWS)).max(1)
}

/// Shows the payouts of the run on the live screen; a filter that differs begins a new list.
pub fn open(app: &mut App, filter: Option<Filter>) -> Vec<Request> {
    let run = app.live.run.as_ref().map(|run| (run.id.clone(), run.label.clone()));
    let list = &mut app.payouts;
    let changed = run != list.run || filter.as_ref().is_some_and(|f| *f != list.filter);
    if let Some(filter) = filter {
        list.failures_only &= filter.states.is_empty();
        list.filter = filter;
    }
    if changed || list.as_of_mono_ms.is_none() {
        list.run = run;
        list.restart();
    }
    app.go(Screen::Payouts);
    refresh(app)
}

/// Uses another filter on the list.
pub fn set_filter(app: &mut App, filter: Filter) -> Vec<Request> {
    app.payouts.failures_only &= filter.states.is_empty();
    app.payouts.filter = filter;
    app.payouts.restart();
    refresh(app)
}

/// Failures only, or all.
pub fn toggle_failures(app: &mut App) -> Vec<Request> {
    app.payouts.failures_only = !app.payouts.failures_only;
    app.payouts.restart();
    refresh(app)
}

/// Sorts by the next thing.
pub fn sort(app: &mut App) -> Vec<Request> {
    app.payouts.sort = app.payouts.sort.next();
    app.payouts.restart();
    refresh(app)
}

/// Turns the order round.
pub fn reverse(app: &mut App) -> Vec<Request> {
    app.payouts.ascending = !app.payouts.ascending;
    app.payouts.restart();
    refresh(app)
}

/// Moves the cursor by rows, over the window's edge too.
pub fn step(app: &mut App, by: isize) -> Vec<Request> {
    let height = height(app);
    let list = &mut app.payouts;
    if list.rows.is_empty() {
        return Vec::new();
    }
    // After its row left, the first key only puts the cursor on the row that took its place.
    if list.cursor.gone.is_some() {
        let at = list.cursor.at.min(list.rows.len() - 1);
        list.place(at, height);
        return Vec::new();
    }
    let last = list.rows.len() - 1;
    let wanted = list.cursor.at.saturating_add_signed(by);
    if by > 0 && list.cursor.at == last && !list.next.is_empty() {
        return turn_page(app, true);
    }
    if by < 0 && list.cursor.at == 0 && !list.before.is_empty() {
        return turn_page(app, false);
    }
    list.place(wanted.min(last), height);
    Vec::new()
}

/// To the first row of the list, or the last row of the window.
pub fn jump(app: &mut App, to_end: bool) -> Vec<Request> {
    let height = height(app);
    let list = &mut app.payouts;
    if to_end {
        let last = list.rows.len().saturating_sub(1);
        list.place(last, height);
        return Vec::new();
    }
    if list.before.is_empty() {
        list.place(0, height);
        return Vec::new();
    }
    list.restart();
    refresh(app)
}

fn turn_page(app: &mut App, forward: bool) -> Vec<Request> {
    let list = &mut app.payouts;
    if list.land != Land::Stay {
        return Vec::new();
    }
    if forward {
        let start = std::mem::take(&mut list.next);
        list.before.push((std::mem::replace(&mut list.start, start), list.rows.len()));
        list.land = Land::First;
    } else if let Some((start, _)) = list.before.pop() {
        list.start = start;
        list.land = Land::Last;
    }
    list.fetch = Fetch { wanted: true, ..Fetch::default() };
    refresh(app)
}

/// Asks for the window when it is due.
pub fn refresh(app: &mut App) -> Vec<Request> {
    let version = app.live.pages_version;
    if app.screen != Screen::Payouts || !app.live.known || !app.payouts.fetch.is_due(app.now, version) {
        return Vec::new();
    }
    let rows = i64::try_from(height(app)).unwrap_or(60).saturating_mul(3);
    let ticket = app.next_ticket();
    let list = &mut app.payouts;
    let mut query = v1::ListPayoutsRequest {
        run: list.run.as_ref().map(|(id, _)| id.clone()).unwrap_or_default(),
        sort: list.sort.as_str().to_owned(),
        ascending: list.ascending,
        limit: rows.clamp(*WINDOW_ROWS.start(), *WINDOW_ROWS.end()),
        cursor: list.start.clone(),
        ..v1::ListPayoutsRequest::default()
    };
    list.filter.fill(&mut query, list.failures_only);
    list.fetch.ask(ticket, app.now, version);
    vec![Request::ListPayouts { ticket, query: Box::new(query) }]
}

/// A window arrived, or didn't.
pub fn arrived(app: &mut App, ticket: u64, answer: Result<v1::ListPayoutsReply, Failure>) {
    if !app.payouts.fetch.is(ticket) {
        return;
    }
    let height = height(app);
    let list = &mut app.payouts;
    list.fetch.in_flight = None;
    match answer {
        Err(failure) => {
            // A question that the daemon refuses isn't asked again by itself.
            list.fetch.wanted = matches!(failure.kind, FailureKind::NotSent | FailureKind::NoAnswer);
            list.error = Some(failure.message);
        }
        Ok(reply) => {
            list.error = None;
            list.rows = reply.rows;
            list.next = reply.next_cursor;
            list.total = reply.total;
            list.as_of_mono_ms = list.fetch.at_mono_ms;
            let land = std::mem::take(&mut list.land);
            match land {
                Land::First => list.place(0, height),
                Land::Last => list.place(list.rows.len().saturating_sub(1), height),
                Land::Stay => keep_cursor(app),
            }
        }
    }
}

/// Finds the cursor's payout in the new rows, wherever it went.
fn keep_cursor(app: &mut App) {
    let height = height(app);
    let list = &mut app.payouts;
    let sought = list.cursor.id.clone().or_else(|| list.cursor.gone.clone());
    let Some(id) = sought else {
        list.place(0, height);
        return;
    };
    if let Some(at) = list.rows.iter().position(|row| row.id == id) {
        list.place(at, height);
    } else {
        let is_news = list.cursor.gone.is_none();
        list.cursor = Cursor { id: None, at: list.cursor.at, gone: Some(id.clone()) };
        list.scroll(height);
        if is_news {
            let id = crate::text::id(&id, 18);
            app.tell(
                Weight::Warning,
                format!("{} left this list; j or k puts the cursor on a row again", id.trim_end()),
            );
        }
    }
}

/// The screen has another height.
pub fn resize(app: &mut App) -> Vec<Request> {
    let height = height(app);
    app.payouts.scroll(height);
    Vec::new()
}
