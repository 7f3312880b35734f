//! A packet script as a tree. Two trees are equal when they mean the same script, wherever its parts stand.

use std::net::IpAddr;
use std::time::Duration;

/// Where something begins, both counted from 1. It does not count when trees are compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

impl PartialEq for Position {
    fn eq(&self, _: &Position) -> bool {
        true
    }
}

impl Eq for Position {}

/// `option* [init] event+ [cleanup]`
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Script {
    pub settings: Vec<Setting>,
    pub init: Option<String>,
    pub events: Vec<Event>,
    pub cleanup: Option<String>,
}

impl Script {
    /// Adds an option, after which those of the same name in the script count no more.
    pub fn set(&mut self, name: &str, value: i64) {
        let value = Some(Value::Integer(value));
        self.settings.push(Setting { at: Position::default(), name: name.into(), key: None, value });
    }
}

/// `--name`, `--name=value`, `--name=key=value`
#[derive(Clone, PartialEq, Debug)]
pub struct Setting {
    pub at: Position,
    pub name: String,
    pub key: Option<String>,
    pub value: Option<Value>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Integer(i64),
    Word(String),
    Text(String),
    Command(String),
    Address(IpAddr),
}

#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    pub at: Position,
    pub when: When,
    pub action: Action,
}

/// When an event is to happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// `*`: at any time, for packets that are expected.
    Any,
    Absolute(Duration),
    Relative(Duration),
    AbsoluteRange(Duration, Duration),
    RelativeRange(Duration, Duration),
}

#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    Packet(Packet),
    Call(Call),
    Command(String),
    Code(String),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// `<`: handed to the stack.
    In,
    /// `>`: expected of the stack.
    Out,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Packet {
    pub direction: Direction,
    pub outer: Vec<Outer>,
    pub ip: IpInfo,
    pub body: Body,
}

/// A header around the packet.
#[derive(Clone, PartialEq, Debug)]
pub enum Outer {
    Ip {
        version: u8,
        info: IpInfo,
        source: IpAddr,
        destination: IpAddr,
    },
    /// Its fields as they were written.
    Gre(Vec<String>),
    Mpls(Vec<MplsLabel>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MplsLabel {
    pub label: u32,
    pub class: u8,
    pub bottom: bool,
    pub ttl: u8,
}

/// What is said of the IP header; nothing said is nothing compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IpInfo {
    pub ecn: Option<Ecn>,
    pub tos: Option<u8>,
    pub flow_label: Option<u32>,
    pub ttl: Option<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ecn {
    NotCapable,
    Ect0,
    Ect1,
    /// Either of the two.
    Ect01,
    Congestion,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    Tcp(Tcp),
    Udp { ports: Option<(u16, u16)>, len: u16 },
    Icmp(Icmp),
}

#[derive(Clone, PartialEq, Debug)]
pub struct Tcp {
    /// The security parameter index of `encap psp`.
    pub psp: Option<u32>,
    pub ports: Option<(u16, u16)>,
    pub flags: TcpFlags,
    pub seq: u32,
    pub len: u16,
    pub ack: Option<u32>,
    pub window: Option<u16>,
    pub urgent: Option<u16>,
    /// None for `<...>`: whatever they are.
    pub options: Option<Vec<TcpOption>>,
}

/// Header bits as on the wire (FIN is bit 0, AE bit 8); the digit of an ACE field is in the upper three.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TcpFlags {
    pub bits: u16,
    /// The upper three were written as a digit.
    pub ace: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub enum TcpOption {
    Nop,
    Eol,
    Mss(u16),
    WindowScale(u8),
    SackPermitted,
    Sack(Vec<(u32, u32)>),
    Timestamps {
        value: u32,
        echo: u32,
    },
    FastOpen {
        cookie: Vec<u8>,
        experimental: bool,
    },
    Md5(Vec<u8>),
    /// The counters in the order in which they are written; each has 24 bits.
    AccEcn(Vec<(EcnCounter, u32)>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EcnCounter {
    E0b,
    Ceb,
    E1b,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Icmp {
    /// As written, and known to be a name of the grammar.
    pub kind: String,
    pub code: Option<String>,
    pub mtu: Option<u32>,
    pub id: Option<u16>,
    pub quote: Option<Quote>,
}

/// The packet that an ICMP message is about, or its data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quote {
    Tcp { seq: u32, len: u16 },
    Udp { len: u16 },
    Raw { len: u16 },
}

/// `name(arguments) = result ERRNO (words) (words)`
#[derive(Clone, PartialEq, Debug)]
pub struct Call {
    /// When a call that blocks returns.
    pub end: Option<CallEnd>,
    pub name: String,
    pub arguments: Vec<Expression>,
    pub result: Expression,
    pub errno: Option<String>,
    /// What stands in parentheses behind: for people.
    pub notes: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallEnd {
    pub time: Duration,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Expression {
    Ellipsis,
    /// `?`: whatever it is.
    Unknown,
    Integer(i64),
    Hex(u64),
    Word(String),
    /// The strings joined, escapes as written.
    Text(String),
    /// A string and `...`: the rest does not matter.
    TextAndMore(String),
    Or(Box<Expression>, Box<Expression>),
    /// `name = value`, `name(argument) = value`
    Member {
        name: String,
        argument: Option<Box<Expression>>,
        value: Box<Expression>,
    },
    /// `htons(80)`, `inet_addr("192.0.2.1")`
    Function {
        name: String,
        argument: Box<Expression>,
    },
    List(Vec<Expression>),
    Struct(Vec<Expression>),
}
