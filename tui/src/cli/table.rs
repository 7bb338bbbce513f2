//! Aligned text for people.
use crate::text;

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Columns with titles; every cell is cleaned.
#[must_use]
pub(super) fn table(titles: &[(&str, Align)], rows: &[Vec<String>]) -> Vec<String> {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| text::clean(cell).into_owned()).collect()).collect();
    let widths: Vec<usize> = titles
        .iter()
        .enumerate()
        .map(|(at, (title, _))| {
            let widest = rows.iter().filter_map(|row| row.get(at)).map(|cell| text::width(cell)).max().unwrap_or(0);
            widest.max(text::width(title))
        })
        .collect();
    let line = |cells: &[String]| {
        let padded: Vec<String> = titles
            .iter()
            .zip(&widths)
            .zip(cells)
            .map(|(((_, align), width), cell)| match align {
                Align::Left => text::left(cell, *width),
                Align::Right => text::right(cell, *width),
            })
            .collect();
        padded.join("  ").trim_end().to_owned()
    };
    let head: Vec<String> = titles.iter().map(|(title, _)| (*title).to_owned()).collect();
    let mut out = vec![line(&head)];
    out.extend(rows.iter().map(|row| line(row)));
    out
}

/// A cell of CSV, in quotation marks where it must be.
#[must_use]
pub(super) fn csv_cell(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}
