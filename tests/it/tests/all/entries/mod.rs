//! Every kind of entry: the tables they came into, which of them count, and how Stripe's events become them.
mod counting;
mod migrated;
mod reserves;
