//! The names of the system's numbers, with Linux's values.

use super::stamps;
use crate::sim::script::syntax::Expression;

const CONSTANTS: &[(&str, i64)] = &[
    ("AF_UNSPEC", 0),
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
    ("O_RDWR", O_RDWR),
    ("O_NONBLOCK", O_NONBLOCK),
    ("SHUT_RD", 0),
    ("SHUT_WR", 1),
    ("SHUT_RDWR", 2),
    ("MSG_OOB", MSG_OOB),
    ("MSG_DONTWAIT", MSG_DONTWAIT),
    ("MSG_NOSIGNAL", MSG_NOSIGNAL),
    ("MSG_PEEK", MSG_PEEK),
    ("MSG_CTRUNC", 8),
    ("MSG_TRUNC", MSG_TRUNC),
    ("MSG_EOR", MSG_EOR),
    ("MSG_WAITALL", MSG_WAITALL),
    ("MSG_MORE", MSG_MORE),
    ("MSG_ERRQUEUE", MSG_ERRQUEUE),
    ("MSG_FASTOPEN", MSG_FASTOPEN),
    ("MSG_ZEROCOPY", MSG_ZEROCOPY),
    ("SOL_IP", SOL_IP),
    ("SOL_SOCKET", SOL_SOCKET),
    ("SCM_TIMESTAMPING", SCM_TIMESTAMPING),
    ("SCM_TSTAMP_SND", 0),
    ("SCM_TSTAMP_SCHED", 1),
    ("SCM_TSTAMP_ACK", 2),
    ("SOF_TIMESTAMPING_TX_HARDWARE", 1),
    ("SOF_TIMESTAMPING_TX_SOFTWARE", stamps::TX_SOFTWARE),
    ("SOF_TIMESTAMPING_RX_HARDWARE", 1 << 2),
    ("SOF_TIMESTAMPING_RX_SOFTWARE", 1 << 3),
    ("SOF_TIMESTAMPING_SOFTWARE", stamps::SOFTWARE),
    ("SOF_TIMESTAMPING_SYS_HARDWARE", 1 << 5),
    ("SOF_TIMESTAMPING_RAW_HARDWARE", 1 << 6),
    ("SOF_TIMESTAMPING_OPT_ID", stamps::OPT_ID),
    ("SOF_TIMESTAMPING_TX_SCHED", stamps::TX_SCHED),
    ("SOF_TIMESTAMPING_TX_ACK", stamps::TX_ACK),
    ("SOF_TIMESTAMPING_OPT_CMSG", stamps::OPT_CMSG),
    ("SOF_TIMESTAMPING_OPT_TSONLY", stamps::OPT_TSONLY),
    ("SOF_TIMESTAMPING_OPT_ID_TCP", stamps::OPT_ID_TCP),
    ("ENOMSG", ENOMSG),
    ("SOL_TCP", SOL_TCP),
    ("SOL_UDP", 17),
    ("SOL_IPV6", 41),
    ("IP_RECVERR", IP_RECVERR),
    ("IP_TOS", 1),
    ("IP_TTL", 2),
    // RFC 2474 §4.2.2, RFC 2597 §6, RFC 3246 §2.7, where they stand in the byte.
    ("IPTOS_DSCP_CS0", 0x00),
    ("IPTOS_DSCP_CS1", 0x20),
    ("IPTOS_DSCP_CS2", 0x40),
    ("IPTOS_DSCP_CS3", 0x60),
    ("IPTOS_DSCP_CS4", 0x80),
    ("IPTOS_DSCP_CS5", 0xa0),
    ("IPTOS_DSCP_CS6", 0xc0),
    ("IPTOS_DSCP_CS7", 0xe0),
    ("IPTOS_DSCP_AF11", 0x28),
    ("IPTOS_DSCP_AF12", 0x30),
    ("IPTOS_DSCP_AF13", 0x38),
    ("IPTOS_DSCP_AF21", 0x48),
    ("IPTOS_DSCP_AF22", 0x50),
    ("IPTOS_DSCP_AF23", 0x58),
    ("IPTOS_DSCP_AF31", 0x68),
    ("IPTOS_DSCP_AF32", 0x70),
    ("IPTOS_DSCP_AF33", 0x78),
    ("IPTOS_DSCP_AF41", 0x88),
    ("IPTOS_DSCP_AF42", 0x90),
    ("IPTOS_DSCP_AF43", 0x98),
    ("IPTOS_DSCP_EF", 0xb8),
    ("TCP_CM_INQ", TCP_CM_INQ),
    // How the selftests name the level and the type, for either version of IP.
    ("CMSG_LEVEL_IP", SOL_IP),
    ("CMSG_TYPE_RECVERR", IP_RECVERR),
    ("SO_EE_ORIGIN_LOCAL", 1),
    ("SO_EE_ORIGIN_ICMP", 2),
    ("SO_EE_ORIGIN_TIMESTAMPING", ORIGIN_TIMESTAMPING),
    ("SO_EE_ORIGIN_ZEROCOPY", ORIGIN_ZEROCOPY),
    ("SO_EE_CODE_ZEROCOPY_COPIED", CODE_ZEROCOPY_COPIED),
    ("IP_PMTUDISC_DONT", 0),
    ("IP_PMTUDISC_WANT", 1),
    ("IP_PMTUDISC_DO", 2),
    ("IP_PMTUDISC_PROBE", 3),
    ("SPLICE_F_MOVE", 1),
    ("SPLICE_F_NONBLOCK", 2),
    ("SPLICE_F_MORE", 4),
    ("ENOMSG", 42),
    ("ECONNRESET", 104),
    ("ETIMEDOUT", 110),
    ("ECONNREFUSED", 111),
    ("EHOSTUNREACH", 113),
    ("EINPROGRESS", 115),
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
    ("EPOLLONESHOT", EPOLLONESHOT),
    ("EPOLLEXCLUSIVE", EPOLLEXCLUSIVE),
    ("EPOLL_CTL_ADD", EPOLL_CTL_ADD),
    ("EPOLL_CTL_DEL", EPOLL_CTL_DEL),
    ("EPOLL_CTL_MOD", EPOLL_CTL_MOD),
    ("INADDR_ANY", 0),
    ("NULL", 0),
];

pub const O_RDWR: i64 = 2;
pub const O_NONBLOCK: i64 = 0x800;
pub const SOL_SOCKET: i64 = 1;
pub const SCM_TIMESTAMPING: i64 = 37;
pub const ENOMSG: i64 = 42;
pub const ORIGIN_TIMESTAMPING: i64 = 4;
pub const SOL_IP: i64 = 0;
pub const SOL_TCP: i64 = 6;
pub const IP_RECVERR: i64 = 11;
pub const TCP_CM_INQ: i64 = 36;
pub const ORIGIN_ZEROCOPY: i64 = 5;
pub const CODE_ZEROCOPY_COPIED: i64 = 1;
pub const MSG_OOB: i64 = 1;
pub const MSG_PEEK: i64 = 2;
pub const MSG_TRUNC: i64 = 0x20;
pub const MSG_EOR: i64 = 0x80;
pub const MSG_WAITALL: i64 = 0x100;
pub const MSG_ERRQUEUE: i64 = 0x2000;
pub const MSG_MORE: i64 = 0x8000;
pub const MSG_ZEROCOPY: i64 = 0x400_0000;
pub const MSG_FASTOPEN: i64 = 0x2000_0000;
pub const MSG_DONTWAIT: i64 = 0x40;
pub const MSG_NOSIGNAL: i64 = 0x4000;
pub const POLLIN: i64 = 1;
pub const POLLOUT: i64 = 4;
pub const POLLERR: i64 = 8;
pub const POLLHUP: i64 = 0x10;
pub const POLLRDHUP: i64 = 0x2000;
pub const EPOLLET: i64 = 1 << 31;
pub const EPOLLONESHOT: i64 = 1 << 30;
pub const EPOLLEXCLUSIVE: i64 = 1 << 28;
pub const EPOLL_CTL_ADD: i64 = 1;
pub const EPOLL_CTL_DEL: i64 = 2;
pub const EPOLL_CTL_MOD: i64 = 3;

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
