//! Secrets out of everything that is written.
use regex::{Regex, RegexSet};
use std::{
    borrow::Cow,
    io::{self, Write},
    sync::LazyLock,
};
use tracing_subscriber::fmt::MakeWriter;

/// What is a secret, and what is written in its place. Quotes may stand escaped, more than once when JSON holds JSON.
const RULES: &[(&str, &str)] = &[
    // Stripe's keys and webhook secrets.
    (r"\b(sk|rk)_(live|test)_\w+", "${1}_${2}_[redacted]"),
    (r"\bwhsec_[\w+/=]+", "whsec_[redacted]"),
    // Headers, as text, as debug output, as JSON.
    (
        r#"(?i)\b(authorization|x-cron-secret|cron_secret(?:_key)?)(\\*["']?\s*[:=]\s*(?:Some\()?\\*["']?)(?:(?:bearer|basic)\s+)?[^\s"'\\,;)]+"#,
        "${1}${2}[redacted]",
    ),
    (r#"(?i)\bbearer\s+[^\s"'\\,;)]+"#, "Bearer [redacted]"),
    // Addresses that are secrets themselves, or hold one.
    (r#"hooks\.slack\.com/[^\s"'\\<>]+"#, "hooks.slack.com/[redacted]"),
    (r#"connect\.stripe\.com/setup/[^\s"'\\<>]+"#, "connect.stripe.com/setup/[redacted]"),
    (r#"(\w://)[^\s/@"'\\]+@"#, "${1}[redacted]@"),
];

static RULE_SET: LazyLock<Option<RegexSet>> = LazyLock::new(|| RegexSet::new(RULES.iter().map(|(rule, _)| *rule)).ok());
static RULE_LIST: LazyLock<Vec<(Regex, &str)>> =
    LazyLock::new(|| RULES.iter().filter_map(|(rule, instead)| Some((Regex::new(rule).ok()?, *instead))).collect());

/// `text` without secrets.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    // One look decides most lines: they hold none.
    if RULE_SET.as_ref().is_some_and(|rules| !rules.is_match(text)) {
        return Cow::Borrowed(text);
    }
    let mut clean = Cow::Borrowed(text);
    for (rule, instead) in RULE_LIST.iter() {
        if let Cow::Owned(cleaner) = rule.replace_all(&clean, *instead) {
            clean = Cow::Owned(cleaner);
        }
    }
    clean
}

/// A writer that lets no secret through. The formatter hands over whole lines, so a secret never comes in two pieces.
#[derive(Clone, Debug)]
pub(super) struct Redacting<W>(pub(super) W);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Redacting<M> {
    type Writer = Redacting<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Redacting(self.0.make_writer())
    }
}

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(redact(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
