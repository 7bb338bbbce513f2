//! What stands in front of an action on money: pause (safe, two keys, always tried), resume and rollback (dangerous, typed, only on fresh
//! data).
//!
//! Invariants: Enter never confirms; the key that confirms isn't the key that opened; "paused" is only what the daemon said.
use super::{
    App, Failure, FailureKind, Reply, Request, Weight,
    form::{Form, Pressed},
    input::Input,
    key::Key,
    rollback::{self, Rollback},
    standing,
};
use payout_proto::v1;

/// What is to be paused or resumed: a run, or everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Empty = everything.
    pub run_id: String,
    pub label: String,
}

impl Target {
    /// For sentences.
    #[must_use]
    pub fn name(&self) -> String {
        if self.run_id.is_empty() { "everything".to_owned() } else { format!("run {}", self.label) }
    }
}

/// What is in front of the screen.
#[derive(Clone, Debug)]
pub enum Dialog {
    Pause {
        target: Target,
        reason: Input,
        editing: bool,
    },
    Resume {
        target: Target,
        /// Its word is the run's date.
        form: Form,
    },
    Rollback(Box<Rollback>),
    /// The pause couldn't be delivered: what to type into a shell.
    Undelivered {
        why: String,
        command: String,
    },
}

/// What was asked of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Pause,
    Resume,
    Rollback,
}

impl Deed {
    /// For sentences.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Rollback => "rollback",
        }
    }

    /// Without an answer for this long it is reported as such, milliseconds: a little more than the request's own deadline.
    const fn answer_ms(self) -> i64 {
        match self {
            Self::Pause | Self::Resume => 2_500,
            Self::Rollback => 31_000,
        }
    }
}

/// A deed on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub deed: Deed,
    pub target: Target,
    pub reason: String,
    pub ticket: u64,
    pub at_mono_ms: i64,
    /// The daemon's number of it, once it answered.
    pub accepted_seq: Option<i64>,
}

/// Opens the pause dialog. Nothing keeps it from opening.
pub fn open_pause(app: &mut App) -> Vec<Request> {
    let target = app
        .live
        .open_run()
        .map_or_else(Target::default, |run| Target { run_id: run.id.clone(), label: run.label.clone() });
    app.help_open = false;
    app.dialog = Some(Dialog::Pause { target, reason: Input::new(&standing::pause_reason(app)), editing: false });
    Vec::new()
}

/// What `R` would take back, and the word to type for it.
#[must_use]
pub fn resume_target(app: &App) -> Option<(Target, String)> {
    let run = app.live.open_run();
    let word =
        run.map_or_else(|| "EVERYTHING".to_owned(), |run| run.label.split('#').next().unwrap_or(&run.label).to_owned());
    if app.live.daemon.paused || app.live.daemon.pausing {
        return Some((Target::default(), word));
    }
    let run = run.filter(|run| matches!(run.state.as_str(), "paused" | "pausing"))?;
    Some((Target { run_id: run.id.clone(), label: run.label.clone() }, word))
}

/// Opens the resume dialog.
pub fn open_resume(app: &mut App) -> Vec<Request> {
    if let Some((target, word)) = resume_target(app) {
        app.dialog = Some(Dialog::Resume { target, form: Form::new(&word, app.now.mono_ms) });
    }
    Vec::new()
}

/// A key while a dialog is open.
pub fn press(app: &mut App, key: Key) -> Vec<Request> {
    match app.dialog.take() {
        None => Vec::new(),
        Some(Dialog::Pause { target, reason, editing }) => press_pause(app, key, target, reason, editing),
        Some(Dialog::Resume { target, form }) => press_resume(app, key, target, form),
        Some(Dialog::Rollback(open)) => rollback::press(app, key, open),
        Some(dialog @ Dialog::Undelivered { .. }) => {
            match key {
                Key::Char('p') => return open_pause(app),
                Key::Esc | Key::Char('q') => {}
                _ => app.dialog = Some(dialog),
            }
            Vec::new()
        }
    }
}

fn press_pause(app: &mut App, key: Key, target: Target, mut reason: Input, editing: bool) -> Vec<Request> {
    match key {
        Key::Char('y') if !editing => {
            // An empty reason must not stand in a brake's way.
            let typed = reason.text();
            let reason = if typed.trim().is_empty() { standing::pause_reason(app) } else { typed.trim().to_owned() };
            let ticket = remember(app, Deed::Pause, &target, &reason);
            return vec![Request::Pause { ticket, run: target.run_id, reason }];
        }
        Key::Esc | Key::Char('n' | 'q') if !editing => {
            app.tell(Weight::Note, "not paused");
            return Vec::new();
        }
        Key::Tab | Key::BackTab => app.dialog = Some(Dialog::Pause { target, reason, editing: !editing }),
        Key::Enter | Key::Esc if editing => app.dialog = Some(Dialog::Pause { target, reason, editing: false }),
        _ => {
            if editing {
                reason.key(key);
            }
            app.dialog = Some(Dialog::Pause { target, reason, editing });
        }
    }
    Vec::new()
}

fn press_resume(app: &mut App, key: Key, target: Target, mut form: Form) -> Vec<Request> {
    match form.press(key, app.now.mono_ms) {
        Pressed::Left => {
            app.tell(Weight::Note, "not resumed");
            return Vec::new();
        }
        Pressed::Yes => match resume_blocked(app, &form) {
            Some(why) => app.tell(Weight::Warning, format!("not resumed: {why}")),
            None => {
                let reason = form.reason();
                let ticket = remember(app, Deed::Resume, &target, &reason);
                return vec![Request::Resume { ticket, run: target.run_id, reason }];
            }
        },
        Pressed::Nothing => {}
    }
    app.dialog = Some(Dialog::Resume { target, form });
    Vec::new()
}

/// Why `y` doesn't resume yet.
#[must_use]
pub fn resume_blocked(app: &App, form: &Form) -> Option<String> {
    if app.is_stale() {
        return Some("the data is older than 3 s".to_owned());
    }
    if resume_target(app).is_none() {
        return Some("nothing is paused any more".to_owned());
    }
    form.missing(1)
}

/// Text pasted into a dialog's line.
pub fn paste(app: &mut App, text: &str) -> bool {
    match &mut app.dialog {
        Some(Dialog::Pause { reason, editing: true, .. }) => reason.insert(text),
        Some(Dialog::Resume { form, .. }) => return form.paste(text),
        Some(Dialog::Rollback(open)) => return open.form.paste(text),
        Some(Dialog::Pause { .. } | Dialog::Undelivered { .. }) | None => return false,
    }
    true
}

/// A deed leaves: what it is, until the daemon has answered.
pub(super) fn remember(app: &mut App, deed: Deed, target: &Target, reason: &str) -> u64 {
    let ticket = app.next_ticket();
    app.notice = None;
    app.asked = Some(Asked {
        deed,
        target: target.clone(),
        reason: reason.to_owned(),
        ticket,
        at_mono_ms: app.now.mono_ms,
        accepted_seq: None,
    });
    ticket
}

/// The daemon answered, or couldn't be asked.
pub fn answered(app: &mut App, ticket: u64, answer: Result<Reply, Failure>) {
    let Some(asked) = app.asked.clone().filter(|asked| asked.ticket == ticket) else { return };
    match answer {
        // How far it has come is in the header, and changes; this line only says that it was taken.
        Ok(Reply::Paused(v1::PauseReply { state: _, in_flight: _, seq })) => {
            app.asked = Some(Asked { accepted_seq: Some(seq), ..asked.clone() });
            app.tell(Weight::Note, format!("pause of {} accepted (#{seq})", asked.target.name()));
            watch(app);
        }
        Ok(Reply::Resumed(v1::ResumeReply { state, seq })) => {
            app.asked = None;
            app.tell(Weight::Note, format!("resume of {} accepted (#{seq}): {state}", asked.target.name()));
        }
        Ok(Reply::RolledBack(reply)) => {
            app.asked = None;
            rollback::confirmed(app, &asked.target, &reply);
        }
        Ok(Reply::Payouts(_) | Reply::Payout(_) | Reply::Preview(_) | Reply::Failed(_)) => {}
        Err(failure) => undelivered(app, &asked, &failure),
    }
}

fn undelivered(app: &mut App, asked: &Asked, failure: &Failure) {
    app.asked = None;
    match (asked.deed, failure.kind) {
        (Deed::Rollback, _) => rollback::undelivered(app, failure),
        (Deed::Resume, FailureKind::NoAnswer) => {
            app.tell(Weight::Trouble, format!("NO ANSWER, it may or may not be resumed: {}", failure.message));
        }
        (Deed::Resume, FailureKind::Refused | FailureKind::NotPermitted | FailureKind::NotSent) => {
            app.tell(Weight::Trouble, format!("NOT RESUMED: {}", failure.message));
        }
        (Deed::Pause, FailureKind::Refused | FailureKind::NotPermitted) => {
            app.tell(Weight::Trouble, format!("NOT PAUSED: {}", failure.message));
        }
        (Deed::Pause, FailureKind::NotSent | FailureKind::NoAnswer) => {
            let certain = if failure.kind == FailureKind::NotSent {
                "NOT SENT"
            } else {
                "NO ANSWER, it may or may not be paused"
            };
            let command = shell_command(&app.command, asked);
            app.dialog = Some(Dialog::Undelivered { why: format!("{certain}: {}", failure.message), command });
        }
    }
}

/// What to type into a shell on the daemon's machine.
#[must_use]
pub fn shell_command(prefix: &str, asked: &Asked) -> String {
    let run = if asked.target.run_id.is_empty() {
        String::new()
    } else {
        format!(" --run {}", crate::text::shell_word(&asked.target.label))
    };
    format!("{prefix} pause{run} --reason {}", crate::text::shell_word(&asked.reason))
}

/// No answer in time, whatever became of the request.
pub fn expire(app: &mut App) {
    let late =
        |asked: &&Asked| asked.accepted_seq.is_none() && app.now.mono_ms - asked.at_mono_ms > asked.deed.answer_ms();
    if let Some(asked) = app.asked.as_ref().filter(late).cloned() {
        let message = format!("no answer within {} s", asked.deed.answer_ms() / 1_000);
        undelivered(app, &asked, &Failure { kind: FailureKind::NoAnswer, message });
        app.dirty = true;
    }
}

/// Once the stream shows the pause, it speaks for itself.
pub fn watch(app: &mut App) {
    let Some(asked) = app.asked.as_ref().filter(|asked| asked.accepted_seq.is_some()) else { return };
    let run = app.live.run.as_ref().filter(|run| run.id == asked.target.run_id);
    let shown = match run {
        Some(run) => run.state != "running",
        None => app.live.daemon.paused || app.live.daemon.pausing || !asked.target.run_id.is_empty(),
    };
    if shown {
        app.asked = None;
    }
}
