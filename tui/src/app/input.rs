//! One line of typed text with a cursor. Pasted text comes in cleaned and on one line.
use super::key::Key;

/// Letters that a line takes at most.
const LETTERS_MAX: usize = 400;

/// A line being typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Input {
    letters: Vec<char>,
    at: usize,
}

impl Input {
    /// A line with this text, the cursor at its end.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut input = Self::default();
        input.insert(text);
        input
    }

    /// What was typed.
    #[must_use]
    pub fn text(&self) -> String {
        self.letters.iter().collect()
    }

    /// What was typed before and after the cursor.
    #[must_use]
    pub fn halves(&self) -> (String, String) {
        let (before, after) = self.letters.split_at(self.at.min(self.letters.len()));
        (before.iter().collect(), after.iter().collect())
    }

    /// Puts text in at the cursor; controls become blanks.
    pub fn insert(&mut self, text: &str) {
        for c in crate::text::clean(text.trim_end_matches(['\r', '\n'])).chars() {
            if self.letters.len() < LETTERS_MAX {
                self.letters.insert(self.at, c);
                self.at += 1;
            }
        }
    }

    /// Takes a key; false when it isn't one for a line.
    pub fn key(&mut self, key: Key) -> bool {
        match key {
            Key::Char(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            Key::Backspace if self.at > 0 => {
                self.at -= 1;
                self.letters.remove(self.at);
            }
            Key::Delete if self.at < self.letters.len() => {
                self.letters.remove(self.at);
            }
            Key::Backspace | Key::Delete => {}
            Key::Left => self.at = self.at.saturating_sub(1),
            Key::Right => self.at = (self.at + 1).min(self.letters.len()),
            Key::Home | Key::Ctrl('a') => self.at = 0,
            Key::End | Key::Ctrl('e') => self.at = self.letters.len(),
            Key::Ctrl('u') => {
                self.letters.drain(..self.at);
                self.at = 0;
            }
            Key::Ctrl('w') => {
                let end = self.at;
                while self.at > 0 && self.letters[self.at - 1] == ' ' {
                    self.at -= 1;
                }
                while self.at > 0 && self.letters[self.at - 1] != ' ' {
                    self.at -= 1;
                }
                self.letters.drain(self.at..end);
            }
            Key::Ctrl(_)
            | Key::Enter
            | Key::Esc
            | Key::Tab
            | Key::BackTab
            | Key::Up
            | Key::Down
            | Key::PageUp
            | Key::PageDown => {
                return false;
            }
        }
        true
    }
}
