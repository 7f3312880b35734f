//! # What is required, and where it is shown
//!
//! Correctness is not claimed here but shown: each numbered requirement of RFC 9293 with the code that meets it and the
//! test that proves it, and each trap that TCP implementations have fallen into with the test that would catch it. The
//! tables are made by `scripts/rfc` from the citations in code and scripts (`RFC 9293 §3.10.7.4 (MUST-59)`); a
//! requirement without a test and without a reason fails the build.
//!
//! What a segment does in each of the eleven states, wherever it lies, has tables of its own:
//! `tests/conformance/matrix/`, of which every cell is a packet script that `scripts/matrix` prints.
#![doc = ""]
#![doc = include_str!("requirements.md")]
