//! Integration tests: they are in `tests/all`, one binary. The package's own binary is what they start as processes.
