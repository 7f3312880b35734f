//! The book: how a TCP/IP stack works, told along this one.
//!
//! Read it from front to back, with a terminal beside it; every example here is compiled and run with the code.
//!
//! 1. [The path of a byte](path_of_a_byte): up from the wire to the application, and down again.
//! 2. [Encapsulation](encapsulation): headers around headers, stripped and prepended.
//! 3. [Neighbours](neighbours): from an IP address to a hardware address, and what can go wrong with it.
//! 4. [The TCP states](tcp_states): eleven of them, and what moves a connection from one to the next.
//! 5. [Seeing through it](seeing): capture, layer tree, events, counters.
//! 6. [Driving the core yourself](driving): a stack is a value; frames and the time go in, frames come out.
//! 7. [The simulator](simulator): experiments from files, in virtual time, alone and by the thousand.
//! 8. [What is required](requirements): each requirement of RFC 9293 and each trap, with its code and its test.
//! 9. [Congestion control](congestion): what a controller is told, and one of your own in a page.
//! 10. [Loss and delay](loss): this stack beside smoltcp and Linux on the same lossy link, and flows that share.
//! 11. [Under attack](under_attack): floods, guesses and hoarders, and what stands against each.
//! 12. [What is left to the device](device): super-frames, checksums, waiting, several queues; what each is worth.
//! 13. [How fast it is](speed): against what that is measured, and how.

pub mod congestion;
pub mod device;
pub mod driving;
pub mod encapsulation;
pub mod loss;
pub mod neighbours;
pub mod path_of_a_byte;
pub mod requirements;
pub mod seeing;
pub mod simulator;
pub mod speed;
pub mod tcp_states;
pub mod under_attack;
