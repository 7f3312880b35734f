//! What the senders tell, gathered from the events of their hosts.

use crate::event::{CongestionState, Event, Observer, Record, SendReason, TcpEvent, TimerKind};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What one sender told.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Facts {
    /// Its own address, once something has happened.
    pub local: Option<SocketAddr>,
    pub retransmitted_bytes: u64,
    pub rtos: u64,
    pub probes: u64,
    pub recoveries: u64,
    pub min_rtt: Option<Duration>,
    rtt_sum: Duration,
    rtt_count: u32,
}

impl Facts {
    pub fn mean_rtt(&self) -> Option<Duration> {
        self.rtt_sum.checked_div(self.rtt_count)
    }

    fn take(&mut self, event: &TcpEvent) {
        match event {
            TcpEvent::SegmentSent { len, why, .. } => {
                self.retransmitted_bytes += if is_repeated(*why) { *len as u64 } else { 0 };
                self.probes += u64::from(*why == SendReason::TailLossProbe);
            }
            TcpEvent::TimerFired { timer: TimerKind::Retransmission, .. } => self.rtos += 1,
            TcpEvent::Recovery { to: CongestionState::Recovery, .. } => self.recoveries += 1,
            TcpEvent::RttSample { rtt, .. } => {
                self.min_rtt = Some(self.min_rtt.map_or(*rtt, |least| least.min(*rtt)));
                self.rtt_sum += *rtt;
                self.rtt_count += 1;
            }
            _ => {}
        }
    }
}

/// Does data go again for that reason? A probe of the tail may be new data; it is told by its own number.
fn is_repeated(why: SendReason) -> bool {
    matches!(
        why,
        SendReason::RetransmitTimeout
            | SendReason::FastRetransmit
            | SendReason::PartialAck
            | SendReason::SentLaterArrived
            | SendReason::SackedBeyond
            | SendReason::SmallerMtu
    )
}

/// Watches every host, by the address that each flow goes to.
#[derive(Clone, Default)]
pub struct Senders(Arc<Mutex<BTreeMap<SocketAddr, Facts>>>);

impl Senders {
    pub fn expect(&self, server: SocketAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(server, Facts::default());
    }

    pub fn facts(&self, server: SocketAddr) -> Facts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&server).copied().unwrap_or_default()
    }
}

impl Observer for Senders {
    fn observe(&mut self, record: &Record<'_>) {
        let Event::Tcp { connection, event } = &record.event else { return };
        let mut senders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(facts) = senders.get_mut(&connection.remote) {
            facts.local = Some(connection.local);
            facts.take(event);
        }
    }
}
