//! A moment at which the two differ, and what can be asked about it.

use super::words::*;
use crate::facts::Facts;
use crate::peer::TICKS;
use crate::script::{Call, Place, Segment, Step};
use strata::event::TcpState as State;
use strata::wire::tcp::Flags;

/// A step of a script, what each made of it, and what is known of both before and after it.
pub struct Moment<'a> {
    /// The steps up to this one, and what the two said to each.
    pub steps: &'a [Step],
    pub linux: &'a [Vec<String>],
    pub ours: &'a [Vec<String>],
    /// Ours before each of those steps, and after the last.
    pub facts: &'a [Facts],
}

impl<'a> Moment<'a> {
    pub fn at(&self) -> usize {
        self.steps.len() - 1
    }

    pub fn step(&self) -> &'a Step {
        &self.steps[self.at()]
    }

    pub fn linux(&self) -> &'a [String] {
        &self.linux[self.at()]
    }

    pub fn ours(&self) -> &'a [String] {
        &self.ours[self.at()]
    }

    pub fn before(&self) -> &'a Facts {
        &self.facts[self.at()]
    }

    pub fn after(&self) -> &'a Facts {
        &self.facts[self.at() + 1]
    }

    pub fn segment(&self) -> Option<&'a Segment> {
        match self.step() {
            Step::Segment(segment) => Some(segment),
            Step::Call(_) | Step::Wait => None,
        }
    }

    pub fn flags(&self) -> Flags {
        self.segment().map_or(Flags::NONE, |segment| segment.flags)
    }

    /// Was there such a step before, with such words of ours?
    pub fn earlier(&self, is_such: impl Fn(&Step, &[String]) -> bool) -> bool {
        (0..self.at()).any(|at| is_such(&self.steps[at], &self.ours[at]))
    }

    /// The application has let go.
    pub fn is_closed(&self) -> bool {
        self.earlier(|step, _| *step == Step::Call(Call::Close))
    }

    /// Ours found the segment outside of the window: an ACK, or for a RST nothing.
    pub fn answers_as_unacceptable(&self) -> bool {
        if self.flags().rst() { self.ours().is_empty() } else { only_ack(self.ours()) }
    }

    /// Both say the same but for the timestamp that they echo.
    pub fn differ_in_echo(&self) -> bool {
        let (linux, ours) = (self.linux().iter(), self.ours().iter());
        linux.map(|text| without_echo(text)).eq(ours.map(|text| without_echo(text)))
    }

    /// The segment whose timestamp ours echo in this step: the peer's clock goes by segments.
    pub fn echoed_segment(&self) -> Option<&'a Segment> {
        let (_, echo) = self.ours().iter().find_map(|text| text.split_once(" TS echo "))?;
        let ticks: u32 = echo.split(' ').next()?.parse().ok()?;
        let mut segments = self.steps.iter().filter_map(|step| match step {
            Step::Segment(segment) => Some(segment),
            Step::Call(_) | Step::Wait => None,
        });
        segments.nth((ticks / TICKS).checked_sub(1)? as usize)
    }

    /// The two are the same, or differ in the echo of a segment that acknowledges nothing new.
    pub fn same_but_echo(&self, linux: &str, ours: &str) -> bool {
        let echoes_old = self.echoed_segment().is_some_and(|segment| segment.ack.0 < 0);
        linux == ours || echoes_old && without_echo(linux) == without_echo(ours)
    }

    /// Both acknowledge, Linux the segment's text too, or its timestamp.
    pub fn took_text_or_timestamp(&self) -> bool {
        let (linux, ours) = (self.linux(), self.ours());
        let edges = [linux, ours].map(|texts| texts.first().and_then(|text| acknowledged(text)));
        let len = self.segment().map_or(0, Segment::sequence_len);
        let took_text = matches!(edges, [Some(linux), Some(ours)] if linux == ours + len);
        only_ack(linux) && only_ack(ours) && (took_text || self.differ_in_echo())
    }

    /// The peer has put its FIN at two places, or data beyond it.
    pub fn contradicts_itself(&self) -> bool {
        let told = &self.facts[..self.steps.len()];
        told.iter().filter_map(|facts| facts.fin).any(|fin| {
            told.iter().any(|other| other.end.is_some_and(|end| end > fin) || other.fin.is_some_and(|it| it != fin))
        })
    }

    /// The peer's FIN was reached in this step.
    pub fn passes_fin(&self) -> bool {
        use State::{CloseWait, Closing, LastAck, TimeWait};
        let passed = |facts: &Facts| matches!(facts.state, CloseWait | Closing | LastAck | TimeWait);
        !passed(self.before()) && passed(self.after())
    }

    /// The right edge of the last block that we reported, if one was.
    pub fn last_sack_edge(&self) -> Option<i32> {
        let text = self.ours.iter().take(self.at()).rev().flatten().find(|text| text.contains(" ack "))?;
        blocks(text).iter().map(|(_, right)| *right).max()
    }
}

/// FIN-WAIT-2 whose application has let go: Linux keeps no more of it than of TIME-WAIT.
pub fn is_orphan(it: &Moment<'_>) -> bool {
    it.before().state == State::FinWait2 && it.is_closed()
}

pub fn is_reset_before_fin(it: &Moment<'_>) -> bool {
    it.flags().rst()
        && it.segment().is_some_and(|segment| segment.place == Place::Left(-1))
        && matches!(it.before().state, State::CloseWait | State::Closing | State::LastAck)
}

pub fn is_synchronized(state: State) -> bool {
    !matches!(state, State::Closed | State::Listen | State::SynSent | State::SynReceived)
}
