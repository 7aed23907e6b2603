//! `pyroxene completions`: what a shell needs to complete commands.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::cli::failure::Failure;
use crate::cli::screen::Screen;

/// To be written to where the shell looks for it, such as ~/.local/share/bash-completion/completions/pyroxene.
#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, screen: &Screen) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "pyroxene", &mut script);
        let script = String::from_utf8(script).map_err(|problem| Failure::new(problem.to_string()))?;
        screen.line(script.trim_end());
        Ok(())
    }
}
