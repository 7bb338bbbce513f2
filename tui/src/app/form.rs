//! The form in front of a dangerous action: a word to type, a reason, and a key of its own to confirm.
//!
//! Invariants: Enter never confirms; keys right after it came in front are dropped; the word is typed, never pasted.
use super::{input::Input, key::Key};

/// Keys within this time of a dangerous dialog's opening are dropped, milliseconds.
const DEAF_MS: i64 = 150;

/// Where the cursor is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Field {
    #[default]
    Word,
    Reason,
    Confirm,
}

/// What is typed so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// What must be typed, so that it is read.
    pub word: String,
    pub typed: Input,
    pub reason: Input,
    pub field: Field,
    opened_mono_ms: i64,
}

/// What a key came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressed {
    /// The form is as it was, or has changed.
    Nothing,
    /// Away with it.
    Left,
    /// To be done, if nothing is missing.
    Yes,
}

impl Form {
    /// An empty form.
    #[must_use]
    pub fn new(word: &str, now_mono_ms: i64) -> Self {
        Self { word: word.to_owned(), opened_mono_ms: now_mono_ms, ..Self::default() }
    }

    /// Takes a key.
    pub fn press(&mut self, key: Key, now_mono_ms: i64) -> Pressed {
        if now_mono_ms - self.opened_mono_ms < DEAF_MS {
            return Pressed::Nothing;
        }
        match (key, self.field) {
            (Key::Esc, _) => return Pressed::Left,
            (Key::Tab | Key::Enter | Key::Down, Field::Word) => self.field = Field::Reason,
            (Key::Tab | Key::Enter | Key::Down, Field::Reason) => self.field = Field::Confirm,
            (Key::Tab | Key::Down, Field::Confirm) | (Key::BackTab | Key::Up, Field::Reason) => {
                self.field = Field::Word;
            }
            (Key::BackTab | Key::Up, Field::Confirm) => self.field = Field::Reason,
            (Key::BackTab | Key::Up, Field::Word) => self.field = Field::Confirm,
            (Key::Char('y'), Field::Confirm) => return Pressed::Yes,
            (_, Field::Word) => {
                self.typed.key(key);
            }
            (_, Field::Reason) => {
                self.reason.key(key);
            }
            (_, Field::Confirm) => {}
        }
        Pressed::Nothing
    }

    /// Pasted text: only the reason takes it.
    pub fn paste(&mut self, text: &str) -> bool {
        let takes = self.field == Field::Reason;
        if takes {
            self.reason.insert(text);
        }
        takes
    }

    /// The reason as it is sent.
    #[must_use]
    pub fn reason(&self) -> String {
        self.reason.text().trim().to_owned()
    }

    /// What is still missing, for a reason of at least so many characters.
    #[must_use]
    pub fn missing(&self, reason_chars_min: usize) -> Option<String> {
        if self.typed.text().trim() != self.word {
            return Some(format!("type {}", self.word));
        }
        match self.reason().chars().count() {
            0 => Some("a reason is needed".to_owned()),
            chars if chars < reason_chars_min => {
                Some(format!("the reason needs at least {reason_chars_min} characters"))
            }
            _ => None,
        }
    }
}
