//! The `strata` command.
