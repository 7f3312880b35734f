//! Every event as a JSON object on a line of its own: for `jq`, notebooks and whatever is yet to be written.
//!
//! Each object has `at_ns` (nanoseconds), `frame` when the event is about one, `event` (its [`Kind`]), the event's
//! own facts, and `text`: the same sentence that captures and the layer tree show. Spans of time are in nanoseconds
//! and end in `_ns`; headers are in hexadecimal; whole frames are left to the capture.
//!
//! ```text
//! {"at_ns":1234000,"frame":3,"event":"tcp_state","local":"192.0.2.2:80","remote":"192.0.2.1:41234",
//!  "from":"LISTEN","to":"SYN-RECEIVED","why":"rcv SYN","text":"LISTEN -> SYN-RECEIVED: rcv SYN"}
//! ```

use super::drive::{Background, BackgroundObserver, Direct, EveryRecord, Sink, Summary};
use super::{Kind, OwnedRecord, narrate};
use crate::event::{Event, IcmpEvent, Record, TcpEvent};
use crate::frame::Offload;
use crate::time::nanos;
use crate::wire::MacAddress;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// JSON lines that are being written on a thread of their own.
pub struct JsonLines {
    background: Background<OwnedRecord>,
}

impl JsonLines {
    /// Creates the file and starts the thread; the observer goes to the stack.
    ///
    /// # Errors
    /// The file cannot be created; the error names it.
    pub fn create(path: &Path) -> io::Result<(BackgroundObserver<EveryRecord>, JsonLines)> {
        let file = File::create(path)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot create {}: {error}", path.display())))?;
        JsonLines::start(BufWriter::with_capacity(1 << 16, file))
    }

    /// The same into anything that can be written to.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<(BackgroundObserver<EveryRecord>, JsonLines)> {
        let (observer, background) = Background::start("json-lines", EveryRecord, JsonSink { out })?;
        Ok((observer, JsonLines { background }))
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// The first error in writing.
    pub fn finish(self) -> io::Result<Summary> {
        self.background.finish()
    }
}

/// JSON lines that are written at once, for virtual time.
pub fn direct<W: Write + Send>(out: W) -> Direct<EveryRecord, JsonSink<W>> {
    Direct::new(EveryRecord, JsonSink { out })
}

/// Writes records as lines. Where some were lost stands an object of its own: `{"event":"missed","count":12}`.
#[derive(Debug)]
pub struct JsonSink<W> {
    out: W,
}

impl<W> JsonSink<W> {
    pub fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> JsonSink<W> {
    fn line(&mut self, object: &Value) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, object)?;
        self.out.write_all(b"\n")
    }

    fn missed(&mut self, count: u64, text: &str) -> io::Result<()> {
        self.line(&json!({ "event": "missed", "count": count, "text": text }))
    }
}

impl<W: Write + Send> Sink<OwnedRecord> for JsonSink<W> {
    fn take(&mut self, record: OwnedRecord, missed: u64) -> io::Result<()> {
        if missed > 0 {
            self.missed(missed, "events are missing here: the file could not keep up")?;
        }
        self.line(&object(&record.as_record()))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn close(&mut self, missed: u64) -> io::Result<()> {
        if missed > 0 {
            self.missed(missed, "events are missing in all")?;
        }
        self.out.flush()
    }
}

/// One record as an object.
pub fn object(record: &Record<'_>) -> Value {
    let mut object = Map::new();
    object.insert("at_ns".into(), record.at.as_nanos().into());
    if let Some(frame) = record.frame {
        object.insert("frame".into(), frame.0.into());
    }
    object.insert("event".into(), Kind::of(&record.event).name().into());
    if let Value::Object(facts) = facts(&record.event) {
        object.extend(facts);
    }
    object.insert("text".into(), narrate::sentence(record.at, &record.event).into());
    Value::Object(object)
}

fn facts(event: &Event<'_>) -> Value {
    match event {
        Event::FrameReceived { bytes, offload } => frame_facts(bytes.len(), *offload),
        Event::FrameHandled => Value::Null,
        Event::FrameSent { frame } => frame_facts(frame.len(), frame.offload),
        Event::Stripped { layer, header, payload } | Event::Prepended { layer, header, payload } => {
            json!({ "layer": text(layer), "header": hex(header), "payload": payload })
        }
        Event::Dropped { layer, reason } => json!({ "layer": text(layer), "reason": reason.text() }),
        Event::Neighbour { address, from, to, why } => {
            json!({ "address": text(address), "from": text(from), "to": text(to), "why": why })
        }
        Event::AwaitsNeighbour { address, waiting } => json!({ "address": text(address), "waiting": waiting }),
        Event::AddressConflict { address, claimant, defended } => {
            json!({ "address": text(address), "claimant": text(MacAddress(*claimant)), "defended": defended })
        }
        Event::NeighbourMessage { message, address } => {
            json!({ "message": format!("{message:?}").to_lowercase(), "address": text(address) })
        }
        Event::Fragmented { pieces, mtu } => json!({ "pieces": pieces, "mtu": mtu }),
        Event::FragmentHeld { offset, len, more } => json!({ "offset": offset, "len": len, "more": more }),
        Event::Reassembled { pieces, len } => json!({ "pieces": pieces, "len": len }),
        Event::PathMtu { destination, mtu } => json!({ "destination": text(destination), "mtu": mtu }),
        Event::Icmp { message: IcmpEvent::EchoRequest { id, sequence, len } }
        | Event::Icmp { message: IcmpEvent::EchoReply { id, sequence, len } } => {
            json!({ "id": id, "sequence": sequence, "len": len })
        }
        Event::Icmp { message: IcmpEvent::Error { sent, meaning } } => json!({ "sent": sent, "meaning": meaning }),
        Event::Delivered { layer, len } => json!({ "layer": text(layer), "len": len }),
        Event::Tcp { connection, event } => {
            let mut facts = json!({ "local": text(connection.local), "remote": text(connection.remote) });
            if let (Value::Object(all), Value::Object(more)) = (&mut facts, tcp_facts(event)) {
                all.extend(more);
            }
            facts
        }
    }
}

fn frame_facts(len: usize, offload: Offload) -> Value {
    match offload.segment_size {
        Some(size) => json!({ "len": len, "segment_size": size.get() }),
        None => json!({ "len": len }),
    }
}

fn tcp_facts(event: &TcpEvent) -> Value {
    match event {
        TcpEvent::State { from, to, why } => json!({ "from": text(from), "to": text(to), "why": text(why) }),
        TcpEvent::Synchronise { sent, isn, mss, window_scale, sack, timestamps } => json!({
            "sent": sent, "isn": isn, "mss": mss, "window_scale": window_scale, "sack": sack, "timestamps": timestamps,
        }),
        TcpEvent::Memory { level, taken, limit } => json!({ "level": level, "taken": taken, "limit": limit }),
        TcpEvent::SynCookie { sent, mss, window_scale, sack } => {
            json!({ "sent": sent, "mss": mss, "window_scale": window_scale, "sack": sack })
        }
        TcpEvent::SegmentSent { seq, len, why } => json!({ "seq": seq, "len": len, "why": text(why) }),
        TcpEvent::Acknowledged { bytes, in_flight } => json!({ "bytes": bytes, "in_flight": in_flight }),
        TcpEvent::DuplicateAck { count } => json!({ "count": count }),
        TcpEvent::Accepted { bytes } | TcpEvent::Duplicate { bytes } => json!({ "bytes": bytes }),
        TcpEvent::OutOfOrder { bytes, missing } => json!({ "bytes": bytes, "missing": missing }),
        TcpEvent::PeerWindow { from, to } => json!({ "from": from, "to": to }),
        TcpEvent::ReceiveBuffer { from, to } => json!({ "from": from, "to": to }),
        TcpEvent::FastOpen { what } => json!({ "what": text(what) }),
        TcpEvent::RttSample { rtt, srtt, rttvar, rto } => json!({
            "rtt_ns": nanos(*rtt), "srtt_ns": nanos(*srtt), "rttvar_ns": nanos(*rttvar), "rto_ns": nanos(*rto),
        }),
        TcpEvent::DeliveryRate { rate, delivered, interval, application_limited } => json!({
            "bytes_per_second": rate, "delivered": delivered, "interval_ns": nanos(*interval),
            "application_limited": application_limited,
        }),
        TcpEvent::Sacked { bytes } => json!({ "bytes": bytes }),
        TcpEvent::Lost { bytes, again } => json!({ "bytes": bytes, "again": again }),
        TcpEvent::DuplicateSack { segments } => json!({ "segments": segments }),
        TcpEvent::Reordering { segments } => json!({ "segments": segments }),
        TcpEvent::AmbientLoss { from, to } => {
            json!({ "from": f64::from(*from) / 1000.0, "to": f64::from(*to) / 1000.0 })
        }
        TcpEvent::CongestionPhase { from, to } => json!({ "from": from, "to": to }),
        TcpEvent::Marked => json!({}),
        TcpEvent::MarksTold { packets, bytes, exact } => json!({ "packets": packets, "bytes": bytes, "exact": exact }),
        TcpEvent::EcnTrouble { what } => json!({ "what": text(what) }),
        TcpEvent::Reneged => json!({}),
        TcpEvent::Recovery { from, to } => json!({ "from": text(from), "to": text(to) }),
        TcpEvent::Spurious { why } => json!({ "why": text(why) }),
        TcpEvent::Cwnd { from, to, ssthresh, why } => {
            let ssthresh = (*ssthresh != u64::MAX).then_some(ssthresh);
            json!({ "from": from, "to": to, "ssthresh": ssthresh, "why": text(why) })
        }
        TcpEvent::TimerSet { timer, at } => json!({ "timer": text(timer), "due_ns": at.as_nanos() }),
        TcpEvent::TimerStopped { timer } => json!({ "timer": text(timer) }),
        TcpEvent::TimerFired { timer, count } => json!({ "timer": text(timer), "count": count }),
        TcpEvent::PathMtuClaim { mtu, verdict } => json!({ "mtu": mtu, "verdict": text(verdict) }),
        TcpEvent::IcmpError { meaning, hard } => json!({ "meaning": meaning, "hard": hard }),
        TcpEvent::Urgent { ahead } => json!({ "ahead": ahead }),
        TcpEvent::Closed { why } => json!({ "why": text(why) }),
    }
}

fn text(value: impl std::fmt::Display) -> String {
    value.to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Layer, Observer, StateCause, TcpState};
    use crate::frame::FrameId;
    use crate::probe::samples::connection;
    use crate::time::Instant;

    fn state() -> Event<'static> {
        let event = TcpEvent::State { from: TcpState::Listen, to: TcpState::SynReceived, why: StateCause::SynReceived };
        Event::Tcp { connection: connection(), event }
    }

    #[test]
    fn a_record_is_one_line() {
        let lines = direct(Vec::new());
        let mut observer = lines.clone();
        observer.observe(&Record { at: Instant::from_micros(1234), frame: Some(FrameId(3)), event: state() });
        let stripped = Event::Stripped { layer: Layer::Udp, header: &[0, 53, 0xff], payload: 9 };
        observer.observe(&Record { at: Instant::ZERO, frame: None, event: stripped });
        let (summary, sink) = lines.finish().expect("a vector takes everything");
        assert_eq!(summary.taken, 2);
        assert_eq!(
            String::from_utf8(sink.into_inner()).expect("JSON is UTF-8"),
            concat!(
                r#"{"at_ns":1234000,"frame":3,"event":"tcp_state","local":"192.0.2.2:80","remote":"192.0.2.1:41234","#,
                r#""from":"LISTEN","to":"SYN-RECEIVED","why":"rcv SYN","text":"LISTEN -> SYN-RECEIVED: rcv SYN"}"#,
                "\n",
                r#"{"at_ns":0,"event":"stripped","layer":"UDP","header":"0035ff","payload":9,"#,
                r#""text":"UDP stripped 3 bytes, 9 left"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn what_is_missing_is_said_where_it_is_missing() {
        let mut sink = JsonSink { out: Vec::new() };
        let record = OwnedRecord::from(&Record { at: Instant::ZERO, frame: None, event: Event::FrameHandled });
        sink.take(record, 12).expect("a vector takes everything");
        let text = String::from_utf8(sink.into_inner()).expect("JSON is UTF-8");
        assert!(text.starts_with(r#"{"event":"missed","count":12,"#), "{text}");
        assert_eq!(text.lines().count(), 2);
    }
}
