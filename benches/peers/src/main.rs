//! How many calls Pyroxene makes, and how many its peers do. See README.md.

mod calls;
mod cli;
mod compare;
mod local;
mod peer;
mod peers;
mod process;
mod scale;
mod table;
mod workload;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem:#}");
            ExitCode::FAILURE
        }
    }
}
