//! Every way in which a small exchange can go: two of our hosts, and a network that may deliver the frames under way in
//! any order, lose some, double some, and hold some back until the timers that waited for them have run out.
//!
//! The search is exhaustive within a [`Budget`] of losses, duplicates and delays; the order of delivery has no bound.
//! In every state what was read must be what was written, as far as it goes; every path must come to an end (no
//! deadlock, no exchange without end), at which everything has arrived, both connections have finished in order, and
//! nothing is left to move.
//!
//! Paths on which every host has seen the same at the same times lead to one state, which is looked into once: that is
//! exact, since a stack knows nothing but what reaches it. A state is revisited by playing its path from the start.
//!
//! | exchange | losses, duplicates, delays | interleavings | states | of super-frames | states |
//! |---|---|---|---|---|---|
//! | client sends 2 segments and closes, server answers with 1 and closes | 2 0 0 / 0 1 0 / 0 0 1 | 3,430 / 802 / 42,659 | 22,699 | 490 / 43 / 131 | 1,842 |
//! | 2 segments one way, 1 the other, both close at once | 2 0 0 / 0 1 0 | 22,000 / 10,542 | 22,722 | 579 / 58 | 1,590 |
//! | server sends 2 segments and closes first | 1 1 0 / 0 0 1 | 7,269 / 5,573 | 19,279 | 901 / 407 | 4,149 |
//! | simultaneous open, 1 segment | 1 0 0 / 0 1 0 | 425 / 13,982 | 12,364 | the same | |
//!
//! Each exchange is searched twice: with every segment in a frame of its own, and with super-frames that pass, are lost
//! and come twice as a whole. So every run goes through 123,698 interleavings. `STRATA_MODEL=1,1,1` searches every
//! exchange with that budget instead (minutes), and `cargo test --test model -- --nocapture` prints what was searched.

mod search;
#[path = "../support/way.rs"]
mod way;
mod world;

use search::search;
use world::{Budget, Exchange};

const ONE_WAY: Exchange = Exchange {
    name: "handshake, two segments one way, one back, close",
    both_connect: false,
    segments: [2, 1],
    waits: [false, true],
    way: way::PLAIN,
};

const BOTH_WAYS: Exchange = Exchange {
    name: "two segments one way, one the other, both close at once",
    both_connect: false,
    segments: [2, 1],
    waits: [false, false],
    way: way::PLAIN,
};

const SERVER_FIRST: Exchange = Exchange {
    name: "the server sends and closes first",
    both_connect: false,
    segments: [0, 2],
    waits: [true, false],
    way: way::PLAIN,
};

const SIMULTANEOUS_OPEN: Exchange = Exchange {
    name: "both open towards each other",
    both_connect: true,
    segments: [1, 0],
    waits: [false, true],
    way: way::PLAIN,
};

fn budget(losses: u8, duplicates: u8, delays: u8) -> Budget {
    Budget { losses, duplicates, delays }
}

/// What is searched in every run, or what the environment asks for.
fn budgets(usual: &[Budget]) -> Vec<Budget> {
    let Ok(asked) = std::env::var("STRATA_MODEL") else { return usual.to_vec() };
    let numbers: Vec<u8> = asked.split(',').map(|word| word.trim().parse().expect("STRATA_MODEL=1,1,1")).collect();
    let &[losses, duplicates, delays] = &numbers[..] else { panic!("STRATA_MODEL=losses,duplicates,delays") };
    vec![budget(losses, duplicates, delays)]
}

fn holds(exchange: Exchange, usual: &[Budget]) {
    for budget in budgets(usual) {
        for way in [way::PLAIN, way::WHOLE] {
            let found = search(Exchange { way, ..exchange }, budget);
            println!("{}: {budget:?}, super-frames {}: {found}", exchange.name, way.link);
        }
    }
}

#[test]
fn nothing_is_lost_or_doubled_when_the_client_closes_first() {
    holds(ONE_WAY, &[budget(2, 0, 0), budget(0, 1, 0), budget(0, 0, 1)]);
}

#[test]
fn both_ends_come_to_rest_when_both_close_at_once() {
    holds(BOTH_WAYS, &[budget(2, 0, 0), budget(0, 1, 0)]);
}

#[test]
fn both_ends_come_to_rest_when_the_server_closes_first() {
    holds(SERVER_FIRST, &[budget(1, 1, 0), budget(0, 0, 1)]);
}

#[test]
fn two_active_opens_make_one_connection() {
    holds(SIMULTANEOUS_OPEN, &[budget(1, 0, 0), budget(0, 1, 0)]);
}

/// The search itself: where both wait for the other to begin, nothing can happen.
#[test]
#[should_panic(expected = "deadlock")]
fn a_deadlock_is_found() {
    search(Exchange { name: "each waits for the other", waits: [true, true], ..BOTH_WAYS }, budget(0, 0, 0));
}
