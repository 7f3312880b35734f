//! Packet scripts: tests of a stack as a list of system calls, packets to it and packets expected of it, run in
//! virtual time and without privileges.
//!
//! ```text
//! script  := option* [`init`] event+ [`cleanup`]
//! event   := when action      when    := t | +t | * | t~t | +t~+t          seconds; * and ranges only for `>`
//! action  := packet | call | `command` | %{ code }%
//! packet  := < or >  [outer :]*  [(ip)]  tcp | udp | icmp                  < to the stack, > expected of it
//! tcp     := [sport > dport] flags start:end(len) [ack n] [win n] [urg n] [<options>] | ... <...>
//! flags   := - | any of F S R P . E W A U, or a digit for the ACE field
//! udp     := udp [sport > dport] (len)
//! icmp    := icmp type [code] [mtu n] [id n] [ '[' start:end(len) | udp (len) | raw (len) ']' ]     the latter also in front
//! call    := [...end] name(arguments) = result [ERRNO] [(words)] [(words)]
//! ```
//!
//! `run` runs the tree against a stack, `record` makes a script from a capture. `lexer` makes tokens, `parse` the tree of
//! `syntax`, `print` text again: `parse(print(tree)) == tree`.
//!
//! ```
//! use strata::sim::script::{self, Options, Outcome};
//!
//! let script = script::parse("0 < S 0:0(0) win 1000\n+0 > R. 0:0(0) ack 1")?;
//! assert_eq!(script::run(&script, &Options::default(), None), Outcome::Passed);
//! assert_eq!(script::parse("0 < S 0:0").unwrap_err().to_string(), "1:10: expected `(`, found the end of the script");
//! # Ok::<(), script::ParseError>(())
//! ```

mod decode;
mod icmp_names;
mod lexer;
mod parse;
mod print;
pub mod record;
pub mod run;
pub mod syntax;

pub use lexer::ParseError;
pub use parse::{parse, parse_with};
pub use record::record;
pub use run::{Options, Outcome, run};
