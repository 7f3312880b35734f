//! The names of the system's numbers, with Linux's values.

use crate::sim::script::syntax::Expression;

const CONSTANTS: &[(&str, i64)] = &[
    ("AF_INET", 2),
    ("PF_INET", 2),
    ("AF_INET6", 10),
    ("PF_INET6", 10),
    ("SOCK_STREAM", 1),
    ("SOCK_DGRAM", 2),
    ("SOCK_NONBLOCK", O_NONBLOCK),
    ("SOCK_CLOEXEC", 0o2_000_000),
    ("IPPROTO_IP", 0),
    ("IPPROTO_TCP", 6),
    ("IPPROTO_UDP", 17),
    ("F_GETFL", 3),
    ("F_SETFL", 4),
    ("O_RDONLY", 0),
    ("O_WRONLY", 1),
    ("O_RDWR", 2),
    ("O_NONBLOCK", O_NONBLOCK),
    ("SHUT_RD", 0),
    ("SHUT_WR", 1),
    ("SHUT_RDWR", 2),
    ("MSG_OOB", MSG_OOB),
    ("MSG_DONTWAIT", MSG_DONTWAIT),
    ("MSG_NOSIGNAL", MSG_NOSIGNAL),
    ("MSG_PEEK", 2),
    ("MSG_TRUNC", 0x20),
    ("MSG_WAITALL", 0x100),
    ("MSG_MORE", 0x8000),
    ("MSG_ERRQUEUE", 0x2000),
    ("MSG_FASTOPEN", 0x2000_0000),
    ("MSG_ZEROCOPY", 0x400_0000),
    ("POLLIN", POLLIN),
    ("POLLPRI", 2),
    ("POLLOUT", POLLOUT),
    ("POLLERR", POLLERR),
    ("POLLHUP", POLLHUP),
    ("POLLNVAL", 0x20),
    ("POLLRDNORM", 0x40),
    ("POLLWRNORM", 0x100),
    ("POLLRDHUP", POLLRDHUP),
    ("EPOLLIN", POLLIN),
    ("EPOLLPRI", 2),
    ("EPOLLOUT", POLLOUT),
    ("EPOLLERR", POLLERR),
    ("EPOLLHUP", POLLHUP),
    ("EPOLLRDHUP", POLLRDHUP),
    ("EPOLLET", EPOLLET),
    ("EPOLLONESHOT", 1 << 30),
    ("EPOLL_CTL_ADD", 1),
    ("EPOLL_CTL_DEL", 2),
    ("EPOLL_CTL_MOD", 3),
    ("INADDR_ANY", 0),
    ("NULL", 0),
];

pub const O_NONBLOCK: i64 = 0x800;
pub const MSG_OOB: i64 = 1;
pub const MSG_DONTWAIT: i64 = 0x40;
pub const MSG_NOSIGNAL: i64 = 0x4000;
pub const POLLIN: i64 = 1;
pub const POLLOUT: i64 = 4;
pub const POLLERR: i64 = 8;
pub const POLLHUP: i64 = 0x10;
pub const POLLRDHUP: i64 = 0x2000;
pub const EPOLLET: i64 = 1 << 31;

/// The number that an expression stands for; none when it is no number.
pub fn number(expression: &Expression) -> Option<i64> {
    match expression {
        Expression::Integer(value) => Some(*value),
        Expression::Hex(value) => i64::try_from(*value).ok(),
        Expression::Word(word) => CONSTANTS.iter().find(|(name, _)| name == word).map(|(_, value)| *value),
        Expression::Or(left, right) => Some(number(left)? | number(right)?),
        Expression::Function { name, argument } if name == "htons" => number(argument),
        Expression::List(list) if list.len() == 1 => number(&list[0]),
        Expression::Ellipsis
        | Expression::Unknown
        | Expression::Text(_)
        | Expression::TextAndMore(_)
        | Expression::Member { .. }
        | Expression::Function { .. }
        | Expression::List(_)
        | Expression::Struct(_) => None,
    }
}

/// The value of a member of a structure, by its name.
pub fn member<'e>(structure: &'e Expression, wanted: &str) -> Option<&'e Expression> {
    let Expression::Struct(members) = structure else { return None };
    members.iter().find_map(|member| match member {
        Expression::Member { name, value, .. } if name == wanted => Some(&**value),
        _ => None,
    })
}
