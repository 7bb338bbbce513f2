//! What the control door makes of texts from people, and of errors for them.
use crate::store::StoreError;
use tonic::Status;

/// A reason of more characters is a report.
const REASON_CHARS_MAX: usize = 500;

/// A reason that must be given.
pub(super) fn reason(text: &str, what: &str) -> Result<String, Status> {
    let reason = optional_reason(text)?;
    reason.ok_or_else(|| Status::invalid_argument(format!("a reason is needed to {what}: it goes into the journal")))
}

/// A reason that may be given.
pub(super) fn optional_reason(text: &str) -> Result<Option<String>, Status> {
    let text = text.trim();
    if text.chars().count() > REASON_CHARS_MAX {
        return Err(Status::invalid_argument(format!("a reason has at most {REASON_CHARS_MAX} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(Status::invalid_argument("a reason is one line of text without control characters"));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// An error of the store for whoever asked. What the database said goes into the log as well: it may be ours to mend.
pub(super) fn status(error: &StoreError) -> Status {
    match error {
        StoreError::Refused(why) => Status::failed_precondition(why.clone()),
        StoreError::NotFound { .. } => Status::not_found(error.to_string()),
        StoreError::Database(_) => {
            tracing::warn!(%error, "a request was not served");
            Status::unavailable(format!("{error}; nothing is known to be changed: ask again"))
        }
        StoreError::Fenced { .. } | StoreError::WrongMode { .. } | StoreError::Migration(_) => {
            Status::failed_precondition(error.to_string())
        }
        StoreError::Broken(_) => {
            tracing::error!(%error, "a request was not served");
            Status::data_loss(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_of_at_most_500_characters() {
        assert_eq!(reason("  bank is down ", "pause").unwrap(), "bank is down");
        assert_eq!(reason(&"ü".repeat(500), "pause").unwrap().chars().count(), 500);
        for bad in ["", "  ", "two\nlines", "bell\u{7}", "\u{1b}[2J", &"x".repeat(501)] {
            assert_eq!(reason(bad, "pause").unwrap_err().code(), tonic::Code::InvalidArgument, "{bad:?}");
        }
        assert_eq!(optional_reason("").unwrap(), None);
    }
}
