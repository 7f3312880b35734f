//! The states of a connection and the table by which they move (RFC 9293 §3.3.2, figure 5).
//!
//! ```text
//!                              +---------+ ---------\      active OPEN
//!                              |  CLOSED |            \    -----------
//!                              +---------+<---------\   \   snd SYN
//!                passive OPEN     |     ^              \   \
//!                ------------     |     | CLOSE          \   \
//!                                 V     |                  \   \
//!                              +---------+                   |    |
//!                              |  LISTEN |                   |    |
//!                              +---------+                   |    |
//!                   rcv SYN      |                           |    |
//!                 -----------    |                           |    V
//! +---------+    snd SYN,ACK     |                           |  +---------+
//! |   SYN   |<-------------------/                           \--|   SYN   |
//! |   RCVD  |<--------------------------------------------------|   SENT  |
//! +---------+                rcv SYN / snd SYN,ACK              +---------+
//!      |   rcv ACK of SYN                      rcv SYN,ACK / snd ACK  |
//!      \-------------------->+---------+<----------------------------/
//!        CLOSE / snd FIN     |  ESTAB  |     rcv FIN / snd ACK
//!            /---------------+---------+----------------\
//!            V                                          V
//!      +---------+   rcv FIN / snd ACK                +---------+
//!      |  FIN    |------------------\                 |  CLOSE  |
//!      | WAIT-1  |                  |                 |   WAIT  |
//!      +---------+                  V                 +---------+
//!        | rcv ACK of FIN     +---------+               | CLOSE / snd FIN
//!        V                    | CLOSING |               V
//!      +---------+            +---------+             +---------+
//!      |FINWAIT-2|              | rcv ACK of FIN      | LAST-ACK|
//!      +---------+              V                     +---------+
//!        | rcv FIN / snd ACK  +---------+               | rcv ACK of FIN
//!        \------------------->|TIME WAIT|--------------->+---------+
//!                             +---------+ 2MSL are over  | CLOSED  |
//!                                                        +---------+
//! ```

pub use crate::event::{StateCause as Cause, TcpState as State};

/// The state that `cause` leads to; none when it means nothing there.
pub fn next(state: State, cause: Cause) -> Option<State> {
    use State::{
        CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynReceived, SynSent, TimeWait,
    };
    let to = match (state, cause) {
        (Closed, Cause::PassiveOpen) => Listen,
        (Closed, Cause::ActiveOpen) => SynSent,
        (Listen | SynSent, Cause::SynReceived) => SynReceived,
        (SynSent, Cause::SynAckReceived) => Established,
        (SynReceived, Cause::AckOfSyn) => Established,
        (Listen | SynSent, Cause::Close) => Closed,
        (SynReceived | Established, Cause::Close) => FinWait1,
        (CloseWait, Cause::Close) => LastAck,
        (SynReceived | Established, Cause::FinReceived) => CloseWait,
        (FinWait1, Cause::FinReceived) => Closing,
        (FinWait2, Cause::FinReceived) => TimeWait,
        (FinWait1, Cause::AckOfFin) => FinWait2,
        (Closing, Cause::AckOfFin) => TimeWait,
        (LastAck, Cause::AckOfFin) => Closed,
        (TimeWait, Cause::TimeWaitOver | Cause::NewIncarnation | Cause::Evicted) => Closed,
        (Closed, _) => return None,
        (_, Cause::ResetReceived | Cause::Abort | Cause::GaveUp) => Closed,
        (
            Listen | SynSent | SynReceived | Established | FinWait1 | FinWait2 | CloseWait | Closing | LastAck
            | TimeWait,
            _,
        ) => return None,
    };
    Some(to)
}

/// May data still arrive from the peer?
pub fn receives(state: State) -> bool {
    matches!(state, State::Established | State::FinWait1 | State::FinWait2)
}

/// May the application still write?
pub fn sends(state: State) -> bool {
    matches!(state, State::Established | State::CloseWait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_state_and_cause() {
        const CAUSES: [Cause; 14] = [
            Cause::PassiveOpen,
            Cause::ActiveOpen,
            Cause::SynReceived,
            Cause::SynAckReceived,
            Cause::AckOfSyn,
            Cause::Close,
            Cause::FinReceived,
            Cause::AckOfFin,
            Cause::TimeWaitOver,
            Cause::Abort,
            Cause::ResetReceived,
            Cause::GaveUp,
            Cause::NewIncarnation,
            Cause::Evicted,
        ];
        let mut table = String::new();
        for state in State::ALL {
            for cause in CAUSES {
                if let Some(to) = next(state, cause) {
                    table += &format!("{state}: {cause} -> {to}\n");
                }
            }
        }
        insta::assert_snapshot!(table);
    }
}
