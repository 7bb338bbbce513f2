//! The last warnings and errors, for the console.
use super::redact;
use crate::clock::Clock;
use std::{
    collections::VecDeque,
    fmt::{Debug, Write as _},
    sync::{Arc, Mutex, PoisonError},
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

/// Lines kept.
const LINES_MAX: usize = 200;
/// Characters kept of one line.
const LINE_CHARS_MAX: usize = 1_000;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// Warning or error.
    pub level: Level,
    /// What, without secrets; at most 1,000 characters.
    pub text: String,
}

/// The last 200 warnings and errors of this process. Clones share them.
#[derive(Clone, Debug)]
pub struct RecentLog {
    clock: Clock,
    lines: Arc<Mutex<VecDeque<LogLine>>>,
}

impl RecentLog {
    /// Nothing yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, lines: Arc::new(Mutex::new(VecDeque::new())) }
    }

    /// What is kept, oldest first.
    #[must_use]
    pub fn lines(&self) -> Vec<LogLine> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

impl<S: Subscriber> Layer<S> for RecentLog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        if level > Level::WARN {
            return;
        }
        let mut text = Text { message: String::new(), fields: String::new() };
        event.record(&mut text);
        let text = format!("{}{}", text.message, text.fields);
        let text = redact(&text).chars().take(LINE_CHARS_MAX).collect();
        let line = LogLine { at_ms: self.clock.now_ms(), level, text };
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

/// The message, and behind it the fields.
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a String doesn't fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = if field.name() == "message" {
            write!(self.message, "{value}")
        } else {
            write!(self.fields, " {}={value}", field.name())
        };
    }
}
