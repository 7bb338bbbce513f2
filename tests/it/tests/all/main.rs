//! All integration tests: one binary, so that it is linked once.
mod databases;
mod house;
mod store;
