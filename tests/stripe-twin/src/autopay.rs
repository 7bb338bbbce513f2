//! Payouts nobody asked the API for: Stripe's own by schedule, its debits of negative balances, and those that people make
//! by hand in the Dashboard. Called by tests through `/_twin` and by the scripted life. Invariant: an automatic payout
//! says which balance transactions it carried off; at most one debit of a purse is under way.

use serde_json::Value;

use crate::clock::Now;
use crate::create::{NewPayout, Origin};
use crate::currency::payout_unit;
use crate::errors::ApiError;
use crate::market::Metadata;
use crate::payout::Status;
use crate::txn::TxnKind;
use crate::world::World;

const AUTOMATIC: Origin<'static> = Origin { how: "automatic", automatic: true, request_id: "", key: None };
const DASHBOARD: Origin<'static> = Origin { how: "dashboard", automatic: false, request_id: "", key: None };

fn plain(amount: i64, currency: &str) -> NewPayout {
    NewPayout {
        amount,
        currency: currency.to_owned(),
        description: None,
        destination: None,
        metadata: Metadata::new(),
        source_type: "card".to_owned(),
        statement_descriptor: None,
        is_instant: false,
    }
}

impl World {
    /// Somebody pays out by hand: no metadata, no key.
    pub(crate) fn pay_by_hand(
        &mut self,
        now: Now,
        account: &str,
        (amount, currency): (i64, &str),
    ) -> Result<Value, ApiError> {
        let place = self.create_payout(now, account, &plain(amount, currency), DASHBOARD)?;
        Ok(self.payout_value(place))
    }

    /// Stripe pays an account's whole available balance in one currency; nothing when it can't.
    pub(crate) fn pay_automatically(&mut self, now: Now, account: &str, currency: &str) -> Option<String> {
        let available = self.accounts.get(account)?.purses.get(currency)?.available;
        let amount = available - available.rem_euclid(payout_unit(currency));
        if amount < 1 {
            return None;
        }
        let place = self.create_payout(now, account, &plain(amount, currency), AUTOMATIC).ok()?;
        let id = self.payouts[place].id.clone();
        let places = self.accounts.get(account).map(|account| account.txns.clone()).unwrap_or_default();
        for place in places {
            let txn = &mut self.txns[place];
            let is_payout = matches!(txn.entry.kind, TxnKind::Payout | TxnKind::PayoutFailure | TxnKind::PayoutCancel);
            if txn.entry.currency == currency && txn.is_available && txn.payout.is_none() && !is_payout {
                txn.payout = Some(id.clone());
            }
        }
        Some(id)
    }

    /// Stripe debits the bank account for a negative balance, unless it already does.
    pub(crate) fn debit_negative(&mut self, now: Now, account: &str, currency: &str) -> Option<String> {
        let row = self.accounts.get(account)?;
        let available = row.purses.get(currency)?.available;
        let under_way = row.payouts.iter().rev().filter_map(|place| self.payouts.get(*place)).any(|payout| {
            payout.amount < 0
                && payout.automatic
                && payout.currency == currency
                && matches!(payout.status, Status::Pending | Status::InTransit)
        });
        let bank = row.default_bank(currency).filter(|bank| bank.refusal().is_none())?.id.clone();
        if available >= 0 || under_way {
            return None;
        }
        let debit = self.blank_payout(now, account, (available, currency), &bank, AUTOMATIC);
        let place = self.make_debit(now, debit).ok()?;
        Some(self.payouts[place].id.clone())
    }

    /// What Stripe does by itself at the start of a day.
    pub(crate) fn nightly(&mut self, now: Now) {
        let day = now.date_s().div_euclid(86_400);
        for at in 0..self.account_order.len() {
            let id = self.account_order[at].clone();
            let Some(account) = self.accounts.get(&id) else {
                continue;
            };
            let pays = is_payday(account, day);
            let debits = account.more.debits_negative;
            let purses: Vec<(String, i64)> =
                account.purses.iter().map(|(currency, purse)| (currency.clone(), purse.available)).collect();
            for (currency, available) in purses {
                if available > 0 && pays {
                    self.pay_automatically(now, &id, &currency);
                } else if available < 0 && debits {
                    self.debit_negative(now, &id, &currency);
                }
            }
        }
    }
}

/// Whether the schedule pays on this day of the epoch.
fn is_payday(account: &crate::account::Account, day: i64) -> bool {
    const WEEK: [&str; 7] = ["thursday", "friday", "saturday", "sunday", "monday", "tuesday", "wednesday"];
    match account.spec.schedule.as_str() {
        "daily" => true,
        "weekly" => {
            let today = usize::try_from(day.rem_euclid(7)).ok().and_then(|at| WEEK.get(at));
            today == Some(&account.more.weekly_anchor.as_deref().unwrap_or("monday"))
        }
        "monthly" => {
            let date = jiff::Timestamp::from_second(day * 86_400).unwrap_or_default();
            let date = date.to_zoned(jiff::tz::TimeZone::UTC).date();
            let anchor = account.more.monthly_anchor.unwrap_or(1).min(i64::from(date.days_in_month()));
            i64::from(date.day()) == anchor
        }
        _ => false,
    }
}
