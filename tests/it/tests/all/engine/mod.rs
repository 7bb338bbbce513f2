//! The engine's laws: each test breaks something at a moment that it names, and the money must come out right.
mod books;
mod probe;
mod stripe;
mod trouble;
mod world;

mod again;
mod answers;
mod breaker;
mod clock;
mod confirming;
mod crash;
mod database;
mod entries;
mod guard;
mod lease;
mod looks;
mod matrix;
mod pace;
mod pause;
mod policies;
mod proof;
mod rollback;
mod runs;
mod sim;
mod sweep;
mod webhooks;
