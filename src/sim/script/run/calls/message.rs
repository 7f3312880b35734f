//! The structures of `recvmsg` and `sendmsg`: pieces of data, flags, control messages.

use crate::sim::script::run::Stop;
use crate::sim::script::run::constants::{
    CODE_ZEROCOPY_COPIED, ENOMSG, IP_RECVERR, ORIGIN_TIMESTAMPING, ORIGIN_ZEROCOPY, SCM_TIMESTAMPING, SOL_IP,
    SOL_SOCKET, SOL_TCP, TCP_CM_INQ, member, number,
};
use crate::sim::script::run::stamps::Stamp;
use crate::sim::script::syntax::Expression;
use std::time::Duration;

/// How a timestamp is told, seconds and nanoseconds together.
const NANOS: &str = "scm_nsec";

/// `{msg_name(N)=.., msg_iov(N)=[..], msg_flags=.., msg_control=[..]}`
pub(super) struct Message<'e> {
    pub name: Option<&'e Expression>,
    /// How many bytes its pieces have.
    pub len: i64,
    /// One of them is `NULL`.
    pub null: bool,
    flags: Option<&'e Expression>,
    pub control: Option<&'e [Expression]>,
}

impl<'e> Message<'e> {
    pub fn of(argument: Option<&'e Expression>) -> Result<Message<'e>, Stop> {
        let message = argument.ok_or_else(|| Stop::unsupported("a call without its message"))?;
        let control = match member(message, "msg_control") {
            None => None,
            Some(Expression::List(list)) => Some(&list[..]),
            Some(other) => return Err(Stop::unsupported(format!("control messages as {other}"))),
        };
        let pieces = member(message, "msg_iov");
        Ok(Message {
            name: member(message, "msg_name").filter(|name| **name != Expression::Ellipsis),
            len: pieces_len(pieces)?,
            null: pieces.is_some_and(has_null),
            flags: member(message, "msg_flags"),
            control,
        })
    }

    pub fn check_flags(&self, found: i64) -> Result<(), Stop> {
        match self.flags.and_then(number) {
            Some(wanted) if wanted != found => {
                Err(Stop::failed(format!("msg_flags={wanted:#x}"), format!("msg_flags={found:#x}")))
            }
            _ => Ok(()),
        }
    }

    /// The same of a timestamp, which may be off by so much.
    pub fn check_stamp(&self, found: &[Control], tolerance: Duration) -> Result<(), Stop> {
        let time = |control: &Control| control.data.iter().find(|(name, _)| *name == NANOS).map(|(_, value)| *value);
        let expected: Vec<Control> = self.control.unwrap_or(&[]).iter().map(Control::of).collect::<Result<_, _>>()?;
        let off = expected.first().and_then(time).zip(found.first().and_then(time)).map(|(a, b)| a.abs_diff(b));
        match (off, expected.get(1..), found.get(1..)) {
            (Some(off), Some(wanted), Some(rest)) if u128::from(off) <= tolerance.as_nanos() && wanted == rest => {
                Ok(())
            }
            (_, _, _) => self.check_control(found),
        }
    }

    /// Compares what came with what the script expects, where it says.
    pub fn check_control(&self, found: &[Control]) -> Result<(), Stop> {
        let Some(expected) = self.control else { return Ok(()) };
        let wanted: Vec<Control> = expected.iter().map(Control::of).collect::<Result<_, _>>()?;
        if wanted == found {
            return Ok(());
        }
        let text = |list: &[Control]| list.iter().map(Control::told).collect::<Vec<_>>().join(", ");
        Err(Stop::failed(format!("msg_control=[{}]", text(&wanted)), format!("msg_control=[{}]", text(found))))
    }
}

/// A control message with its level, its type, and the numbers that are its data.
#[derive(PartialEq, Eq)]
pub(super) struct Control {
    level: i64,
    kind: i64,
    data: Vec<(&'static str, i64)>,
}

/// `struct sock_extended_err`
const EXTENDED_ERROR: [&str; 6] = ["ee_errno", "ee_origin", "ee_type", "ee_code", "ee_info", "ee_data"];

impl Control {
    fn of(expected: &Expression) -> Result<Control, Stop> {
        let unknown = || Stop::unsupported(format!("the control message {expected}"));
        let value = |name| member(expected, name).ok_or_else(unknown);
        let level = number(value("cmsg_level")?).ok_or_else(unknown)?;
        let kind = number(value("cmsg_type")?).ok_or_else(unknown)?;
        let data = match (level, kind) {
            (SOL_TCP, TCP_CM_INQ) => vec![("cmsg_data", number(value("cmsg_data")?).ok_or_else(unknown)?)],
            (SOL_SOCKET, SCM_TIMESTAMPING) => {
                let data = value("cmsg_data")?;
                let part = |name| member(data, name).and_then(number).ok_or_else(unknown);
                let seconds = part("scm_sec")?.checked_mul(1_000_000_000).ok_or_else(unknown)?;
                vec![(NANOS, seconds.saturating_add(part("scm_nsec")?))]
            }
            (SOL_IP, IP_RECVERR) => {
                let error = value("cmsg_data")?;
                let field = |name| Some((name, member(error, name).and_then(number)?));
                EXTENDED_ERROR.into_iter().map(field).collect::<Option<_>>().ok_or_else(unknown)?
            }
            (_, _) => return Err(unknown()),
        };
        Ok(Control { level, kind, data })
    }

    fn told(&self) -> String {
        let data: Vec<String> = self.data.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{{cmsg_level={}, cmsg_type={}, {}}}", self.level, self.kind, data.join(", "))
    }
}

pub(super) fn inquiry(queued: i64) -> Control {
    Control { level: SOL_TCP, kind: TCP_CM_INQ, data: vec![("cmsg_data", queued)] }
}

/// Word that the sends `first..=last` are over and done with. We copied their bytes: the stack holds its own.
pub(super) fn zero_copy(first: u32, last: u32) -> Control {
    let values = [0, ORIGIN_ZEROCOPY, 0, CODE_ZEROCOPY_COPIED, i64::from(first), i64::from(last)];
    Control { level: SOL_IP, kind: IP_RECVERR, data: EXTENDED_ERROR.into_iter().zip(values).collect() }
}

/// When something happened to the last byte of a write, counted from the beginning of the script.
pub(super) fn stamp(stamp: &Stamp, at: Duration) -> [Control; 2] {
    let nanos = i64::try_from(at.as_nanos()).unwrap_or(i64::MAX);
    let values = [ENOMSG, ORIGIN_TIMESTAMPING, 0, 0, stamp.moment as i64, i64::from(stamp.key)];
    [
        Control { level: SOL_SOCKET, kind: SCM_TIMESTAMPING, data: vec![(NANOS, nanos)] },
        Control { level: SOL_IP, kind: IP_RECVERR, data: EXTENDED_ERROR.into_iter().zip(values).collect() },
    ]
}

/// How many bytes the pieces `[{..., 10}, {..., 20}]` have.
pub(super) fn pieces_len(pieces: Option<&Expression>) -> Result<i64, Stop> {
    let wrong = || Stop::unsupported("pieces of this form");
    let Some(Expression::List(pieces)) = pieces else { return Err(wrong()) };
    let len = |piece: &Expression| match piece {
        Expression::Struct(members) => members.last().and_then(number),
        _ => None,
    };
    let lens: Option<Vec<i64>> = pieces.iter().map(len).collect();
    Ok(lens.ok_or_else(wrong)?.iter().fold(0, |sum, len| sum.saturating_add(*len)))
}

fn has_null(pieces: &Expression) -> bool {
    let Expression::List(pieces) = pieces else { return false };
    pieces.iter().any(|piece| matches!(piece, Expression::Struct(members) if super::is_null(members.first())))
}
