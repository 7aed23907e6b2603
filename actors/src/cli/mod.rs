//! The program `pyroxene`: one file for each command, on top of what the guests and `pyroxene` export.
//! May use all guests. Prints only by `Screen`; fails only by `Failure`.
//! Must never know how anything works that a command only asks for.

mod app;
mod attributes;
mod bench;
mod call;
mod completions;
mod config;
mod demo;
mod describe;
mod echo;
mod failure;
mod identity;
mod json;
mod ns;
mod nsc;
mod ping;
mod screen;
mod serving;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::app::{App, Options};
use self::failure::Failure;
use self::screen::Screen;

/// Distributed objects as supervised actors: define one, give it a name, call it from anywhere.
#[derive(Debug, Parser)]
#[command(name = "pyroxene", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See it all in a minute: a name server, a bank and a client, calls that succeed and calls that fail
    Demo(demo::Demo),
    /// Run a name server
    Ns(ns::Ns),
    /// Ask a name server, or tell it something
    #[command(subcommand)]
    Nsc(nsc::Nsc),
    /// Say what an object is and what can be called
    Describe(describe::Describe),
    /// Call a method of an object
    Call(call::Call),
    /// Read an attribute of an object
    Get(attributes::Get),
    /// Write an attribute of an object
    Set(attributes::Set),
    /// Follow an attribute of an object
    Watch(attributes::Watch),
    /// Say whether an object can be reached, and how fast
    Ping(ping::Ping),
    /// Run a test object that echoes, fails, panics and is slow
    Echo(echo::Echo),
    /// Measure how fast an echo object is
    Bench(bench::Bench),
    /// Show the configuration, and where each value comes from
    Config(config::Show),
    /// Write what a shell needs to complete commands
    Completions(completions::Completions),
    /// The bank of the demonstration
    #[command(hide = true)]
    DemoServer(demo::server::DemoServer),
    /// The client of the demonstration
    #[command(hide = true)]
    DemoClient(demo::client::DemoClient),
}

/// Runs the program: exit code 0 for success, 1 for an error, 2 for wrong usage.
pub fn main() -> ExitCode {
    let Cli { options, command } = Cli::parse();
    let screen = options.screen();
    match pyroxene::daemon::program::system().block_on(run(&options, &command, &screen)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            screen.failed(&failure);
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options, command: &Command, screen: &Screen) -> Result<(), Failure> {
    // Needs no configuration, and so works with a wrong one.
    if let Command::Completions(completions) = command {
        return completions.run(screen);
    }
    let app = App::new(options, screen)?;
    match command {
        Command::Demo(demo) => demo.run(&app).await,
        Command::Ns(ns) => ns.run(&app).await,
        Command::Nsc(nsc) => nsc.run(&app).await,
        Command::Describe(describe) => describe.run(&app).await,
        Command::Call(call) => call.run(&app).await,
        Command::Get(get) => get.run(&app).await,
        Command::Set(set) => set.run(&app).await,
        Command::Watch(watch) => watch.run(&app).await,
        Command::Ping(ping) => ping.run(&app).await,
        Command::Echo(echo) => echo.run(&app).await,
        Command::Bench(bench) => bench.run(&app).await,
        Command::Config(show) => show.run(&app),
        Command::DemoServer(server) => server.run(&app).await,
        Command::DemoClient(client) => client.run(&app).await,
        Command::Completions(completions) => completions.run(screen),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
