//! Pacing: data leaves at a rate, not in bursts as large as the window has room for.
//!
//! A controller that measures the rate of the path (BBR) says how fast. Reno and CUBIC do not: they count what is in
//! flight, and the acknowledgements set the pace. For them pacing is an option (`pacing`), off by default as it is in
//! Linux without the `fq` queue: it spares queues that are shorter than a window, but it costs a timer for each frame,
//! and it loses against unpaced flows, whose losses come together while those of a paced one are spread over many round
//! trips (Aggarwal, Savage, Anderson, INFOCOM 2000). An application's own limit (`max_pacing_rate`) paces any of them.
//!
//! After each frame the next one waits until the frame's length over the rate has passed, however the frame came to be:
//! new data, retransmission or probe. What must go at once does not wait: probes, and the first retransmission of a
//! recovery. Frames are made smaller too: no longer than a millisecond of the rate (Linux's `tso_autosize`;
//! draft-ietf-ccwg-bbr §5.6.3), so that what leaves together is never more than that, or two segments. That holds where
//! nobody paces as well, or a third of a window would leave in one burst, and a short queue on a slow path keep half of it.

use super::connection::Connection;
use crate::event::{Context, TimerKind};
use crate::time::nanos;
use std::time::Duration;

/// Linux's `tcp_pacing_ss_ratio` and `tcp_pacing_ca_ratio`, in percent of a window each round trip: the window must be
/// able to double, or to grow, within one.
const SLOW_START: u64 = 200;
const CONGESTION_AVOIDANCE: u64 = 120;
/// draft-ietf-ccwg-bbr §5.6.3: a frame takes a millisecond at most.
const FRAMES_EACH_SECOND: u64 = 1000;
const NANOS: u128 = 1_000_000_000;

/// When so many bytes have left at `rate` bytes a second.
fn span(bytes: u64, rate: u64) -> Duration {
    let span = u128::from(bytes) * NANOS / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(span).unwrap_or(u64::MAX))
}

/// The most bytes that leave together at `rate`, in segments of `mss`.
pub(super) fn quantum(rate: u64, mss: u64) -> u64 {
    (rate / FRAMES_EACH_SECOND).max(2 * mss)
}

impl Connection {
    /// Bytes a second; none where the acknowledgements set the pace.
    pub(super) fn pacing_rate(&self) -> Option<u64> {
        let rate = self.congestion.pacing_rate().or_else(|| self.config.pacing.then(|| self.window_rate()).flatten());
        match (rate, self.config.max_pacing_rate) {
            (Some(rate), Some(most)) => Some(rate.min(most)),
            (rate, most) => rate.or(most),
        }
    }

    /// The window over the round trip, and somewhat more, as Linux has it.
    pub(super) fn window_rate(&self) -> Option<u64> {
        let srtt = self.rtt.srtt().map(nanos).filter(|srtt| *srtt > 0)?;
        let (cwnd, ssthresh) = (self.cwnd(), self.congestion.ssthresh());
        let percent = if cwnd < ssthresh / 2 { SLOW_START } else { CONGESTION_AVOIDANCE };
        let window = cwnd.max(self.recovery.outstanding());
        Some(window.saturating_mul(percent * (NANOS as u64 / 100)) / srtt)
    }

    /// Data has to wait for its time.
    pub(super) fn is_paced(&self) -> bool {
        self.timers.is_running(TimerKind::Pacing)
    }

    /// So many bytes have left: the next ones not before their time has passed. As Linux: who was late may be early by
    /// as much the next time, but by no more than half of what this frame takes.
    pub(super) fn pace(&mut self, cx: &mut Context<'_>, bytes: u64) {
        let Some(rate) = self.pacing_rate() else { return };
        let span = span(bytes, rate);
        let late = cx.now.since(self.send_next_at);
        self.send_next_at = self.send_next_at.max(cx.now) + (span - late.min(span / 2));
        if self.send_next_at > cx.now {
            self.set_timer(cx, TimerKind::Pacing, self.send_next_at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantum_is_a_millisecond_of_the_rate_and_two_segments_at_least() {
        for (rate, expected) in [(0, 2000), (1_000_000, 2000), (12_500_000, 12_500), (1_250_000_000, 1_250_000)] {
            assert_eq!(quantum(rate, 1000), expected, "{rate}");
        }
    }

    #[test]
    fn a_span_is_bytes_over_rate_whatever_the_rate() {
        for (bytes, rate, expected) in [
            (1000, 1_000_000, Duration::from_millis(1)),
            (1, 1_000_000_000, Duration::from_nanos(1)),
            (0, 5, Duration::ZERO),
            (u64::MAX, 0, Duration::from_nanos(u64::MAX)),
        ] {
            assert_eq!(span(bytes, rate), expected, "{bytes} at {rate}");
        }
    }
}
