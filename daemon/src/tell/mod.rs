//! Followers of the journal: the watch stream and the figures beside it. They decide nothing and write nothing.
pub mod figures;
pub mod watch;
