//! What ICMP, and our own IP layer, say about segments of ours.

use super::socket::Shape;
use super::tcp::TcpTable;
use crate::event::{CloseReason, Context, FourTuple};
use crate::ip::{MIN_PATH_MTU, NetworkError};
use crate::tcp::Seq;

impl TcpTable {
    /// An ICMP error that quotes a segment to `tuple` with the sequence number `seq`. True when it was believed; a
    /// `hard` one ends an opening.
    pub fn handle_error(
        &mut self,
        cx: &mut Context<'_>,
        tuple: &FourTuple,
        seq: Seq,
        error: NetworkError,
        hard: bool,
    ) -> bool {
        let Some(id) = self.sockets.find(tuple) else { return false };
        match &mut self.sockets[id].shape {
            Shape::Connection(connection) if connection.has_in_flight(seq) => {
                if let NetworkError::FragmentationNeeded { mtu } = error {
                    connection.hear_path_mtu(cx, seq, mtu, MIN_PATH_MTU);
                } else {
                    connection.handle_icmp(cx, error.meaning(), hard);
                }
                self.settle(id);
                true
            }
            Shape::Opening(opening) if opening.has_in_flight(seq) => {
                if let NetworkError::FragmentationNeeded { mtu } = error {
                    if opening.hear_path_mtu(cx, mtu) {
                        opening.handle_path_mtu(usize::from(mtu.max(MIN_PATH_MTU)));
                        self.narrower.push_back((tuple.remote.ip(), mtu));
                    }
                } else {
                    // Nobody refuses a connection that the application may hold already.
                    let is_at_work = opening.early().is_some();
                    let why = if is_at_work { CloseReason::Unreachable } else { refusal(error) };
                    let outcome = opening.handle_icmp(cx, error.meaning(), hard.then_some(why));
                    self.conclude(cx, id, outcome);
                }
                true
            }
            // Of a connection at rest nothing is in flight.
            Shape::Connection(_) | Shape::Opening(_) | Shape::Resting(_) | Shape::Failed { .. } => false,
        }
    }

    /// A segment of ours did not fit: another connection had found the path narrower before.
    pub fn handle_too_large(&mut self, tuple: &FourTuple, mtu: usize) {
        if let Some(id) = self.sockets.find(tuple) {
            match &mut self.socket(id).shape {
                Shape::Connection(connection) => connection.handle_path_mtu(mtu),
                Shape::Opening(opening) => opening.handle_path_mtu(mtu),
                Shape::Resting(_) | Shape::Failed { .. } => {}
            }
            self.settle(id);
        }
    }
}

/// Who says that there is no such port, or no TCP, is the host itself; the others are on the way to it.
fn refusal(error: NetworkError) -> CloseReason {
    match error {
        NetworkError::PortUnreachable | NetworkError::ProtocolUnreachable => CloseReason::Refused,
        NetworkError::NetUnreachable
        | NetworkError::HostUnreachable
        | NetworkError::FragmentationNeeded { .. }
        | NetworkError::SourceRouteFailed
        | NetworkError::AdministrativelyProhibited
        | NetworkError::TtlExceeded
        | NetworkError::ReassemblyTimeExceeded
        | NetworkError::ParameterProblem { .. } => CloseReason::Unreachable,
    }
}
