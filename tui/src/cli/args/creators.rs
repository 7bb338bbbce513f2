//! The words about creators: who would be paid and why not, one of them, their tags and accounts.
use super::Reason;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(in crate::cli) struct Creators {
    /// Only those who would get nothing
    #[arg(long)]
    pub why_not: bool,
    /// Only those who would get nothing for this reason
    #[arg(long, value_name = "CODE", value_parser = skip_reason, default_value = "", hide_default_value = true)]
    pub reason: String,
    /// As CSV
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// At most so many rows [default: 100 as text, all as CSV or JSON]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub limit: Option<i64>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(in crate::cli) struct Creator {
    /// The platform's id of the creator
    pub creator: Option<String>,
    #[command(subcommand)]
    pub command: Option<Tags>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Tags {
    /// Give a creator a tag
    Tag {
        creator: String,
        tag: String,
        #[command(flatten)]
        reason: Reason,
    },
    /// Pay a creator from another of their accounts, from the next send on
    Account {
        creator: String,
        /// One that is known as theirs: payout creator ID shows them
        #[arg(value_name = "ACCT_ID")]
        account: String,
        #[command(flatten)]
        reason: Reason,
    },
    /// Take a tag from a creator
    Untag {
        creator: String,
        tag: String,
        #[command(flatten)]
        reason: Reason,
    },
}

fn skip_reason(text: &str) -> Result<String, String> {
    use payout_shared::plan::SkipReason;
    if text.is_empty() {
        return Ok(String::new());
    }
    SkipReason::parse(text).map(|reason| reason.as_str().to_owned()).ok_or_else(|| {
        let known: Vec<&str> = SkipReason::ALL.iter().map(|reason| reason.as_str()).collect();
        format!("it isn't a reason: {}", known.join(", "))
    })
}
