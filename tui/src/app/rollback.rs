//! Taking a run back from the console: the daemon's preview with its hash, then a word, a reason, and `y`.
//!
//! Invariants: only what was shown is confirmed, by its hash; a run that still sends isn't taken back from here; an answer that never
//! came is told as such.
use super::{
    App, Failure, FailureKind, Request, Weight,
    dialog::{Deed, Dialog, Target, remember},
    form::{Form, Pressed},
    key::Key,
};
use payout_proto::v1;
use payout_shared::run::RunState;

/// Rows of a preview that are kept to be shown; the sums are of all.
pub const ROWS_MAX: usize = 20;
/// As the daemon wants it.
const REASON_CHARS_MIN: usize = 10;

/// What a rollback would do, as the daemon told it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preview {
    /// The first rows.
    pub rows: Vec<v1::RollbackLine>,
    /// How many rows there are.
    pub count: usize,
    pub total: v1::RollbackTotal,
}

/// What is known of the preview.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// The daemon works it out.
    Asked,
    Here(Box<Preview>),
    /// It couldn't be had.
    Failed(String),
}

/// The dialog.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollback {
    pub target: Target,
    pub shown: Shown,
    pub form: Form,
    ticket: u64,
}

/// Why the run on screen can't be taken back from here.
#[must_use]
pub fn disabled(app: &App) -> Option<String> {
    let Some(run) = app.live.run.as_ref() else { return Some("there is no run".to_owned()) };
    let stands_still = app.live.daemon.paused && !app.live.daemon.pausing;
    match RunState::parse(&run.state) {
        Some(RunState::Aborted | RunState::Missed) => Some(format!("run {} is over: {}", run.label, run.state)),
        Some(
            RunState::Planning | RunState::Planned | RunState::AwaitingApproval | RunState::Running | RunState::Pausing,
        ) if !stands_still => {
            Some(format!("run {} still moves, and what is shown must stay true: pause it first, p y", run.label))
        }
        None => Some(format!("run {} is in a state that this console doesn't know: {}", run.label, run.state)),
        Some(_) => None,
    }
}

/// Opens the dialog, and asks for the preview.
pub fn open(app: &mut App) -> Vec<Request> {
    let Some(run) = app.live.run.as_ref() else { return Vec::new() };
    let target = Target { run_id: run.id.clone(), label: run.label.clone() };
    let ticket = app.next_ticket();
    let request = Request::PreviewRollback { ticket, run: target.run_id.clone() };
    let form = Form::new("", app.now.mono_ms);
    app.dialog = Some(Dialog::Rollback(Box::new(Rollback { target, shown: Shown::Asked, form, ticket })));
    vec![request]
}

/// The preview came, or didn't.
pub fn arrived(app: &mut App, ticket: u64, answer: Result<Preview, Failure>) {
    let now_mono_ms = app.now.mono_ms;
    let Some(Dialog::Rollback(open)) = app.dialog.as_mut() else { return };
    if open.ticket != ticket || open.shown != Shown::Asked {
        return;
    }
    match answer {
        Ok(preview) => {
            // What is in front has changed: keys that were meant for what was there before are dropped again.
            open.form = Form::new(&format!("ROLLBACK {}", preview.total.to_do), now_mono_ms);
            open.shown = Shown::Here(Box::new(preview));
        }
        Err(failure) => open.shown = Shown::Failed(failure.message),
    }
}

/// A key while the dialog is open.
pub fn press(app: &mut App, key: Key, mut open: Box<Rollback>) -> Vec<Request> {
    let waits = !matches!(&open.shown, Shown::Here(preview) if preview.total.to_do > 0);
    if waits {
        // Nothing can be typed yet, or at all.
        if key == Key::Esc {
            app.tell(Weight::Note, "nothing was taken back");
        } else {
            app.dialog = Some(Dialog::Rollback(open));
        }
        return Vec::new();
    }
    match open.form.press(key, app.now.mono_ms) {
        Pressed::Left => {
            app.tell(Weight::Note, "nothing was taken back");
            return Vec::new();
        }
        Pressed::Yes => match blocked(app, &open) {
            Some(why) => app.tell(Weight::Warning, format!("not taken back: {why}")),
            None => {
                let Shown::Here(preview) = &open.shown else { return Vec::new() };
                let (run, hash, reason) = (open.target.run_id.clone(), preview.total.hash.clone(), open.form.reason());
                let ticket = remember(app, Deed::Rollback, &open.target, &reason);
                return vec![Request::ConfirmRollback { ticket, run, hash, reason }];
            }
        },
        Pressed::Nothing => {}
    }
    app.dialog = Some(Dialog::Rollback(open));
    Vec::new()
}

/// Why `y` doesn't take back yet.
#[must_use]
pub fn blocked(app: &App, open: &Rollback) -> Option<String> {
    if app.is_stale() {
        return Some("the data is older than 3 s".to_owned());
    }
    if let Some(why) = app.live.run.as_ref().filter(|run| run.id == open.target.run_id).and_then(|_| disabled(app)) {
        return Some(why);
    }
    open.form.missing(REASON_CHARS_MIN)
}

/// What the daemon said to the confirmation.
pub fn confirmed(app: &mut App, target: &Target, reply: &v1::ConfirmRollbackReply) {
    let taken = format!("rollback of {} accepted (#{}): {} to do", target.label, reply.seq, reply.to_do);
    if reply.to_approve > 0 {
        app.tell(Weight::Warning, format!("{taken}, {} wait for a second yes", reply.to_approve));
    } else {
        app.tell(Weight::Note, taken);
    }
}

/// The confirmation came to nothing, or nobody knows.
pub fn undelivered(app: &mut App, failure: &Failure) {
    let certain = match failure.kind {
        FailureKind::NoAnswer => "NO ANSWER, it may or may not be taken back: B shows what is left",
        FailureKind::NotSent | FailureKind::Refused | FailureKind::NotPermitted => "NOT TAKEN BACK",
    };
    app.tell(Weight::Trouble, format!("{certain}: {}", failure.message));
}
