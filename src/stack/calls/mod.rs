//! What applications may ask of a host's sockets. Every call returns at once.
//!
//! Those of TCP are the user calls of RFC 9293 §3.10 and stand in its order: [`open`], [`transfer`] for SEND and RECEIVE,
//! [`close`] with ABORT, and [`status`]. [`udp`] and [`ping`] have a few of their own.

mod close;
mod open;
mod ping;
mod status;
mod transfer;
mod udp;
