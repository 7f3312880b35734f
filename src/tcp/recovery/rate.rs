//! How fast data arrives: delivery-rate samples (draft-ietf-ccwg-bbr §4.1).
//!
//! ```text
//!   delivered |                 __|  <- now: the segment is acknowledged
//!             |             ___|  |
//!             |         ___|      | data
//!             |     ___|          |
//!             | ___|______________|
//!             |    <--- time ----->
//!             +----^------------------------> t
//!                  when the segment left, so much had been delivered, and since then
//! ```
//!
//! Every transmission remembers how much had been delivered when it left, and when that had been. When it arrives, what
//! was delivered meanwhile over the time that took is a sample; or over the time in which it was *sent*, if that is
//! longer, since nothing arrives faster than it is sent and acknowledgements may come in bunches.
//!
//! A sample tells less than the path can do if the application had nothing to send at some time during it. From the
//! moment of such a gap all samples are marked until what was in flight then is delivered.

use super::segment::Segment;
use crate::tcp::fold::folded;
use crate::time::{Instant, nanos, per_second};
use std::time::Duration;

/// What a transmission remembers of the moment when it left: P in the draft.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Departure {
    delivered: u64,
    delivered_at: Instant,
    first_sent_at: Instant,
    lost: u64,
    /// It included.
    in_flight: u64,
    application_limited: bool,
}

/// What an acknowledgement says of the rate: RS in the draft. In bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    pub delivered: u64,
    pub interval: Duration,
    /// How much had been delivered when the newest of the delivered segments left.
    pub prior_delivered: u64,
    /// Judged lost since then, and in flight then, it included.
    pub lost: u64,
    pub sent_in_flight: u64,
    pub application_limited: bool,
}

/// What of a sample is reported: so many bytes in so many nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    pub delivered: u64,
    pub nanos: u64,
    pub application_limited: bool,
}

folded!(Rate { delivered, nanos, application_limited });

impl Rate {
    pub fn bytes_a_second(&self) -> u64 {
        per_second(self.delivered, self.nanos)
    }

    /// Is it higher than `other`, or the same?
    fn is_as_fast_as(&self, other: &Rate) -> bool {
        let products = |a: &Rate, b: &Rate| u128::from(a.delivered) * u128::from(b.nanos);
        products(self, other) >= products(other, self)
    }
}

/// A segment that was judged lost, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LostSegment {
    pub len: u64,
    /// In flight when it left, itself included, and judged lost since then, itself included.
    pub sent_in_flight: u64,
    pub lost: u64,
    /// Delivered by the connection so far.
    pub delivered: u64,
    pub application_limited: bool,
}

/// The state of a connection: C in the draft. In bytes.
#[derive(Clone, Debug, Default)]
pub struct DeliveryRate {
    delivered: u64,
    delivered_at: Instant,
    first_sent_at: Instant,
    lost: u64,
    /// Until so much is delivered the samples are limited by the application; zero when they are not.
    limited_until: u64,
    /// Segments judged lost that nobody has asked for yet.
    losses: Vec<LostSegment>,
    /// The last rate that says something of the path.
    last: Option<Rate>,
}

folded!(DeliveryRate {
    delivered,
    delivered_at,
    first_sent_at,
    lost,
    limited_until,
    last;
    losses
});

impl DeliveryRate {
    /// All losses are told.
    pub fn is_at_rest(&self) -> bool {
        self.losses.is_empty()
    }

    /// §4.1.2.2: a segment leaves. `in_flight` includes it; `alone`: nothing else waits for an acknowledgement.
    pub fn depart(&mut self, at: Instant, alone: bool, in_flight: u64) -> Departure {
        // As Linux: not when what is outstanding is only believed to be lost, which would make the interval too short.
        if alone {
            (self.first_sent_at, self.delivered_at) = (at, at);
        }
        Departure {
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            first_sent_at: self.first_sent_at,
            lost: self.lost,
            in_flight,
            application_limited: self.limited_until != 0,
        }
    }

    /// GenerateRateSample: an acknowledgement has delivered `bytes` in all, and of the segments `newest` left last.
    pub fn sample(
        &mut self,
        now: Instant,
        bytes: u64,
        newest: Option<&Segment>,
        min_rtt: Option<Duration>,
    ) -> Option<Sample> {
        if bytes > 0 {
            self.delivered += bytes;
            self.delivered_at = now;
        }
        if self.delivered > self.limited_until {
            self.limited_until = 0;
        }
        let Segment { sent_at, departure, .. } = *newest?;
        self.first_sent_at = sent_at;
        let (send, ack) = (sent_at.nanos_since(departure.first_sent_at), now.nanos_since(departure.delivered_at));
        let interval = send.max(ack);
        // A retransmission that crossed with the acknowledgement of what was sent first.
        if interval == 0 || min_rtt.is_some_and(|min_rtt| interval < nanos(min_rtt)) {
            return None;
        }
        let sample = Sample {
            delivered: self.delivered - departure.delivered,
            interval: Duration::from_nanos(interval),
            prior_delivered: departure.delivered,
            lost: self.lost - departure.lost,
            sent_in_flight: departure.in_flight,
            application_limited: departure.application_limited,
        };
        let Sample { delivered, application_limited, .. } = sample;
        let rate = Rate { delivered, nanos: interval, application_limited };
        if !application_limited || self.last.is_none_or(|last| rate.is_as_fast_as(&last)) {
            self.last = Some(rate);
        }
        Some(sample)
    }

    /// The last sample that was not held down by the application, as Linux reports it.
    pub fn last(&self) -> Option<Rate> {
        self.last
    }

    /// In bytes, over the life of the connection.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// §4.1.2.4: the path would have taken more than there was; `in_flight` bytes follow before that shows no more.
    pub fn limit_by_application(&mut self, in_flight: u64) {
        self.limited_until = (self.delivered + in_flight).max(1);
    }

    /// A segment that was travelling is judged lost.
    pub fn lose(&mut self, segment: &Segment) {
        self.lost += segment.len();
        self.losses.push(LostSegment {
            len: segment.len(),
            sent_in_flight: segment.departure.in_flight,
            lost: self.lost - segment.departure.lost,
            delivered: self.delivered,
            application_limited: segment.departure.application_limited,
        });
    }

    /// The losses since this was last asked.
    pub fn take_losses(&mut self) -> Vec<LostSegment> {
        std::mem::take(&mut self.losses)
    }

    /// The losses since then were no sign of congestion: nobody is to be told.
    pub fn forget_losses(&mut self) {
        self.losses.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::flight::Flight;
    use super::super::news::News;
    use super::*;

    const MSS: u64 = 1000;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn sample(flight: &mut Flight, una: u64, now: u64, min_rtt: Option<Duration>) -> Option<Sample> {
        let mut news = News::of(flight);
        let bytes = flight.acknowledge(una, MSS, |segment| news.acknowledged(segment));
        flight.rate_mut().sample(at(now), bytes, news.newest.as_ref(), min_rtt)
    }

    /// Acknowledges up to `una` at a time; the sample as (bytes, milliseconds).
    fn acknowledge(flight: &mut Flight, una: u64, now: u64) -> Option<(u64, u128)> {
        let sample = sample(flight, una, now, None);
        sample.map(|sample| (sample.delivered, sample.interval.as_millis()))
    }

    fn send(flight: &mut Flight, segments: std::ops::Range<u64>, now: u64) {
        segments.for_each(|segment| flight.send(segment * MSS, (segment + 1) * MSS, 1, at(now)));
    }

    #[test]
    fn a_flight_that_arrives_evenly_shows_the_rate_of_the_path() {
        let mut flight = Flight::default();
        // Ten segments at once; each is acknowledged 10 ms after the one before, and is answered by another.
        send(&mut flight, 0..10, 0);
        for segment in 0..30 {
            let now = 100 + 10 * segment;
            let sample = acknowledge(&mut flight, MSS * (segment + 1), now);
            let expected = match segment {
                0..10 => (MSS * (segment + 1), u128::from(now)),
                // Sent over the time that the first round took to arrive, the burst before it included.
                10..20 => (10 * MSS, u128::from(100 + 10 * (segment - 10))),
                _ => (10 * MSS, 100),
            };
            assert_eq!(sample, Some(expected), "{segment}");
            send(&mut flight, segment + 10..segment + 11, now);
        }
    }

    #[test]
    fn acknowledgements_that_come_in_a_bunch_are_no_faster_than_what_was_sent() {
        let mut flight = Flight::default();
        (0..10).for_each(|segment| send(&mut flight, segment..segment + 1, 10 * segment));
        acknowledge(&mut flight, MSS, 300);
        // Nine more at once, which took 90 ms to send: not nine in no time.
        assert_eq!(acknowledge(&mut flight, 10 * MSS, 300), Some((10 * MSS, 300)));
        (10..20).for_each(|segment| send(&mut flight, segment..segment + 1, 300 + 10 * (segment - 10)));
        acknowledge(&mut flight, 11 * MSS, 400);
        assert_eq!(acknowledge(&mut flight, 20 * MSS, 401), Some((10 * MSS, 101)));
    }

    #[test]
    fn a_gap_marks_the_samples_until_what_was_in_flight_is_delivered() {
        let mut flight = Flight::default();
        let sample = |flight: &mut Flight, una: u64, now: u64| {
            sample(flight, una, now, None).map(|sample| sample.application_limited)
        };
        send(&mut flight, 0..4, 0);
        flight.rate_mut().limit_by_application(4 * MSS);
        send(&mut flight, 4..5, 10);
        assert_eq!(sample(&mut flight, MSS, 100), Some(false), "sent before the gap");
        assert_eq!(sample(&mut flight, 5 * MSS, 110), Some(true), "sent after it");
        send(&mut flight, 5..6, 110);
        assert_eq!(sample(&mut flight, 6 * MSS, 200), Some(false), "and the gap is gone");
    }

    #[test]
    fn an_interval_that_no_round_trip_fits_into_gives_no_sample() {
        let mut flight = Flight::default();
        send(&mut flight, 0..1, 0);
        assert_eq!(sample(&mut flight, MSS, 4, Some(Duration::from_millis(5))), None);
        assert_eq!(flight.rate_mut().delivered(), MSS, "but it counts");
    }

    #[test]
    fn losses_count_since_the_segment_left() {
        let mut flight = Flight::default();
        send(&mut flight, 0..5, 0);
        flight.lose(MSS, crate::event::SendReason::SentLaterArrived);
        flight.lose(2 * MSS, crate::event::SendReason::SentLaterArrived);
        let lost = flight.rate_mut().take_losses();
        let told: Vec<_> = lost.iter().map(|lost| (lost.len, lost.sent_in_flight, lost.lost)).collect();
        assert_eq!(told, [(MSS, MSS, MSS), (MSS, 2 * MSS, 2 * MSS)]);
        assert!(flight.rate_mut().take_losses().is_empty());
        flight.lose(MSS, crate::event::SendReason::SentLaterArrived);
        assert!(flight.rate_mut().take_losses().is_empty(), "it was lost already");
        let mut news = News::of(&flight);
        flight.sack(4 * MSS, 5 * MSS, MSS, |segment| news.sacked(segment));
        let sample = flight.rate_mut().sample(at(50), MSS, news.newest.as_ref(), None).expect("something arrived");
        assert_eq!((sample.lost, sample.sent_in_flight), (2 * MSS, 5 * MSS));
    }

    #[test]
    fn what_is_reported_is_not_a_rate_that_the_application_held_down() {
        let mut flight = Flight::default();
        send(&mut flight, 0..4, 0);
        acknowledge(&mut flight, 4 * MSS, 100);
        flight.rate_mut().limit_by_application(0);
        send(&mut flight, 4..5, 500);
        acknowledge(&mut flight, 5 * MSS, 600);
        assert_eq!(flight.rate_mut().last().map(|last| last.delivered), Some(4 * MSS));
    }
}
