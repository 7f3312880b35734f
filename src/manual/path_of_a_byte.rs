//! # The path of a byte
//!
//! A browser asks for a page: `GET / HTTP/1.1`. Follow the letter `G`.
//!
//! ```text
//!            up: each layer strips its header          down: each layer prepends its own
//!
//!   runtime/  the application reads it                 the application writes a reply
//!                  ^                                        |
//!   tcp/      in order? into the receive buffer        the send buffer; may it go? how much?
//!                  ^ TCP header off                         | TCP header on
//!   ip/       for us? whole? checksum right?           which way? too large for the link?
//!                  ^ IPv4 header off                        | IPv4 header on
//!   link/     for our hardware address?                who has that IP address? (ARP)
//!                  ^ Ethernet header off                    | Ethernet header on
//!   device/   a frame arrives                          a frame leaves
//! ```
//!
//! ## Up
//!
//! 1. **The device** ([`device`](crate::device)) has a frame. The driver takes it, with as many others as are there,
//!    into a [`Batch`](crate::device::Batch) of buffers that are used again and again, and hands each one to
//!    [`Stack::handle_frame_in`](crate::stack::Stack::handle_frame_in). The bytes are only lent: from here up every
//!    layer looks at a smaller part of the same buffer.
//! 2. **Ethernet** ([`link`](crate::link)) reads 14 bytes: from whom, to whom, and what is inside. Frames for other
//!    hosts end here. ARP is kept here as well: it is the link's own business.
//! 3. **IPv4** ([`ip`](crate::ip)) reads 20 bytes or more. Is the header sound, does its checksum add up, is the
//!    destination one of our addresses? A fragment waits for its siblings; a whole packet goes on to the transport
//!    that the protocol number names.
//! 4. **TCP** ([`tcp`](crate::tcp)) finds the connection by its four numbers (our address and port, the peer's
//!    address and port) in a hash table keyed with a secret. The segment is walked through the steps of RFC 9293
//!    §3.10.7.4 in their order: is it inside the window, is it a reset, what does it acknowledge, does it carry data?
//!    Our `G` is the first byte of the next expected data, so it is copied into the receive buffer: the device wants
//!    its buffer back. (A super-frame's buffer is kept instead, and read from; the device gets it back after that.)
//! 5. **The application** is woken, because its socket has become readable, and reads.
//!
//! A layer that finds something wrong drops the frame and says why
//! ([`DropReason`](crate::event::DropReason)); nothing is ever dropped in silence.
//!
//! ## Down
//!
//! 1. **The application** writes `HTTP/1.1 200 OK`. The bytes are copied into the send buffer, once, and stay there
//!    until the peer has acknowledged them, in case they have to be sent again.
//! 2. **TCP** is *polled for transmission*: it decides whether something may go now (the peer's window, the
//!    congestion window, Nagle's algorithm) and how much. Then it begins a [`Frame`](crate::frame::Frame) whose payload
//!    shares the bytes of the send buffer, and prepends its header. The frame stays where it is until it is complete.
//! 3. **IPv4** finds the route, cuts the packet into fragments if it must and may, and prepends its header.
//! 4. **Ethernet** needs the hardware address of the next hop. If it is known, the header is prepended at once. If
//!    not, the frame waits in a bounded queue while ARP asks. See [neighbours](super::neighbours).
//! 5. **The device** takes the frame in pieces, the headers and then each slice of payload, without flattening it.
//!
//! ## What does not happen
//!
//! None of these layers reads a clock, makes a system call or starts a thread. The time is handed in with every call,
//! and so is the randomness at the beginning, as a seed. That is why the same stack can run on a TAP in real time and
//! under a simulation in virtual time, and why a run can be repeated byte for byte. See [driving](super::driving).
