//! How an opening ends without a connection, or is told to close as soon as there is one.

use super::{Closing, Opening, Outcome};
use crate::event::{CloseReason, Context, TcpEvent, TimerKind};
use crate::tcp::connection::Connection;
use crate::tcp::state::{Cause, State};
use crate::tcp::timeout::R1;
use crate::time::Instant;
use crate::wire::tcp::{Flags, Header};
use std::time::Duration;

/// How long the RST for an old connection has to get there before the SYN that follows it.
const AFTER_RESET: Duration = Duration::from_millis(10);

impl Opening {
    /// The SYN has waited too long for its answer.
    pub fn handle_timeout(&mut self, cx: &mut Context<'_>) -> Outcome {
        if let Some(reason) = self.closed {
            return Outcome::Closed(reason);
        }
        if self.deadline > cx.now {
            return Outcome::Stay;
        }
        self.deadline = Instant::FAR_FUTURE;
        self.syn_due = true;
        if self.follows_reset {
            return Outcome::Stay;
        }
        self.syn_was_lost = true;
        let count = self.transmissions;
        self.tell(cx, TcpEvent::TimerFired { timer: TimerKind::Retransmission, count });
        let waited = self.first_sent.map(|first| cx.now.since(first)).unwrap_or_default();
        if waited >= self.patience() {
            self.move_to(cx, Cause::GaveUp);
            return Outcome::Closed(CloseReason::TimedOut);
        }
        self.doubts_path |= count == R1;
        self.rtt.back_off();
        Outcome::Stay
    }

    /// RFC 9293 §3.8.3 (MUST-20), as [`Connection::take_doubt`].
    pub fn take_doubt(&mut self) -> bool {
        std::mem::take(&mut self.doubts_path)
    }

    /// R2 of the SYN (MUST-23), unless the application has its own.
    pub(super) fn patience(&self) -> Duration {
        self.config.user_timeout.unwrap_or(self.config.give_up_syn)
    }

    /// RFC 9293 §3.5.1, figure 9: the peer still holds an old connection, which our RST will end. The first time the
    /// next SYN follows at once.
    pub(in crate::tcp) fn expect_reset_to_clear(&mut self, cx: &Context<'_>) {
        if self.transmissions == 1 && self.config.prompt_syn {
            self.follows_reset = true;
            self.deadline = cx.after(AFTER_RESET);
        }
    }

    /// An ICMP error that quotes our SYN. RFC 5461: a hard one ends the attempt, for `hard`.
    pub fn handle_icmp(&mut self, cx: &mut Context<'_>, meaning: &'static str, hard: Option<CloseReason>) -> Outcome {
        self.tell(cx, TcpEvent::IcmpError { meaning, hard: hard.is_some() });
        let Some(why) = hard.filter(|_| self.config.icmp_ends_opening) else {
            self.soft_error = Some(meaning);
            return Outcome::Stay;
        };
        self.move_to(cx, Cause::GaveUp);
        Outcome::Closed(why)
    }

    /// CLOSE in SYN-RECEIVED (RFC 9293 §3.10.4): the FIN follows once the connection stands. `release`: the application
    /// lets go altogether.
    pub fn close(&mut self, release: bool) {
        self.closing = Some(if release { Closing::Release } else { Closing::Shutdown });
    }

    /// What was called before the connection stood.
    pub fn finish_closing(&self, cx: &mut Context<'_>, connection: &mut Connection) {
        match self.closing {
            None => {}
            Some(Closing::Shutdown) => connection.shutdown(cx),
            Some(Closing::Release) => connection.release(cx),
        }
    }

    /// The application aborts: RFC 9293 §3.10.5. A RST goes out where the peer may know of us.
    pub fn abort(&mut self, cx: &mut Context<'_>) -> Option<Header> {
        let answers = self.state == State::SynReceived;
        self.move_to(cx, Cause::Abort);
        let sent = self.early().map_or(0, Connection::sent) as u32;
        answers.then(|| self.header(1 + sent, Flags::RST | Flags::ACK))
    }
}
