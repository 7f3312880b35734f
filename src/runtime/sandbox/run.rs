//! Running a program in the namespace that this process is in.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};

/// Why a program could not be run. The exit status that a shell would give for it is in [`RunError::exit_code`].
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("no command to run: name one behind `--`")]
    NoCommand,
    #[error("{command}: command not found")]
    NotFound { command: String },
    #[error("cannot run {command}: {error}")]
    Other { command: String, error: io::Error },
}

impl RunError {
    /// As POSIX shells say it: 127 not found, 126 found and not run; 2 for wrong use.
    pub fn exit_code(&self) -> i32 {
        match self {
            RunError::NoCommand => 2,
            RunError::NotFound { .. } => 127,
            RunError::Other { .. } => 126,
        }
    }
}

/// Runs a command with this process's own input and output, waits for it, and gives its exit code.
pub fn run(command: &[OsString]) -> Result<i32, RunError> {
    let named = || command.first().map_or(String::new(), |program| program.to_string_lossy().into_owned());
    let ended = spawn(command)?.wait();
    ended.map(exit_code).map_err(|error| RunError::Other { command: named(), error })
}

/// Starts a command with this process's own input and output.
pub fn spawn(command: &[OsString]) -> Result<Child, RunError> {
    let [program, arguments @ ..] = command else { return Err(RunError::NoCommand) };
    let named = || program.to_string_lossy().into_owned();
    Command::new(program).args(arguments).spawn().map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound || is_nowhere(program, &error) {
            RunError::NotFound { command: named() }
        } else {
            RunError::Other { command: named(), error }
        }
    })
}

/// Was permission denied only by a folder of `PATH` that this user may not enter? To a shell that is not found.
fn is_nowhere(program: &OsStr, error: &io::Error) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    error.kind() == io::ErrorKind::PermissionDenied
        && !program.as_encoded_bytes().contains(&b'/')
        && !std::env::split_paths(&path).any(|folder| folder.join(program).exists())
}

/// The exit status as a shell gives it on: 128 and the number of the signal, if one ended the program.
pub fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(command: &[&str]) -> i32 {
        let command: Vec<OsString> = command.iter().map(OsString::from).collect();
        run(&command).unwrap_or_else(|error| error.exit_code())
    }

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        for (command, expected) in [
            (&["true"][..], 0),
            (&["sh", "-c", "exit 7"], 7),
            (&["sh", "-c", "kill -TERM $$"], 143),
            (&["no-such-program-of-strata"], 127),
            (&["/"], 126),
            (&[], 2),
        ] {
            assert_eq!(code(command), expected, "{command:?}");
        }
    }
}
