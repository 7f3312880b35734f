//! The `strata` command: options in, exit status out. Each command is a file; what they share is in `options`,
//! `views` and `node`.

mod demo;
mod doctor;
mod drill;
mod failure;
mod get;
mod nc;
mod node;
mod options;
mod ping;
mod sandbox;
mod serve;
mod sim;
mod simulated;
mod target;
mod views;

use clap::{ArgAction, Parser, Subcommand};
use failure::Failure;
use std::process::ExitCode;

/// A TCP/IP stack that you can see through: from Ethernet frames on a TAP device to HTTP, in userspace.
#[derive(Parser, Debug)]
#[command(name = "strata", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Exit status: 0 well, 1 what was asked for failed, 2 wrong use.\n\
    Begin with `strata demo`, then `strata sandbox -- curl http://192.0.2.2/`.")]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Say more of what happens; twice for still more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Subcommand, Debug)]
enum Command {
    Demo(demo::Demo),
    Serve(serve::Serve),
    Sandbox(sandbox::Sandbox),
    Get(get::Get),
    Ping(ping::Ping),
    Nc(nc::Nc),
    Drill(drill::Drill),
    Sim(sim::Sim),
    Doctor(doctor::Doctor),
}

/// Runs the command line of this process.
///
/// To be called before any thread is started: the commands that make a namespace must be alone in the process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging(cli.verbose);
    let result = match cli.command {
        Command::Demo(demo) => demo.run(),
        Command::Serve(serve) => serve.run(),
        Command::Sandbox(sandbox) => sandbox.run(),
        Command::Get(get) => get.run(cli.verbose),
        Command::Ping(ping) => ping.run(),
        Command::Nc(nc) => nc.run(),
        Command::Drill(drill) => drill.run(),
        Command::Sim(sim) => sim.run(),
        Command::Doctor(doctor) => doctor.run(),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(Failure { status, sentence }) => {
            anstream::eprintln!("strata: {sentence}");
            ExitCode::from(status)
        }
    }
}

fn start_logging(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::INFO,
        2 => tracing::Level::DEBUG,
        3.. => tracing::Level::TRACE,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_target(false).init();
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_option_has_help() {
        for command in Cli::command().get_subcommands() {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {} has no help", command.get_name(), argument.get_id());
            }
        }
    }
}
