//! The application: what a computer on the network would run, on our own sockets.
//!
//! [`http`] serves pages with `axum` and `hyper`, [`services`] are the small classics (echo, discard, daytime,
//! chargen), [`cli`] is the `strata` command. All of them run on the [asynchronous](crate::runtime::asynchronous)
//! sockets and leave open who drives them: [`executor`] has the driver's own thread and tokio in real time, and a simulation in
//! virtual time.
//! [`experiments`] are described in files and run in virtual time.

pub mod cli;
pub mod executor;
pub mod experiments;
pub mod http;
pub mod seeded;
pub mod services;
