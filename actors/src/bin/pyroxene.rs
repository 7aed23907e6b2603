//! The program `pyroxene`: everything that can be done with Pyroxene from a shell.

use std::process::ExitCode;

fn main() -> ExitCode {
    pyroxene_actors::cli::main()
}
