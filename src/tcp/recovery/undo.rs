//! Was it a loss at all? Three proofs that it was not, and one episode that they are about.
//!
//! - Eifel (RFC 3522): the acknowledgement echoes a timestamp from before the first retransmission, so that what was
//!   sent first arrived.
//! - D-SACK (RFC 2883, RFC 3708): each retransmission of the episode arrived as a duplicate.
//! - F-RTO (RFC 5682, §3.1, with SACK): after a timeout something is acknowledged that was never sent again.
//!
//! Congestion control then takes back what it did (RFC 4015), and what was marked lost is not.

use super::rack::whole_millis;
use crate::event::SpuriousCause;
use crate::tcp::fold::folded;
use crate::time::Instant;

/// What is known of the last episode; nothing before the first.
#[derive(Clone, Debug, Default)]
pub struct Undo {
    episode: Option<Box<Episode>>,
}

/// The retransmissions of an episode.
#[derive(Clone, Copy, Debug, Default)]
struct Episode {
    /// SND.UNA when it began; none when there is nothing to take back.
    begun_at: Option<u64>,
    /// How many retransmissions have not arrived as duplicates; none before the first left.
    unanswered: Option<u64>,
    first_sent_at: Option<Instant>,
}

folded!(Undo { episode });
folded!(Episode { begun_at, unanswered, first_sent_at });

impl Undo {
    /// An episode begins while so many retransmissions of others are on their way, whose D-SACKs will come as well.
    pub fn begin(&mut self, una: u64, under_way: u64) {
        let episode = self.episode.get_or_insert_default();
        let first_sent_at = if under_way > 0 { episode.first_sent_at } else { None };
        let unanswered = Some(under_way).filter(|count| *count > 0);
        **episode = Episode { begun_at: Some(una), unanswered, first_sent_at };
    }

    /// There is nothing more to take back.
    pub fn end(&mut self) {
        *self = Undo::default();
    }

    /// The episode is over; only the D-SACKs of its last retransmissions may still come.
    pub fn close(&mut self) {
        if let Some(episode) = &mut self.episode {
            episode.first_sent_at = None;
        }
    }

    pub fn on_retransmitted(&mut self, at: Instant) {
        let episode = self.episode.get_or_insert_default();
        episode.first_sent_at.get_or_insert(at);
        episode.unanswered = Some(episode.unanswered.unwrap_or(0) + 1);
    }

    /// A D-SACK of segments up to `end`, which were sent again.
    pub fn on_duplicate_sack(&mut self, end: u64, segments: u64) {
        if let Some(episode) = &mut self.episode
            && episode.begun_at.is_some_and(|begun| end > begun)
        {
            episode.unanswered = episode.unanswered.map(|count| count.saturating_sub(segments));
        }
    }

    /// RFC 3708: every retransmission was needless.
    pub fn by_duplicate_sacks(&self) -> Option<SpuriousCause> {
        let episode = self.begun()?;
        (episode.unanswered == Some(0)).then_some(SpuriousCause::DuplicateSack)
    }

    /// RFC 3522 §3.2: `echoed` is when the acknowledged segment was sent, in whole milliseconds.
    pub fn by_timestamp(&self, echoed: Option<Instant>) -> Option<SpuriousCause> {
        let (first, echoed) = (self.begun()?.first_sent_at?, echoed?);
        (echoed < whole_millis(first)).then_some(SpuriousCause::Timestamp)
    }

    /// An episode that can be taken back.
    fn begun(&self) -> Option<&Episode> {
        self.episode.as_deref().filter(|episode| episode.begun_at.is_some())
    }
}

/// F-RTO's three steps after a timeout (RFC 5682 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ForwardRto {
    /// The loss was real, or the first timeout of this data is long past.
    #[default]
    Off,
    /// Step 1: the first segment went again, and nothing else has.
    Retransmitted,
    /// Step 2b: something was acknowledged; new data goes before anything else goes again.
    Probing,
}

folded!(ForwardRto: Off, Retransmitted, Probing);
