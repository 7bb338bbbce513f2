//! At size: what is asked often is answered from indexes, and a big plan holds nothing up. Counted, not timed.
mod explain;
mod planning;
