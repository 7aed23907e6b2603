//! A bank as a program would be laid out: what server and client share, a server, a client. They are two processes that know nothing of each
//! other but the name `bank.alice`; this file starts both.
#![allow(clippy::print_stdout, reason = "an example tells its story")]
#![allow(unreachable_pub, reason = "in a larger program these modules are crates")]

mod client;
mod server;
mod shared;
#[path = "../support/mod.rs"]
mod support;

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if support::is_server() {
        return Ok(server::main().await?);
    }
    let _server = support::start().await?;
    client::main().await
}
