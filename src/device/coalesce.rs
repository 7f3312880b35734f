//! Receive coalescing: a wrapper around a device whose frames come in small. The segments of one connection that arrive
//! in one batch, one behind the other, are put together before the stack sees them, so that it pays once for a train.
//!
//! It is what Linux calls GRO. What joins and what does not is the business of [`wire::offload`](crate::wire::offload).
//! A capture shows the segments apart again.

use super::{Batch, Capabilities, Device};
use crate::frame::{Checksum, Frame};
use crate::time::Instant;
use crate::wire::offload::{Segment, Train};
use crate::wire::protocol;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;

/// How many connections may have a train in a batch at a time; of one more, the segments stand for themselves.
const TRAINS: usize = 8;

/// A device whose trains arrive as super-frames.
#[derive(Debug)]
pub struct Coalesce<D> {
    device: D,
}

impl<D: Device> Coalesce<D> {
    pub fn new(device: D) -> Coalesce<D> {
        Coalesce { device }
    }
}

impl<D: Device> Device for Coalesce<D> {
    fn describe(&self) -> String {
        self.device.describe()
    }

    fn capabilities(&self) -> Capabilities {
        self.device.capabilities()
    }

    fn receive(&mut self, now: Instant, batch: &mut Batch) -> io::Result<()> {
        let before = batch.len();
        self.device.receive(now, batch)?;
        batch.coalesce(before);
        Ok(())
    }

    fn transmit(&mut self, now: Instant, frames: &mut VecDeque<Frame>) -> io::Result<()> {
        self.device.transmit(now, frames)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.device.descriptor()
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.device.next_deadline()
    }

    fn lost(&self) -> u64 {
        self.device.lost()
    }
}

impl Batch {
    /// Puts trains together among the frames from the `first` on.
    pub fn coalesce(&mut self, first: usize) {
        let mut trains = SmallVec::<[(usize, Train); TRAINS]>::new();
        for index in first..self.len() {
            let slot = &self.slots[index];
            let Some(segment) = Segment::find(&slot.buffer).filter(|_| slot.offload.segment_size.is_none()) else {
                // A segment in another guise may be of an open train, and must not overtake it.
                if !is_surely_no_segment(&self.slots[index].buffer) {
                    self.finish(&mut trains);
                }
                continue;
            };
            match trains.iter().position(|(_, train)| train.is_of(&segment)) {
                Some(place) if self.join(&mut trains[place], index, &segment) => {}
                Some(place) => {
                    let (head, train) = trains.swap_remove(place);
                    self.end(head, train);
                    trains.extend(Train::begin(segment).map(|train| (index, train)));
                }
                None if trains.len() < TRAINS => trains.extend(Train::begin(segment).map(|train| (index, train))),
                None => {}
            }
        }
        self.finish(&mut trains);
    }

    fn join(&mut self, (head, train): &mut (usize, Train), index: usize, segment: &Segment) -> bool {
        let (before, after) = self.slots.split_at_mut(index);
        let (head, slot) = (&mut before[*head], &mut after[0]);
        let good = |checksum| checksum != Checksum::Full;
        let (head_good, slot_good) = (good(head.offload.checksum), good(slot.offload.checksum));
        let Some(place) = train.join(&head.buffer, head_good, &slot.buffer, segment, slot_good) else { return false };
        head.buffer.truncate(place);
        head.buffer.extend_from_slice(&slot.buffer[segment.data()]);
        slot.joined = true;
        true
    }

    fn finish(&mut self, trains: &mut SmallVec<[(usize, Train); TRAINS]>) {
        trains.drain(..).for_each(|(head, train)| self.end(head, train));
    }

    fn end(&mut self, head: usize, train: Train) {
        let slot = &mut self.slots[head];
        if let Some(segment_size) = train.finish(&mut slot.buffer) {
            slot.offload.segment_size = Some(segment_size);
            slot.offload.checksum = Checksum::Good;
        }
    }
}

/// ARP, or another protocol over IPv4.
fn is_surely_no_segment(bytes: &[u8]) -> bool {
    match bytes.get(12..14) {
        Some([8, 6]) => true,
        Some([8, 0]) => bytes.get(23).is_some_and(|protocol| *protocol != protocol::TCP),
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameId, Offload, Payload};
    use crate::wire::offload::split;
    use etherparse::PacketBuilder;
    use proptest::prelude::*;
    use std::num::NonZeroU16;

    /// A segment from `port` with data from the stream `0, 1, 2 ..`.
    fn segment(port: u16, seq: u32, len: usize, psh: bool) -> Vec<u8> {
        let packet = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64);
        let mut builder = packet.tcp(port, 80, seq, 4096).ack(7);
        if psh {
            builder = builder.psh();
        }
        let data: Vec<u8> = (0..len).map(|i| (seq as usize + i) as u8).collect();
        let mut bytes = Vec::new();
        builder.write(&mut bytes, &data).expect("a vector takes everything");
        bytes
    }

    fn coalesced(frames: &[Vec<u8>]) -> Vec<(Vec<u8>, Offload)> {
        let mut batch = Batch::new(frames.len());
        frames.iter().for_each(|frame| batch.push(frame, Offload::default()));
        batch.coalesce(0);
        batch.iter().map(|frame| (frame.bytes.to_vec(), frame.offload)).collect()
    }

    fn lens(frames: &[Vec<u8>]) -> Vec<usize> {
        coalesced(frames).iter().map(|(bytes, _)| bytes.len() - 54).collect()
    }

    #[test]
    fn trains_of_several_connections_come_together_and_nothing_overtakes() {
        let frames = [
            segment(1, 0, 100, false),
            segment(2, 0, 50, false),
            segment(1, 100, 100, false),
            segment(2, 50, 50, false),
            segment(1, 200, 30, true),
            segment(1, 230, 100, false),
            segment(2, 150, 50, false),
            segment(2, 200, 50, false),
        ];
        // The fifth ends its train by its length and its PSH; the seventh leaves a gap.
        assert_eq!(lens(&frames), [230, 100, 100, 100]);
        let (_, offload) = &coalesced(&frames)[0];
        assert_eq!(*offload, Offload { checksum: Checksum::Good, segment_size: NonZeroU16::new(100) });
    }

    #[test]
    fn a_datagram_between_them_parts_nobody_and_a_fragment_does() {
        let (first, second) = (segment(1, 0, 100, false), segment(1, 100, 100, false));
        let mut datagram = first.clone();
        datagram[23] = protocol::UDP;
        let mut fragment = first.clone();
        fragment[20] = 0x20;
        assert_eq!(lens(&[first.clone(), datagram, second.clone()]), [200, 100]);
        assert_eq!(lens(&[first, fragment, second]), [100, 100, 100]);
    }

    #[test]
    fn a_new_batch_remembers_nothing_of_the_last() {
        let frames = [segment(1, 0, 100, false), segment(1, 100, 100, false)];
        let mut batch = Batch::new(2);
        for _ in 0..2 {
            batch.clear();
            frames.iter().for_each(|frame| batch.push(frame, Offload::default()));
            assert_eq!(batch.iter().count(), 2);
            batch.coalesce(0);
            assert_eq!(batch.iter().count(), 1);
        }
    }

    #[test]
    fn a_train_ends_before_it_is_longer_than_ip_can_say() {
        let frames: Vec<_> = (0..60).map(|i| segment(1, i * 1460, 1460, false)).collect();
        assert_eq!(lens(&frames), [44 * 1460, 16 * 1460]);
    }

    proptest! {
        /// In whatever order segments come: nothing is lost, and each connection's bytes keep theirs.
        #[test]
        fn nothing_is_lost_and_nothing_overtakes(
            segments in proptest::collection::vec((1u16..4, 0u32..6, 1usize..3, any::<bool>()), 0..40)
        ) {
            let frames: Vec<_> = segments.iter().map(|(port, seq, len, psh)| segment(*port, seq * 50, len * 50, *psh)).collect();
            let after: Vec<Vec<u8>> = coalesced(&frames).into_iter().flat_map(|(bytes, offload)| {
                match offload.segment_size {
                    Some(size) => split(&bytes, size.get().into()).expect("a train comes apart"),
                    None => vec![bytes],
                }
            }).collect();
            for port in 1..4 {
                let of = |frames: &[Vec<u8>]| -> Vec<Vec<u8>> {
                    let mut frames = frames.to_vec();
                    frames.retain(|frame| frame[35] == port);
                    // Where there was none, each piece has an identification of its own now.
                    frames.iter_mut().for_each(|frame| { frame[18..20].fill(0); frame[24..26].fill(0) });
                    frames
                };
                prop_assert_eq!(of(&frames), of(&after));
            }
        }
    }

    #[test]
    fn a_frame_that_shares_its_payload_comes_apart_as_its_bytes_do() {
        let bytes = segment(1, 0, 2500, true);
        let mut frame = Frame::new(
            FrameId(3),
            [&bytes[54..1054], &bytes[1054..]].map(bytes::Bytes::copy_from_slice).into_iter().collect::<Payload>(),
        );
        frame.prepend(&bytes[..54]);
        frame.offload.segment_size = NonZeroU16::new(1000);
        let pieces = super::super::offload::frames_of(&frame).expect("all headers stand before the payload");
        let whole = super::super::offload::pieces_of(&frame);
        assert_eq!(pieces.iter().map(Frame::to_vec).collect::<Vec<_>>(), whole.to_vec());
        assert!(pieces.iter().all(|piece| piece.offload == Offload::default() && piece.id() == FrameId(3)));
    }
}
