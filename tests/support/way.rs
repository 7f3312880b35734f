//! Who sums, cuts and joins the segments between two hosts: they themselves, or their devices.

#![allow(dead_code, unused_macros, unused_imports, reason = "each program uses its own part")]

use strata::device::{Batch, SUPER_FRAME, offload};
use strata::frame::{Frame, Offload};
use strata::stack::{Config, Stack};
use strata::time::Instant;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Way {
    /// The link passes super-frames and partial checksums.
    pub link: bool,
    /// The stack makes super-frames, which the device cuts in software where the link does not pass them.
    pub segmentation: bool,
    /// The device joins the trains that arrive.
    pub coalesce: bool,
}

/// Every segment is summed and sent for itself.
pub const PLAIN: Way = Way { link: false, segmentation: false, coalesce: false };
/// The wire knows segments only; devices cut and join them in software.
pub const SOFTWARE: Way = Way { link: false, segmentation: true, coalesce: true };
/// Super-frames pass as they are, with nothing but a promise for a checksum.
pub const WHOLE: Way = Way { link: true, segmentation: true, coalesce: true };

/// A frame on the wire.
pub type Sent = (Vec<u8>, Offload);

impl Way {
    /// What the stack leaves to its device.
    pub fn config(self, config: Config) -> Config {
        let segmentation = self.segmentation.then_some(SUPER_FRAME);
        Config { partial_checksum: self.segmentation, segmentation, ..config }
    }

    /// What the device makes of a frame.
    pub fn put_on_wire(self, frame: &Frame) -> Vec<Sent> {
        if self.link {
            return vec![(frame.to_vec(), frame.offload)];
        }
        offload::pieces_of(frame).into_iter().map(|bytes| (bytes, Offload::default())).collect()
    }

    /// Hands a host what comes to it in one go.
    pub fn take_off_wire<'a>(self, now: Instant, frames: impl IntoIterator<Item = &'a Sent>, host: &mut Stack) {
        let mut batch = Batch::new(usize::MAX);
        frames.into_iter().for_each(|(bytes, offload)| batch.push(bytes, *offload));
        if self.coalesce {
            batch.coalesce(0);
        }
        batch.hand_over(|memory, offload| host.handle_frame_in(now, memory, offload));
    }
}

/// Makes a test of each function for each of these ways.
macro_rules! on_ways {
    ($($name:ident = $way:ident),* => $tests:tt) => {
        $(on_ways!(@ $name $way $tests);)*
    };
    (@ $name:ident $way:ident { $($test:ident),* $(,)? }) => {
        mod $name {
            $(#[test]
            fn $test() {
                super::$test($crate::way::$way);
            })*
        }
    };
}
pub(crate) use on_ways;
