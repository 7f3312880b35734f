//! A connection at rest, folded into a short record.
//!
//! Most connections of a busy server do nothing: nothing is in flight, nothing waits, and what their records say is
//! mostly zero, or the same position over and over. So a connection that has rested for a while is written down as a
//! string of bits, a hundred bytes or two, and everything else that it held is given back. The next segment, call or
//! timer unfolds it, and it goes on as if nothing had been: every field is there again, with the value that it had.
//!
//! ```text
//!            segment, call, timer
//!      +--------------------------------+
//!      v                                |
//!   Connection ---- at rest, 1 s ----> Resting
//!    2 to 4 KB                          100 to 300 bytes
//! ```
//!
//! Each struct says with `folded!` which fields it has, and the compiler objects when one is missing. What is empty in
//! every connection at rest (buffers, the scoreboard) is named as such and not written; `Connection::is_at_rest` makes
//! sure that it is empty. Nothing is rounded and nothing is left out, so that who looks from outside cannot tell.

mod bits;
mod rest;
#[cfg(test)]
pub(super) mod tests;

pub use bits::{Folder, Unfolder};
pub use rest::Resting;

use super::state::State;
use crate::event::CongestionState;
use crate::random::Random;
use crate::time::Instant;
use std::time::Duration;

/// What can be written down and read again.
pub trait Fold: Sized {
    fn fold(&self, to: &mut Folder);

    fn unfold(from: &mut Unfolder<'_>) -> Self;
}

/// `folded!(Name { field, .. })`: a struct by its fields, in this order; `{ field, ..; empty, .. }` has behind the
/// semicolon those that are [`Default`] in a connection at rest. `folded!(Name: One, Two)`: an enum without data.
macro_rules! folded {
    ($name:ident { $($field:ident),* $(; $($empty:ident),*)? $(,)? }) => {
        impl $crate::tcp::fold::Fold for $name {
            fn fold(&self, to: &mut $crate::tcp::fold::Folder) {
                let $name { $($field,)* $($($empty: _,)*)? } = self;
                $($crate::tcp::fold::Fold::fold($field, to);)*
            }

            fn unfold(from: &mut $crate::tcp::fold::Unfolder<'_>) -> $name {
                $(let $field = $crate::tcp::fold::Fold::unfold(from);)*
                $name { $($field,)* $($($empty: Default::default(),)*)? }
            }
        }
    };
    ($name:ident: $($variant:ident),*) => {
        impl $crate::tcp::fold::Fold for $name {
            fn fold(&self, to: &mut $crate::tcp::fold::Folder) {
                match self {
                    $($name::$variant => to.bits($name::$variant as u64, 4),)*
                }
            }

            fn unfold(from: &mut $crate::tcp::fold::Unfolder<'_>) -> $name {
                let variants = [$($name::$variant),*];
                variants[from.bits(4) as usize]
            }
        }
    };
}
pub(super) use folded;

folded!(CongestionState: Open, Disorder, Cwr, Recovery, Loss);
folded!(State: Closed, Listen, SynSent, SynReceived, Established, FinWait1, FinWait2, CloseWait, Closing, LastAck, TimeWait);

impl Fold for bool {
    fn fold(&self, to: &mut Folder) {
        to.bits(u64::from(*self), 1);
    }

    fn unfold(from: &mut Unfolder<'_>) -> bool {
        from.bits(1) == 1
    }
}

macro_rules! folded_numbers {
    ($($number:ty),*) => {$(
        impl Fold for $number {
            fn fold(&self, to: &mut Folder) {
                to.number(*self as u64);
            }

            fn unfold(from: &mut Unfolder<'_>) -> $number {
                from.number() as $number
            }
        }
    )*};
}
folded_numbers!(u8, u16, u32, u64, usize);

impl Fold for Random {
    /// The seed is near to no other number.
    fn fold(&self, to: &mut Folder) {
        let (seed, position) = self.state();
        to.bits(seed & u64::from(u32::MAX), 32);
        to.bits(seed >> 32, 32);
        position.fold(to);
    }

    fn unfold(from: &mut Unfolder<'_>) -> Random {
        let (low, high) = (from.bits(32), from.bits(32));
        Random::at((high << 32 | low, Fold::unfold(from)))
    }
}

impl Fold for u128 {
    fn fold(&self, to: &mut Folder) {
        to.number(*self as u64);
        to.number((*self >> 64) as u64);
    }

    fn unfold(from: &mut Unfolder<'_>) -> u128 {
        let low = from.number();
        u128::from(from.number()) << 64 | u128::from(low)
    }
}

impl Fold for Instant {
    fn fold(&self, to: &mut Folder) {
        to.moment(*self);
    }

    fn unfold(from: &mut Unfolder<'_>) -> Instant {
        from.moment()
    }
}

/// Many settings are whole milliseconds, in nanoseconds.
const MILLI: u32 = 1_000_000;

impl Fold for Duration {
    fn fold(&self, to: &mut Folder) {
        self.as_secs().fold(to);
        let millis = self.subsec_nanos().is_multiple_of(MILLI);
        millis.fold(to);
        let fraction = if millis { self.subsec_millis() } else { self.subsec_nanos() };
        fraction.fold(to);
    }

    fn unfold(from: &mut Unfolder<'_>) -> Duration {
        let seconds = u64::unfold(from);
        let unit = if bool::unfold(from) { MILLI } else { 1 };
        Duration::new(seconds, u32::unfold(from) * unit)
    }
}

impl<T: Fold> Fold for Option<T> {
    fn fold(&self, to: &mut Folder) {
        self.is_some().fold(to);
        if let Some(value) = self {
            value.fold(to);
        }
    }

    fn unfold(from: &mut Unfolder<'_>) -> Option<T> {
        bool::unfold(from).then(|| T::unfold(from))
    }
}

impl<T: Fold> Fold for Box<T> {
    fn fold(&self, to: &mut Folder) {
        T::fold(self, to);
    }

    fn unfold(from: &mut Unfolder<'_>) -> Box<T> {
        Box::new(T::unfold(from))
    }
}

impl<A: Fold, B: Fold> Fold for (A, B) {
    fn fold(&self, to: &mut Folder) {
        self.0.fold(to);
        self.1.fold(to);
    }

    fn unfold(from: &mut Unfolder<'_>) -> (A, B) {
        let first = A::unfold(from);
        (first, B::unfold(from))
    }
}

impl<A: Fold, B: Fold, C: Fold> Fold for (A, B, C) {
    fn fold(&self, to: &mut Folder) {
        self.0.fold(to);
        self.1.fold(to);
        self.2.fold(to);
    }

    fn unfold(from: &mut Unfolder<'_>) -> (A, B, C) {
        let (first, second) = Fold::unfold(from);
        (first, second, C::unfold(from))
    }
}

impl<T: Fold, const N: usize> Fold for [T; N] {
    fn fold(&self, to: &mut Folder) {
        self.iter().for_each(|item| item.fold(to));
    }

    fn unfold(from: &mut Unfolder<'_>) -> [T; N] {
        std::array::from_fn(|_| T::unfold(from))
    }
}
