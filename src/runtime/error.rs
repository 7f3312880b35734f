//! The stack's errors as `std::io` gives them: the kind that a program matches on, the sentence that a person reads.

use crate::event::CloseReason;
use crate::ip::NetworkError;
use crate::stack::{BindError, PingError, UdpReceiveError, UdpSendError};
use crate::tcp::{ConnectError, ListenError, ReceiveError, SendError};
use std::error::Error;
use std::io::{self, ErrorKind};

/// Makes an `io::Error` that keeps the stack's own as its source.
pub trait Kind: Error + Send + Sync + Sized + 'static {
    fn kind(&self) -> ErrorKind;

    fn into_io(self) -> io::Error {
        io::Error::new(self.kind(), self)
    }
}

/// The kind of a connection's end, for a call that came too late.
pub fn close_kind(reason: CloseReason) -> ErrorKind {
    match reason {
        CloseReason::Finished => ErrorKind::BrokenPipe,
        CloseReason::Aborted => ErrorKind::ConnectionAborted,
        CloseReason::ResetByPeer => ErrorKind::ConnectionReset,
        CloseReason::Refused => ErrorKind::ConnectionRefused,
        CloseReason::TimedOut | CloseReason::KeepaliveTimedOut => ErrorKind::TimedOut,
        CloseReason::Unreachable => ErrorKind::HostUnreachable,
    }
}

/// The error of a connection that has ended for `reason`, told of what was being done: "connecting to 192.0.2.1:80".
pub fn closed(reason: CloseReason, doing: impl std::fmt::Display) -> io::Error {
    io::Error::new(close_kind(reason), format!("{doing}: {reason}"))
}

impl Kind for SendError {
    fn kind(&self) -> ErrorKind {
        match self {
            SendError::WouldBlock => ErrorKind::WouldBlock,
            SendError::Shutdown => ErrorKind::BrokenPipe,
            SendError::Closed(reason) => close_kind(*reason),
        }
    }
}

impl Kind for ReceiveError {
    fn kind(&self) -> ErrorKind {
        match self {
            ReceiveError::WouldBlock => ErrorKind::WouldBlock,
            ReceiveError::Closed(reason) => close_kind(*reason),
        }
    }
}

impl Kind for ListenError {
    fn kind(&self) -> ErrorKind {
        match self {
            ListenError::AddressInUse { .. } | ListenError::PortsExhausted => ErrorKind::AddrInUse,
            ListenError::NotOurAddress { .. } => ErrorKind::AddrNotAvailable,
        }
    }
}

impl Kind for ConnectError {
    fn kind(&self) -> ErrorKind {
        match self {
            ConnectError::NoRoute { .. } => ErrorKind::NetworkUnreachable,
            ConnectError::NotUnicast { .. } => ErrorKind::InvalidInput,
            ConnectError::NotOurAddress { .. } | ConnectError::PortsExhausted { .. } => ErrorKind::AddrNotAvailable,
            ConnectError::AddressInUse { .. } => ErrorKind::AddrInUse,
        }
    }
}

impl Kind for BindError {
    fn kind(&self) -> ErrorKind {
        match self {
            BindError::AddressInUse { .. } | BindError::PortsExhausted => ErrorKind::AddrInUse,
            BindError::NotOurAddress { .. } => ErrorKind::AddrNotAvailable,
            BindError::NoRoute { .. } => ErrorKind::NetworkUnreachable,
        }
    }
}

impl Kind for PingError {
    fn kind(&self) -> ErrorKind {
        match self {
            PingError::NoRoute { .. } => ErrorKind::NetworkUnreachable,
            PingError::TooLong { .. } => ErrorKind::InvalidInput,
            PingError::WouldBlock => ErrorKind::WouldBlock,
        }
    }
}

impl Kind for UdpSendError {
    fn kind(&self) -> ErrorKind {
        match self {
            UdpSendError::NotConnected => ErrorKind::NotConnected,
            UdpSendError::BroadcastNotAllowed { .. } => ErrorKind::PermissionDenied,
            UdpSendError::TooLong { .. } | UdpSendError::SegmentSize { .. } | UdpSendError::TooManySegments { .. } => {
                ErrorKind::InvalidInput
            }
            UdpSendError::NoRoute { .. } => ErrorKind::NetworkUnreachable,
            UdpSendError::WouldBlock => ErrorKind::WouldBlock,
            UdpSendError::Network(error) => network_kind(*error),
        }
    }
}

impl Kind for UdpReceiveError {
    fn kind(&self) -> ErrorKind {
        match self {
            UdpReceiveError::WouldBlock => ErrorKind::WouldBlock,
            UdpReceiveError::Network(error) => network_kind(*error),
        }
    }
}

/// Linux reports a closed port to a connected UDP socket as `ECONNREFUSED`, all else as unreachable.
fn network_kind(error: NetworkError) -> ErrorKind {
    if error == NetworkError::PortUnreachable { ErrorKind::ConnectionRefused } else { ErrorKind::HostUnreachable }
}
