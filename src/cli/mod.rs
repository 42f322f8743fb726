//! The command line: one file per verb, each with its `Args` and a `run` that answers with the exit code.

mod arguments;
pub mod check;
pub mod config;
mod daemon;
pub mod decode;
pub mod deliveries;
pub mod demo;
pub mod emit;
pub mod endpoints;
pub mod events;
pub mod explain;
pub mod freeradius;
pub mod generate;
mod interrupt;
pub mod listen;
mod paging;
mod pipe;
pub mod reload;
pub mod rotate;
pub mod run;
pub mod sessions;
pub mod simulate;
pub mod status;
pub mod store;
pub mod verify;
mod whole;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// RADIUS in, webhooks out.
#[derive(Debug, Parser)]
#[command(name = "radhook", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// Every verb has its file in this room under the same name.
#[derive(Debug, Subcommand)]
enum Verb {
    Run(run::Args),
    Reload(reload::Args),
    Check(check::Args),
    Demo(demo::Args),
    Status(status::Args),
    Endpoints(endpoints::Args),
    Events(events::Args),
    Explain(explain::Args),
    Sessions(sessions::Args),
    Deliveries(deliveries::Args),
    Emit(emit::Args),
    Store(store::Args),
    Decode(decode::Args),
    Listen(listen::Args),
    Simulate(simulate::Args),
    Verify(verify::Args),
    Freeradius(freeradius::Args),
    Generate(generate::Args),
}

/// All of the command line, for what is made from it.
fn command() -> clap::Command {
    Cli::command()
}

/// Exit codes, the same for every verb.
pub mod exit {
    /// Done.
    pub const DONE: u8 = 0;
    /// It was tried and failed.
    pub const FAILED: u8 = 1;
    /// The command line is wrong. clap exits with it by itself.
    pub const USAGE: u8 = 2;
    /// The config is invalid; all its problems were printed.
    pub const CONFIG_INVALID: u8 = 3;
    /// The daemon did not answer on its admin socket.
    pub const UNREACHABLE: u8 = 4;
}

/// Parses the command line, runs the verb and answers with its exit code. What fails is said on stderr, with its
/// causes, in one line.
pub fn main() -> ExitCode {
    pipe::end_quietly();
    let outcome: anyhow::Result<u8> = match Cli::parse().verb {
        Verb::Run(args) => run::run(args),
        Verb::Reload(args) => reload::run(args),
        Verb::Check(args) => check::run(args),
        Verb::Demo(args) => demo::run(args),
        Verb::Status(args) => status::run(args),
        Verb::Endpoints(args) => endpoints::run(args),
        Verb::Events(args) => events::run(args),
        Verb::Explain(args) => explain::run(args),
        Verb::Sessions(args) => sessions::run(args),
        Verb::Deliveries(args) => deliveries::run(args),
        Verb::Emit(args) => emit::run(args),
        Verb::Store(args) => store::run(args),
        Verb::Decode(args) => decode::run(args),
        Verb::Listen(args) => listen::run(args),
        Verb::Simulate(args) => simulate::run(args),
        Verb::Verify(args) => verify::run(args),
        Verb::Freeradius(args) => freeradius::run(args),
        Verb::Generate(args) => generate::run(args),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("radhook: {}", in_one_line(&error));
            ExitCode::from(exit::FAILED)
        }
    }
}

/// An error with its causes. Many errors name their cause themselves; nothing is said twice.
fn in_one_line(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.contains(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    line
}
