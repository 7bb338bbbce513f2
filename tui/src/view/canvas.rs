//! Drawing that can't go over an edge: text is cleaned, clipped and counted in columns.
use super::theme::{Theme, Tone};
use crate::text;
use ratatui::{Frame, layout::Rect};

/// A piece of a line.
pub(super) type Piece = (String, Tone);

/// A piece from anything that is text.
pub(super) fn piece(text: impl Into<String>, tone: Tone) -> Piece {
    (text.into(), tone)
}

/// A part of the screen to draw on, in its own coordinates.
#[derive(Debug)]
pub(super) struct Canvas<'a, 'b> {
    frame: &'a mut Frame<'b>,
    area: Rect,
    pub(super) theme: Theme,
}

impl<'a, 'b> Canvas<'a, 'b> {
    /// The whole screen.
    pub(super) fn new(frame: &'a mut Frame<'b>, theme: Theme) -> Self {
        let area = frame.area();
        Self { frame, area, theme }
    }

    /// Columns.
    #[must_use]
    pub(super) fn width(&self) -> usize {
        usize::from(self.area.width)
    }

    /// Rows.
    #[must_use]
    pub(super) fn height(&self) -> usize {
        usize::from(self.area.height)
    }

    /// A part of it; what lies outside is cut off.
    pub(super) fn part(&mut self, x: usize, y: usize, width: usize, height: usize) -> Canvas<'_, 'b> {
        let number = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        let wanted = Rect {
            x: self.area.x.saturating_add(number(x)),
            y: self.area.y.saturating_add(number(y)),
            width: number(width),
            height: number(height),
        };
        let right = self.area.x.saturating_add(self.area.width);
        let bottom = self.area.y.saturating_add(self.area.height);
        let area = Rect {
            x: wanted.x.min(right),
            y: wanted.y.min(bottom),
            width: wanted.width.min(right.saturating_sub(wanted.x)),
            height: wanted.height.min(bottom.saturating_sub(wanted.y)),
        };
        Canvas { frame: self.frame, area, theme: self.theme }
    }

    /// Text at a place; the column after it.
    pub(super) fn put(&mut self, x: usize, y: usize, words: &str, tone: Tone) -> usize {
        let room = self.width().saturating_sub(x);
        if y >= self.height() || room == 0 {
            return x;
        }
        let words = text::clean(words);
        let column = self.area.x + u16::try_from(x).unwrap_or(0);
        let row = self.area.y + u16::try_from(y).unwrap_or(0);
        self.frame.buffer_mut().set_stringn(column, row, &words, room, self.theme.style(tone));
        x + text::width(&words).min(room)
    }

    /// Pieces one after another.
    pub(super) fn line(&mut self, y: usize, pieces: &[Piece]) {
        let mut x = 0;
        for (words, tone) in pieces {
            x = self.put(x, y, words, *tone);
        }
    }

    /// Text at the right end of a row, over what is there.
    pub(super) fn right(&mut self, y: usize, words: &str, tone: Tone) {
        let words = text::cut(words, self.width());
        self.put(self.width().saturating_sub(text::width(&words)), y, &words, tone);
    }

    /// A rule across.
    pub(super) fn rule(&mut self, y: usize) {
        let dashes = "-".repeat(self.width());
        self.put(0, y, &dashes, Tone::Dim);
    }

    /// Gives a whole row one tone.
    pub(super) fn tint_row(&mut self, y: usize, tone: Tone) {
        let style = self.theme.style(tone);
        let row = self.part(0, y, self.width(), 1).area;
        self.frame.buffer_mut().set_style(row, style);
    }

    /// Takes everything off a row.
    pub(super) fn clear_row(&mut self, y: usize) {
        let row = self.part(0, y, self.width(), 1).area;
        for position in row.positions() {
            if let Some(cell) = self.frame.buffer_mut().cell_mut(position) {
                cell.reset();
            }
        }
    }

    /// Makes rows look old.
    pub(super) fn fade(&mut self, from: usize, rows: usize) {
        let style = self.theme.faded();
        let area = self.part(0, from, self.width(), rows).area;
        self.frame.buffer_mut().set_style(area, style);
    }

    /// A box in the middle, cleared; its inside.
    pub(super) fn popup(&mut self, width: usize, height: usize, title: &str, tone: Tone) -> Canvas<'_, 'b> {
        let (width, height) = (width.min(self.width()), height.min(self.height()));
        let (x, y) = ((self.width() - width) / 2, (self.height() - height) / 2);
        let mut popup = self.part(x, y, width, height);
        let edge = format!("+{}+", "-".repeat(width.saturating_sub(2)));
        let side = format!("|{}|", " ".repeat(width.saturating_sub(2)));
        for row in 0..height {
            popup.clear_row(row);
        }
        for row in 0..height {
            let is_edge = row == 0 || row + 1 == height;
            popup.put(0, row, if is_edge { &edge } else { &side }, tone);
        }
        popup.put(2, 0, &format!(" {title} "), tone);
        let (x, y) = (x + 2, y + 1);
        self.part(x, y, width.saturating_sub(4), height.saturating_sub(2))
    }
}

/// Pieces with a weight each, as many as fit: the heaviest stay, in their order, two blanks between.
#[must_use]
pub(super) fn pack(pieces: Vec<(u8, Piece)>, width: usize) -> Vec<Piece> {
    let mut kept: Vec<(u8, Piece)> = pieces.into_iter().filter(|(_, (words, _))| !words.is_empty()).collect();
    loop {
        let taken: usize =
            kept.iter().map(|(_, (words, _))| text::width(&text::clean(words)) + 2).sum::<usize>().saturating_sub(2);
        let lightest = kept.iter().map(|(weight, _)| *weight).min();
        match lightest {
            Some(lightest) if taken > width && kept.len() > 1 => {
                if let Some(at) = kept.iter().rposition(|(weight, _)| *weight == lightest) {
                    kept.remove(at);
                }
            }
            _ => break,
        }
    }
    let mut out = Vec::new();
    for (_, piece) in kept {
        if !out.is_empty() {
            out.push(("  ".to_owned(), Tone::Plain));
        }
        out.push(piece);
    }
    out
}
