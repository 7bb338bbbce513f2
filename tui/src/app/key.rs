//! Keys as the console sees them, free of any terminal library.

/// One key press.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A letter, as typed (with shift already in it).
    Char(char),
    /// A letter with Ctrl.
    Ctrl(char),
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    PageUp,
    PageDown,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Char(' ') => f.write_str("Space"),
            Self::Char(c) => write!(f, "{c}"),
            Self::Ctrl(c) => write!(f, "Ctrl-{c}"),
            Self::PageUp => f.write_str("PgUp"),
            Self::PageDown => f.write_str("PgDn"),
            Self::BackTab => f.write_str("Shift-Tab"),
            Self::Enter
            | Self::Esc
            | Self::Tab
            | Self::Backspace
            | Self::Delete
            | Self::Left
            | Self::Right
            | Self::Up
            | Self::Down
            | Self::Home
            | Self::End => write!(f, "{self:?}"),
        }
    }
}
