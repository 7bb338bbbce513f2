//! Sixteen colours, or none: every meaning has a letter or a word beside its colour.
use ratatui::style::{Color, Modifier, Style};

/// What a piece of text means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    /// Less important.
    Dim,
    /// Titles of sections.
    Title,
    Strong,
    Good,
    Warning,
    Trouble,
    /// A line that must be seen: the alarm when the data is old or the action failed.
    Banner,
    /// Real money.
    BadgeLive,
    BadgeTest,
    /// A key in the hints.
    Key,
    /// The row under the cursor.
    Cursor,
}

/// Colour or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    pub colour: bool,
}

impl Theme {
    /// The style of a meaning.
    #[must_use]
    pub fn style(self, tone: Tone) -> Style {
        let plain = Style::new();
        let (style, colour, ground) = match tone {
            Tone::Plain => (plain, None, None),
            Tone::Dim => (plain.add_modifier(Modifier::DIM), None, None),
            Tone::Title => (plain.add_modifier(Modifier::BOLD), Some(Color::Cyan), None),
            Tone::Strong => (plain.add_modifier(Modifier::BOLD), None, None),
            Tone::Good => (plain, Some(Color::Green), None),
            Tone::Warning => (plain.add_modifier(Modifier::BOLD), Some(Color::Yellow), None),
            Tone::Trouble => (plain.add_modifier(Modifier::BOLD), Some(Color::Red), None),
            Tone::Banner if self.colour => (plain.add_modifier(Modifier::BOLD), Some(Color::White), Some(Color::Red)),
            Tone::BadgeLive if self.colour => {
                (plain.add_modifier(Modifier::BOLD), Some(Color::White), Some(Color::Red))
            }
            Tone::BadgeTest if self.colour => {
                (plain.add_modifier(Modifier::BOLD), Some(Color::Black), Some(Color::Cyan))
            }
            Tone::Banner | Tone::BadgeLive => {
                (plain.add_modifier(Modifier::BOLD.union(Modifier::REVERSED)), None, None)
            }
            Tone::BadgeTest => (plain.add_modifier(Modifier::BOLD), None, None),
            Tone::Key => (plain.add_modifier(Modifier::BOLD), Some(Color::Cyan), None),
            Tone::Cursor => (plain.add_modifier(Modifier::REVERSED), None, None),
        };
        let style = match colour.filter(|_| self.colour) {
            Some(colour) => style.fg(colour),
            None => style,
        };
        match ground {
            Some(ground) => style.bg(ground),
            None => style,
        }
    }

    /// How old data looks: still readable, clearly not alive.
    #[must_use]
    pub fn faded(self) -> Style {
        let style = Style::new().remove_modifier(Modifier::BOLD).add_modifier(Modifier::DIM);
        if self.colour { style.fg(Color::DarkGray).bg(Color::Reset) } else { style }
    }
}

/// The tone of a payout's state.
#[must_use]
pub fn state_tone(state: &str) -> Tone {
    match state {
        "failed" | "returned" => Tone::Trouble,
        "unknown" | "canceled" | "reversing" | "reversed" => Tone::Warning,
        "paid" | "settled" => Tone::Good,
        "planned" | "voided" => Tone::Dim,
        _ => Tone::Plain,
    }
}

/// The letter of a payout's state: it must be readable without colour.
#[must_use]
pub fn state_letter(state: &str) -> char {
    match state {
        "planned" => '.',
        "submitting" => '>',
        "unknown" => 'U',
        "pending" => 'o',
        "in_transit" => 'T',
        "paid" => 'P',
        "settled" => 'S',
        "voided" => 'V',
        "failed" => 'F',
        "canceled" => 'C',
        "returned" => 'R',
        "reversing" => 'v',
        "reversed" => 'X',
        _ => '?',
    }
}
