//! The marketplace's GET endpoints: balance transactions, intents, charges, refunds, transfers, fees, disputes.
//! Called by `read`. Invariant: as in `read`, lists are newest first and a cursor never shows a row twice; a connected
//! account sees its own payments only.

use serde_json::Value;

use crate::PLATFORM_ACCOUNT;
use crate::errors::ApiError;
use crate::form::Form;
use crate::market::Shelf;
use crate::read::{Page, unexpanded};
use crate::routes::{Endpoint, Route};
use crate::txn::Txn;
use crate::world::World;
use crate::{shape, shape_market as draw};

const PAGE: [&str; 5] = ["created", "ending_before", "expand", "limit", "starting_after"];

/// One page of a shelf: rows that are wanted, drawn by their place.
fn page_of<T>(
    shelf: &Shelf<T>,
    query: &Form,
    (url, what): (&str, &str),
    wanted: impl Fn(&T) -> bool,
    draw: impl Fn(usize) -> Value,
) -> Result<Value, ApiError> {
    let page = Page::read(query)?;
    let last = shelf.rows.len().saturating_sub(1);
    let rows = shelf.rows.iter().enumerate().rev().map(|(place, row)| (last - place, (place, row)));
    let rows = rows.filter(|(_, (_, row))| wanted(row)).map(|(rank, (place, _))| (rank, place));
    let (rows, has_more) = page.cut(rows, what, |id| shelf.place(id).map(|place| last - place))?;
    Ok(shape::list(url, rows.into_iter().map(draw).collect(), has_more))
}

fn known(query: &Form, own: &[&str]) -> Result<(), ApiError> {
    unexpanded(query, &[&PAGE, own].concat())
}

/// Whether a filter that is given holds.
fn is(query: &Form, name: &str, value: Option<&str>) -> bool {
    query.get(name).is_none_or(|wanted| value == Some(wanted))
}

impl World {
    pub(crate) fn read_market(&self, account: &str, endpoint: &Endpoint, query: &Form) -> Result<Value, ApiError> {
        let id = endpoint.id(0);
        match endpoint.route {
            Route::TxnList => return self.txn_list(account, query),
            Route::TxnRetrieve => return self.txn_retrieve(account, id, query),
            Route::ChargeList if account != PLATFORM_ACCOUNT => return self.payment_list(account, query),
            Route::ChargeRetrieve if account != PLATFORM_ACCOUNT => return self.payment_retrieve(account, id, query),
            // Nothing else of the marketplace belongs to a connected account.
            _ if account != PLATFORM_ACCOUNT => return Err(ApiError::no_such("object", id, "id", 404)),
            _ => {}
        }
        match endpoint.route {
            Route::IntentList | Route::ChargeList | Route::RefundList | Route::TransferList => {
                self.list_sold(endpoint.route, query)
            }
            Route::ReversalList => self.reversal_list(id, query),
            Route::FeeList => {
                known(query, &["charge"])?;
                let created = query.range("created")?;
                let of = ("/v1/application_fees", "application fee");
                let draw = |place| draw::fee(&self.market, place, self.rules.livemode);
                page_of(&self.market.fees, query, of, |fee| created.holds(fee.created), draw)
            }
            Route::DisputeList => {
                known(query, &["charge", "payment_intent"])?;
                let created = query.range("created")?;
                let charge = |place: usize| self.market.charges.rows.get(place);
                let wanted = |dispute: &crate::dispute::Dispute| {
                    let charge = charge(dispute.charge);
                    created.holds(dispute.created)
                        && is(query, "charge", charge.map(|charge| charge.id.as_str()))
                        && is(query, "payment_intent", charge.map(|charge| charge.intent.as_str()))
                };
                let of = ("/v1/disputes", "dispute");
                page_of(&self.market.disputes, query, of, wanted, |place| self.dispute_value(place))
            }
            route => self.retrieve_sold(route, id, query),
        }
    }

    fn list_sold(&self, route: Route, query: &Form) -> Result<Value, ApiError> {
        let (market, livemode) = (&self.market, self.rules.livemode);
        let created = query.range("created")?;
        match route {
            Route::IntentList => {
                known(query, &["customer"])?;
                let draw = |place| draw::intent(&market.intents.rows[place], livemode);
                let of = ("/v1/payment_intents", "payment_intent");
                page_of(&market.intents, query, of, |intent| created.holds(intent.created), draw)
            }
            Route::ChargeList => {
                known(query, &["customer", "payment_intent", "transfer_group"])?;
                let draw = |place| draw::charge(market, place, livemode);
                let wanted = |charge: &crate::market::Charge| {
                    created.holds(charge.created)
                        && is(query, "payment_intent", Some(&charge.intent))
                        && is(query, "transfer_group", charge.new.transfer_group.as_deref())
                };
                page_of(&market.charges, query, ("/v1/charges", "charge"), wanted, draw)
            }
            Route::RefundList => {
                known(query, &["charge", "payment_intent"])?;
                let wanted = |refund: &crate::market::Refund| {
                    let charge = &market.charges.rows[refund.charge];
                    created.holds(refund.created)
                        && is(query, "charge", Some(&charge.id))
                        && is(query, "payment_intent", Some(&charge.intent))
                };
                let draw = |place| draw::refund(market, place);
                page_of(&market.refunds, query, ("/v1/refunds", "refund"), wanted, draw)
            }
            _ => {
                known(query, &["destination", "transfer_group"])?;
                let wanted = |transfer: &crate::market::Transfer| {
                    created.holds(transfer.created)
                        && is(query, "destination", Some(&transfer.destination))
                        && is(query, "transfer_group", transfer.transfer_group.as_deref())
                };
                let draw = |place| draw::transfer(market, place, livemode);
                page_of(&market.transfers, query, ("/v1/transfers", "transfer"), wanted, draw)
            }
        }
    }

    fn reversal_list(&self, transfer: &str, query: &Form) -> Result<Value, ApiError> {
        unexpanded(query, &["ending_before", "expand", "limit", "starting_after"])?;
        let place = self.market.transfers.place(transfer);
        let place = place.ok_or_else(|| ApiError::no_such("transfer", transfer, "id", 404))?;
        let url = format!("/v1/transfers/{transfer}/reversals");
        let wanted = |reversal: &crate::market::Reversal| reversal.transfer == place;
        let draw = |place| draw::reversal(&self.market, place);
        page_of(&self.market.reversals, query, (&url, "reversal"), wanted, draw)
    }

    fn retrieve_sold(&self, route: Route, id: &str, query: &Form) -> Result<Value, ApiError> {
        unexpanded(query, &["expand"])?;
        let (market, livemode) = (&self.market, self.rules.livemode);
        let (what, found) = match route {
            Route::IntentRetrieve => {
                ("payment_intent", market.intents.find(id).map(|intent| draw::intent(intent, livemode)))
            }
            Route::ChargeRetrieve => {
                ("charge", market.charges.place(id).map(|place| draw::charge(market, place, livemode)))
            }
            Route::RefundRetrieve => ("refund", market.refunds.place(id).map(|place| draw::refund(market, place))),
            Route::TransferRetrieve => {
                ("transfer", market.transfers.place(id).map(|place| draw::transfer(market, place, livemode)))
            }
            Route::FeeRetrieve => {
                ("application fee", market.fees.place(id).map(|place| draw::fee(market, place, livemode)))
            }
            Route::DisputeRetrieve => ("dispute", market.disputes.place(id).map(|place| self.dispute_value(place))),
            _ => return Err(ApiError::unrecognized_url("GET", id)),
        };
        found.ok_or_else(|| ApiError::no_such(what, id, "id", 404))
    }

    fn own_payment(&self, account: &str, place: usize) -> Option<Value> {
        let transfer = self.market.transfers.rows.get(place).filter(|transfer| transfer.destination == account);
        transfer.map(|_| draw::payment(&self.market, place, self.rules.livemode))
    }

    fn payment_retrieve(&self, account: &str, id: &str, query: &Form) -> Result<Value, ApiError> {
        unexpanded(query, &["expand"])?;
        let place = self.market.payments.get(id).copied();
        let found = place.and_then(|place| self.own_payment(account, place));
        found.ok_or_else(|| ApiError::no_such("charge", id, "charge", 404))
    }

    fn payment_list(&self, account: &str, query: &Form) -> Result<Value, ApiError> {
        known(query, &["transfer_group"])?;
        let created = query.range("created")?;
        let page = Page::read(query)?;
        let transfers = &self.market.transfers.rows;
        let last = transfers.len().saturating_sub(1);
        let own = transfers.iter().enumerate().rev().filter(|(_, transfer)| {
            transfer.destination == account
                && created.holds(transfer.created)
                && is(query, "transfer_group", transfer.transfer_group.as_deref())
        });
        let rows = own.map(|(place, _)| (last - place, place));
        let rank = |id: &str| self.market.payments.get(id).map(|place| last - place);
        let (rows, has_more) = page.cut(rows, "charge", rank)?;
        let data = rows.into_iter().filter_map(|place| self.own_payment(account, place)).collect();
        Ok(shape::list("/v1/charges", data, has_more))
    }

    fn txn_retrieve(&self, account: &str, id: &str, query: &Form) -> Result<Value, ApiError> {
        unexpanded(query, &["expand"])?;
        let txn = self.txn_place(id).and_then(|place| self.txns.get(place));
        let txn = txn.filter(|txn| txn.entry.account == account);
        txn.map(draw::txn).ok_or_else(|| ApiError::no_such("balance transaction", id, "id", 404))
    }

    fn txn_list(&self, account: &str, query: &Form) -> Result<Value, ApiError> {
        known(query, &["currency", "payout", "source", "type"])?;
        let page = Page::read(query)?;
        let created = query.range("created")?;
        if let Some(payout) = query.get("payout") {
            let automatic = self.payout_places.get(payout).and_then(|place| self.payouts.get(*place));
            let automatic = automatic.filter(|payout| payout.account == account);
            let automatic = automatic.ok_or_else(|| ApiError::no_such("payout", payout, "payout", 404))?.automatic;
            if !automatic {
                let text = "Balance transaction history can only be filtered on automatic transfers, not manual.";
                return Err(ApiError::invalid("payout", text));
            }
        }
        let wanted = |txn: &Txn| {
            created.holds(txn.created)
                && is(query, "type", Some(txn.entry.kind.words().0))
                && is(query, "currency", Some(&txn.entry.currency))
                && is(query, "source", txn.entry.source.as_deref())
                && (is(query, "payout", txn.payout.as_deref()) || is(query, "payout", txn.entry.source.as_deref()))
        };
        let places = self.accounts.get(account).map(|account| account.txns.as_slice()).unwrap_or_default();
        let newest_first = places.iter().rev().filter_map(|place| self.txns.get(*place));
        let rows = newest_first.enumerate().filter(|(_, txn)| wanted(txn));
        let rank = |id: &str| Some(places.len() - 1 - places.binary_search(&self.txn_place(id)?).ok()?);
        let (rows, has_more) = page.cut(rows, "balance transaction", rank)?;
        Ok(shape::list("/v1/balance_transactions", rows.into_iter().map(draw::txn).collect(), has_more))
    }
}
