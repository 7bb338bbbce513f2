//! A file of earnings, read and checked whole before the store sees a row of it. Every fault is named by line and column.
//!
//! Who comes in: the control door with the bytes of a file. It calls nobody. Invariant: what it lets through needs no more checking.
use crate::store::door_types::{EarningRow, RowError};
use payout_shared::{
    currency::Currency,
    id::{AccountId, CreatorId},
};
use std::collections::HashMap;

/// Rows of a file at most: more are two imports.
pub const ROWS_MAX: usize = 200_000;
/// Bytes of one field at most; an id is at most 255 characters.
const FIELD_BYTES_MAX: usize = 2048;
/// No charge of Stripe's is above this, in any currency: minor units.
const AMOUNT_MAX: i64 = 999_999_999_999;
/// Characters of an id at most: what Stripe allows.
const ID_CHARS_MAX: usize = 255;
/// Faults named; a file that has more is another kind of file.
const ERRORS_MAX: usize = 100;
/// An earning may lie so far in the future: clocks and zones differ by no more than a day.
const FUTURE_MAX_MS: i64 = 24 * 60 * 60 * 1000;

const COLUMNS: [&str; 9] = [
    "creator_id",
    "stripe_account_id",
    "country",
    "currency",
    "gross_minor",
    "fee_minor",
    "earned_at",
    "source_id",
    AVAILABLE_ON,
];
/// The one column that may be absent, or empty in a row: then it is `earned_at`.
const AVAILABLE_ON: &str = "available_on";

/// Reads and checks a file. A charge that stands in it twice with the same values is kept twice (the store counts it as known).
///
/// # Errors
/// Every fault found, at most 100, in the order of lines.
pub fn parse_csv(bytes: &[u8], now_ms: i64) -> Result<Vec<EarningRow>, Vec<RowError>> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).has_headers(false).trim(csv::Trim::All).from_reader(bytes);
    let mut record = csv::StringRecord::new();
    let header = match reader.read_record(&mut record) {
        Ok(true) => header(&record)?,
        Ok(false) => return Err(vec![error(1, "", "the file is empty: a header line is needed")]),
        Err(fault) => return Err(vec![error(1, "", unreadable(&fault))]),
    };
    let (mut rows, mut errors) = (Vec::new(), Vec::new());
    let mut charges: HashMap<String, usize> = HashMap::new();
    loop {
        let read = reader.read_record(&mut record);
        let line = record.position().map_or(0, csv::Position::line);
        match read {
            Ok(false) => break,
            Err(fault) => {
                errors.push(error(fault.position().map_or(line, csv::Position::line), "", unreadable(&fault)))
            }
            Ok(true) => match (Fields { header: &header, record: &record, line }).row(now_ms) {
                Ok(row) => {
                    errors.extend(charges.get(&row.source_id).and_then(|first| contradiction(rows.get(*first)?, &row)));
                    charges.entry(row.source_id.clone()).or_insert(rows.len());
                    rows.push(row);
                }
                Err(faults) => errors.extend(faults),
            },
        }
        if rows.len() > ROWS_MAX {
            errors.push(error(line, "", format!("more than {ROWS_MAX} rows: import the file in parts")));
            break;
        }
        if errors.len() >= ERRORS_MAX {
            break;
        }
    }
    errors.truncate(ERRORS_MAX);
    if errors.is_empty() { Ok(rows) } else { Err(errors) }
}

fn error(line: u64, column: &'static str, what: impl Into<String>) -> RowError {
    RowError { line, column, what: what.into() }
}

fn unreadable(fault: &csv::Error) -> String {
    match fault.kind() {
        csv::ErrorKind::Utf8 { .. } => "not UTF-8 text".to_owned(),
        _ => format!("not CSV: {fault}"),
    }
}

/// Where each column stands in a record, in the order of [`COLUMNS`].
fn header(record: &csv::StringRecord) -> Result<Vec<Option<usize>>, Vec<RowError>> {
    let mut places = vec![None; COLUMNS.len()];
    let mut errors = Vec::new();
    for (place, name) in record.iter().enumerate() {
        match COLUMNS.iter().position(|column| *column == name) {
            Some(index) if places.get(index).is_some_and(Option::is_some) => {
                errors.push(error(1, "", format!("the column {name} stands there twice")));
            }
            Some(index) => places[index] = Some(place),
            None => errors.push(error(1, "", format!("{:?} is no column of a file of earnings", shown(name)))),
        }
    }
    for (column, place) in COLUMNS.into_iter().zip(&places) {
        if place.is_none() && column != AVAILABLE_ON {
            errors.push(error(1, column, "this column is missing"));
        }
    }
    if errors.is_empty() { Ok(places) } else { Err(errors) }
}

/// The start of a text, for a message.
fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

struct Fields<'a> {
    header: &'a [Option<usize>],
    record: &'a csv::StringRecord,
    line: u64,
}

impl Fields<'_> {
    fn row(&self, now_ms: i64) -> Result<EarningRow, Vec<RowError>> {
        if let Some(long) = self.record.iter().find(|field| field.len() > FIELD_BYTES_MAX) {
            return Err(vec![error(self.line, "", format!("a field of {} bytes is too long", long.len()))]);
        }
        let filled = self.header.iter().flatten().count();
        if self.record.len() != filled {
            return Err(vec![error(
                self.line,
                "",
                format!("{} fields, but the header has {filled}", self.record.len()),
            )]);
        }
        let mut errors = Vec::new();
        let mut keep = |fault: RowError| errors.push(fault);
        let creator = self.id("creator_id").map_err(&mut keep).ok();
        let account = self.id("stripe_account_id").map_err(&mut keep).ok();
        let country = self.country().map_err(&mut keep).ok();
        let currency = self.currency().map_err(&mut keep).ok();
        let gross = self.minor("gross_minor", 1).map_err(&mut keep).ok();
        let fee = self.minor("fee_minor", 0).map_err(&mut keep).ok();
        let earned_at = self.earned_at(now_ms).map_err(&mut keep).ok();
        let source = self.id("source_id").map_err(&mut keep).ok();
        let available_on = match self.text(AVAILABLE_ON) {
            "" => earned_at,
            text => self.moment(AVAILABLE_ON, text).map_err(&mut keep).ok(),
        };
        if let (Some(gross), Some(fee)) = (gross, fee)
            && fee > gross
        {
            errors.push(error(self.line, "fee_minor", format!("the fee {fee} is more than the gross {gross}")));
        }
        let row = || {
            Some(EarningRow {
                line: self.line,
                creator: CreatorId::new(creator?),
                account: AccountId::new(account?),
                country: country?,
                currency: currency?,
                gross_minor: gross?,
                fee_minor: fee?,
                earned_at_ms: earned_at?,
                available_on_ms: available_on?,
                source_id: source?.to_owned(),
            })
        };
        if errors.is_empty() { row().ok_or(errors) } else { Err(errors) }
    }

    fn text(&self, column: &str) -> &str {
        let index = COLUMNS.iter().position(|known| *known == column);
        let place = index.and_then(|index| self.header.get(index).copied().flatten());
        place.and_then(|place| self.record.get(place)).unwrap_or_default()
    }

    fn id(&self, column: &'static str) -> Result<&str, RowError> {
        let text = self.text(column);
        if text.is_empty() {
            return Err(error(self.line, column, "empty"));
        }
        if text.chars().count() > ID_CHARS_MAX {
            return Err(error(self.line, column, format!("longer than {ID_CHARS_MAX} characters: {:?}…", shown(text))));
        }
        if text.chars().any(char::is_control) {
            return Err(error(self.line, column, format!("a control character in {text:?}")));
        }
        Ok(text)
    }

    fn country(&self) -> Result<String, RowError> {
        let text = self.text("country");
        if text.len() == 2 && text.bytes().all(|letter| letter.is_ascii_alphabetic()) {
            return Ok(text.to_ascii_uppercase());
        }
        Err(error(
            self.line,
            "country",
            format!("{:?} is not a country: two letters such as DE are needed", shown(text)),
        ))
    }

    fn currency(&self) -> Result<Currency, RowError> {
        let text = self.text("currency");
        Currency::parse(text).map_err(|_| {
            error(
                self.line,
                "currency",
                format!("{:?} is not a currency: three letters such as usd are needed", shown(text)),
            )
        })
    }

    fn minor(&self, column: &'static str, least: i64) -> Result<i64, RowError> {
        let text = self.text(column);
        // Digits only: "+5", "1e3", "12.50" and "1,000" are somebody's mistake.
        let digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
        text.parse::<i64>().ok().filter(|minor| digits && (least..=AMOUNT_MAX).contains(minor)).ok_or_else(|| {
            let what = format!(
                "{:?} is not an amount: a whole number of minor units from {least} to {AMOUNT_MAX} is needed",
                shown(text)
            );
            error(self.line, column, what)
        })
    }

    fn earned_at(&self, now_ms: i64) -> Result<i64, RowError> {
        let text = self.text("earned_at");
        let earned_at = self.moment("earned_at", text)?;
        if earned_at > now_ms.saturating_add(FUTURE_MAX_MS) {
            return Err(error(self.line, "earned_at", format!("{text} is more than a day in the future")));
        }
        Ok(earned_at)
    }

    /// An RFC 3339 time, or a date, which is its midnight in UTC.
    fn moment(&self, column: &'static str, text: &str) -> Result<i64, RowError> {
        let date = || text.parse::<jiff::civil::Date>().ok().filter(|_| text.len() == 10);
        let midnight = || date()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
        midnight()
            .or_else(|| text.parse::<jiff::Timestamp>().ok())
            .map(|at| at.as_millisecond())
            .filter(|ms| *ms >= 0)
            .ok_or_else(|| {
                let what = format!("{:?} is not a time: 2026-11-30T12:00:00Z or 2026-11-30 is needed", shown(text));
                error(self.line, column, what)
            })
    }
}

/// The same charge with other values, naming both lines.
fn contradiction(first: &EarningRow, row: &EarningRow) -> Option<RowError> {
    let same = EarningRow { line: first.line, ..row.clone() } == *first;
    (!same).then(|| {
        error(
            row.line,
            "source_id",
            format!("charge {} stands in line {} with other values", row.source_id, first.line),
        )
    })
}
