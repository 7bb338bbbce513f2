//! Text for people: outside text made harmless, fitted to columns, and numbers, money and times written one way everywhere.
//!
//! Who comes in: views and commands. Whom it may call: nobody but the core. Nothing here panics, whatever the input.
use payout_proto::v1;
use payout_shared::{currency::Currency, money::Money};
use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// True for what may never reach a terminal from outside: controls, direction overrides, invisible joiners.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with everything that could move the cursor, change colours or reorder letters replaced.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .map(|c| {
                if matches!(c, '\n' | '\t') {
                    ' '
                } else if is_harmful(c) {
                    '?'
                } else {
                    c
                }
            })
            .collect(),
    )
}

/// Columns that the text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

fn take(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns {
            return &text[..at];
        }
    }
    text
}

/// The cleaned text in at most so many columns; `..` at its end says that something was left out.
#[must_use]
pub fn cut(text: &str, columns: usize) -> String {
    let text = clean(text);
    if text.width() <= columns {
        return text.into_owned();
    }
    if columns <= 2 {
        return take(&text, columns).to_owned();
    }
    format!("{}..", take(&text, columns - 2))
}

/// [`cut`], then filled with blanks on the right.
#[must_use]
pub fn left(text: &str, columns: usize) -> String {
    let mut out = cut(text, columns);
    let missing = columns.saturating_sub(out.width());
    out.extend(std::iter::repeat_n(' ', missing));
    out
}

/// [`cut`], then filled with blanks on the left.
#[must_use]
pub fn right(text: &str, columns: usize) -> String {
    let out = cut(text, columns);
    let missing = columns.saturating_sub(out.width());
    format!("{}{out}", " ".repeat(missing))
}

/// An id in at most so many columns: its prefix and its end, which is where ids differ.
#[must_use]
pub fn id(text: &str, columns: usize) -> String {
    let text = clean(text);
    if text.width() <= columns {
        return left(&text, columns);
    }
    let prefix = text.find('_').map_or(0, |at| at + 1).min(5);
    let head = text.get(..prefix).unwrap_or("");
    if columns < head.len() + 5 {
        return left(&text, columns);
    }
    let tail_columns = columns - head.len() - 2;
    let mut tail = String::new();
    for c in text.chars().rev() {
        if tail.width() + c.width().unwrap_or(0) > tail_columns {
            break;
        }
        tail.insert(0, c);
    }
    left(&format!("{head}..{tail}"), columns)
}

/// `36,644`
#[must_use]
pub fn count(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::new();
    if n < 0 {
        out.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A share in 1/10000, rounded down, so that nothing reads 100 % before it is. `None` of nothing.
#[must_use]
pub fn share_bp(part: i64, of: i64) -> Option<i64> {
    if of <= 0 {
        return None;
    }
    i64::try_from(i128::from(part) * 10_000 / i128::from(of)).ok()
}

/// `6.5%` of 1/10000; a dash for unknown.
#[must_use]
pub fn percent(bp: Option<i64>) -> String {
    bp.map_or_else(|| "-".to_owned(), |bp| format!("{}.{}%", bp / 100, bp % 100 / 10))
}

/// `1,234.50 USD`. A currency that isn't one is shown as it came, in minor units.
#[must_use]
pub fn money(amount: &v1::Money) -> String {
    Currency::parse(&amount.currency).map_or_else(
        |_| format!("{} minor {}", amount.minor, clean(&amount.currency)),
        |currency| Money::new(amount.minor, currency).to_string(),
    )
}

/// [`money`] of loose parts.
#[must_use]
pub fn money_of(minor: i64, currency: &str) -> String {
    money(&v1::Money { minor, currency: currency.to_owned() })
}

/// `1,212,400.10 of 9,871,020.44 EUR`
#[must_use]
pub fn money_progress(part: &v1::MoneyProgress) -> String {
    let sent = money_of(part.sent_minor, &part.currency);
    let amount = sent.rsplit_once(' ').map_or(sent.as_str(), |(amount, _)| amount);
    format!("{amount} of {}", money_of(part.total_minor, &part.currency))
}

/// `1.21M`: three digits, rounded down, without the currency.
#[must_use]
pub fn compact(minor: i64, currency: &str) -> String {
    let exponent = Currency::parse(currency).map_or(2, |c| c.exponent());
    let major = minor / 10_i64.pow(exponent);
    let sign = if major < 0 { "-" } else { "" };
    let n = major.unsigned_abs();
    let (scale, letter) = match n {
        0..10_000 => return format!("{sign}{}", count(i64::try_from(n).unwrap_or(i64::MAX))),
        10_000..1_000_000 => (1_000, 'k'),
        1_000_000..1_000_000_000 => (1_000_000, 'M'),
        _ => (1_000_000_000, 'G'),
    };
    let (whole, hundredths) = (n / scale, n % scale * 100 / scale);
    match whole {
        0..10 => format!("{sign}{whole}.{hundredths:02}{letter}"),
        10..100 => format!("{sign}{whole}.{}{letter}", hundredths / 10),
        _ => format!("{sign}{whole}{letter}"),
    }
}

fn zoned(ms: i64) -> Option<jiff::Zoned> {
    jiff::Timestamp::from_millisecond(ms).ok().map(|at| at.to_zoned(jiff::tz::TimeZone::UTC))
}

/// `06:03:41` in UTC; dashes for no time.
#[must_use]
pub fn clock(ms: i64) -> String {
    if ms <= 0 {
        return "--:--:--".to_owned();
    }
    zoned(ms).map_or_else(|| "?".to_owned(), |at| at.strftime("%H:%M:%S").to_string())
}

/// `06:03:41.912` in UTC.
#[must_use]
pub fn clock_ms(ms: i64) -> String {
    format!("{}.{:03}", clock(ms), ms.rem_euclid(1000))
}

/// `2026-12-01 06:03:41Z`; a dash for no time.
#[must_use]
pub fn moment(ms: i64) -> String {
    if ms <= 0 {
        return "-".to_owned();
    }
    zoned(ms).map_or_else(|| "?".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// RFC 3339 in UTC with milliseconds; `None` for no time.
#[must_use]
pub fn rfc3339(ms: i64) -> Option<String> {
    (ms > 0).then(|| zoned(ms).map(|at| at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())).flatten()
}

/// Reads RFC 3339 into Unix milliseconds.
#[must_use]
pub fn parse_moment(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// `7 s`, `4 m 07 s`, `2 h 05 m`, `3 d 04 h`.
#[must_use]
pub fn span(ms: i64) -> String {
    let s = ms.max(0) / 1000;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} m {:02} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {:02} m", s / 3600, s % 3600 / 60),
        _ => format!("{} d {:02} h", s / 86_400, s % 86_400 / 3600),
    }
}

/// One letter a value, the higher the darker: `....:-=##%`.
#[must_use]
pub fn spark(values: &[i64], columns: usize) -> String {
    const STEPS: &[u8] = b".:-=+*#%@";
    let newest = &values[values.len().saturating_sub(columns)..];
    let top = newest.iter().copied().max().unwrap_or(0).max(1);
    newest
        .iter()
        .map(|v| {
            let step = i128::from((*v).max(0)) * 8 / i128::from(top);
            if *v <= 0 { '.' } else { char::from(STEPS[usize::try_from(step.clamp(1, 8)).unwrap_or(1)]) }
        })
        .collect()
}

/// The text as one word of a POSIX shell.
#[must_use]
pub fn shell_word(text: &str) -> String {
    let text = clean(text);
    if !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_#.,:/@=+%".contains(c))
        && !text.starts_with('#')
    {
        return text.into_owned();
    }
    if text.contains(['"', '$', '`', '\\', '!']) {
        return format!("'{}'", text.replace('\'', "'\\''"));
    }
    format!("\"{text}\"")
}
