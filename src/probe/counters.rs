//! Counters: how often each event happened, what each layer did, why frames were dropped.

use super::Kind;
use crate::event::{DropReason, Event, Layer, Observer, Record};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts events. Clones share their numbers: one goes to the stack, the other is read at any time. An event costs an
/// addition or two.
#[derive(Clone, Debug)]
pub struct Counters {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    events: Vec<AtomicU64>,
    layers: [LayerCells; Layer::ALL.len()],
    /// By layer, then by reason.
    drops: Vec<AtomicU64>,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

#[derive(Default, Debug)]
struct LayerCells {
    stripped: AtomicU64,
    prepended: AtomicU64,
    dropped: AtomicU64,
}

/// What one layer did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct LayerCounts {
    pub stripped: u64,
    pub prepended: u64,
    pub dropped: u64,
}

/// The numbers at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    pub frames_in: u64,
    pub bytes_in: u64,
    pub frames_out: u64,
    pub bytes_out: u64,
    pub layers: BTreeMap<Layer, LayerCounts>,
    /// Those that happened.
    pub events: BTreeMap<Kind, u64>,
    /// Those that happened.
    pub drops: BTreeMap<(Layer, DropReason), u64>,
}

impl Default for Counters {
    fn default() -> Counters {
        let cells = |number: usize| (0..number).map(|_| AtomicU64::new(0)).collect();
        let shared = Shared {
            events: cells(Kind::ALL.len()),
            layers: Default::default(),
            drops: cells(Layer::ALL.len() * DropReason::ALL.len()),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
        };
        Counters { shared: Arc::new(shared) }
    }
}

impl Counters {
    pub fn new() -> Counters {
        Counters::default()
    }

    pub fn snapshot(&self) -> Snapshot {
        let read = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        let events: BTreeMap<Kind, u64> = Kind::ALL
            .iter()
            .map(|kind| (*kind, read(&self.shared.events[*kind as usize])))
            .filter(|(_, count)| *count > 0)
            .collect();
        let layers = Layer::ALL.map(|layer| {
            let cells = &self.shared.layers[layer as usize];
            let [stripped, prepended, dropped] = [&cells.stripped, &cells.prepended, &cells.dropped].map(read);
            (layer, LayerCounts { stripped, prepended, dropped })
        });
        let drops = Layer::ALL.iter().flat_map(|layer| DropReason::ALL.iter().map(move |reason| (*layer, *reason)));
        let of = |kind| events.get(&kind).copied().unwrap_or(0);
        Snapshot {
            frames_in: of(Kind::FrameReceived),
            bytes_in: read(&self.shared.bytes_in),
            frames_out: of(Kind::FrameSent),
            bytes_out: read(&self.shared.bytes_out),
            layers: layers.into_iter().collect(),
            drops: drops
                .map(|(layer, reason)| ((layer, reason), read(&self.shared.drops[drop_index(layer, reason)])))
                .filter(|(_, count)| *count > 0)
                .collect(),
            events,
        }
    }
}

impl Snapshot {
    /// How often an event of this kind happened.
    pub fn events(&self, kind: Kind) -> u64 {
        self.events.get(&kind).copied().unwrap_or(0)
    }

    /// How many frames any layer dropped for this reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops.iter().filter(|((_, of), _)| *of == reason).map(|(_, count)| count).sum()
    }

    /// As `--stats` writes it: names in a fixed order.
    #[cfg(feature = "app")]
    pub fn to_json(&self) -> serde_json::Value {
        let layers = self.layers.iter().filter(|(_, counts)| **counts != LayerCounts::default());
        let layers = layers.map(|(layer, counts)| {
            let LayerCounts { stripped, prepended, dropped } = counts;
            let counts = serde_json::json!({ "stripped": stripped, "prepended": prepended, "dropped": dropped });
            (layer.to_string(), counts)
        });
        let drops = self.drops.iter().map(|((layer, reason), frames)| {
            serde_json::json!({ "layer": layer.to_string(), "reason": reason.text(), "frames": frames })
        });
        serde_json::json!({
            "frames_in": self.frames_in,
            "bytes_in": self.bytes_in,
            "frames_out": self.frames_out,
            "bytes_out": self.bytes_out,
            "layers": layers.collect::<serde_json::Map<_, _>>(),
            "drops": drops.collect::<Vec<_>>(),
            "events": self.events.iter().map(|(kind, count)| (kind.name().into(), (*count).into()))
                .collect::<serde_json::Map<_, _>>(),
        })
    }
}

impl Observer for Counters {
    fn observe(&mut self, record: &Record<'_>) {
        let shared = &*self.shared;
        let add = |cell: &AtomicU64, more: usize| cell.fetch_add(more as u64, Ordering::Relaxed);
        add(&shared.events[Kind::of(&record.event) as usize], 1);
        match &record.event {
            Event::FrameReceived { bytes, .. } => add(&shared.bytes_in, bytes.len()),
            Event::FrameSent { frame } => add(&shared.bytes_out, frame.len()),
            Event::Stripped { layer, .. } => add(&shared.layers[*layer as usize].stripped, 1),
            Event::Prepended { layer, .. } => add(&shared.layers[*layer as usize].prepended, 1),
            Event::Dropped { layer, reason } => {
                add(&shared.drops[drop_index(*layer, *reason)], 1);
                add(&shared.layers[*layer as usize].dropped, 1)
            }
            Event::FrameHandled
            | Event::Neighbour { .. }
            | Event::AwaitsNeighbour { .. }
            | Event::AddressConflict { .. }
            | Event::NeighbourMessage { .. }
            | Event::Fragmented { .. }
            | Event::FragmentHeld { .. }
            | Event::Reassembled { .. }
            | Event::PathMtu { .. }
            | Event::Icmp { .. }
            | Event::Delivered { .. }
            | Event::Tcp { .. } => 0,
        };
    }
}

fn drop_index(layer: Layer, reason: DropReason) -> usize {
    layer as usize * DropReason::ALL.len() + reason as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameId, Offload};
    use crate::probe::samples::{frame, tcp_data};
    use crate::time::Instant;

    #[test]
    fn what_happened_is_counted_by_kind_layer_and_reason() {
        let counters = Counters::new();
        let mut observer = counters.clone();
        let (bytes, sent) = (tcp_data(b"x"), frame(2, b"abc"));
        let mut tell = |event| observer.observe(&Record { at: Instant::ZERO, frame: Some(FrameId(1)), event });
        tell(Event::FrameReceived { bytes: &bytes, offload: Offload::default() });
        tell(Event::Stripped { layer: Layer::Ethernet, header: &bytes[..14], payload: 41 });
        tell(Event::Dropped { layer: Layer::Tcp, reason: DropReason::BadTcpChecksum });
        tell(Event::Dropped { layer: Layer::Tcp, reason: DropReason::BadTcpChecksum });
        tell(Event::FrameSent { frame: &sent });
        let now = counters.snapshot();
        assert_eq!((now.frames_in, now.bytes_in, now.frames_out, now.bytes_out), (1, bytes.len() as u64, 1, 3));
        assert_eq!(now.layers[&Layer::Tcp], LayerCounts { dropped: 2, ..LayerCounts::default() });
        assert_eq!(now.dropped(DropReason::BadTcpChecksum), 2);
        assert_eq!((now.events(Kind::Stripped), now.events(Kind::Prepended)), (1, 0));
    }

    #[cfg(feature = "app")]
    #[test]
    fn json_names_what_happened_and_nothing_else() {
        let mut counters = Counters::new();
        let event = Event::Dropped { layer: Layer::Arp, reason: DropReason::MalformedArp };
        counters.observe(&Record { at: Instant::ZERO, frame: None, event });
        assert_eq!(
            counters.snapshot().to_json().to_string(),
            r#"{"frames_in":0,"bytes_in":0,"frames_out":0,"bytes_out":0,"#.to_owned()
                + r#""layers":{"ARP":{"stripped":0,"prepended":0,"dropped":1}},"#
                + r#""drops":[{"layer":"ARP","reason":"malformed ARP packet","frames":1}],"events":{"dropped":1}}"#
        );
    }
}
