//! Calls without async: a box office that three cashiers sell for, each a plain thread. Everything is as in async code, with `wait()` in
//! place of `.await`.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;

use pyroxene::blocking::Wait;
use pyroxene::{CallError, Daemon};
use serde::{Deserialize, Serialize};

const SEATS: u32 = 100;

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("all {seats} seats are sold")]
struct SoldOut {
    seats: u32,
}

#[derive(Default)]
struct BoxOffice {
    sold: u32,
    log: Vec<String>,
}

#[pyroxene::remote]
impl BoxOffice {
    /// Sells a seat; says which.
    pub fn sell(&mut self) -> Result<u32, SoldOut> {
        if self.sold == SEATS {
            return Err(SoldOut { seats: SEATS });
        }
        self.sold += 1;
        Ok(self.sold)
    }

    /// Writes something into the log; nobody waits for it.
    #[remote(oneway)]
    pub fn note(&mut self, line: String) {
        self.log.push(line);
    }

    /// All that was noted.
    #[remote(idempotent)]
    pub fn log(&self) -> Vec<String> {
        self.log.clone()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some("server") {
        return actix_rt::System::new().block_on(serve());
    }
    // The box office is another process; it says where it is.
    let mut server = Command::new(std::env::current_exe()?).arg("server").stdout(Stdio::piped()).spawn()?;
    let mut uri = String::new();
    BufReader::new(server.stdout.take().ok_or("the server has no output")?).read_line(&mut uri)?;

    let outcome = sell_out(uri.trim());
    server.kill()?;
    server.wait()?;
    outcome
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    println!("{}", daemon.supervise("box_office", BoxOffice::default).await?.uri());
    daemon.run().await;
    Ok(())
}

fn sell_out(uri: &str) -> Result<(), Box<dyn Error>> {
    let office = BoxOfficeProxy::connect(uri).wait_secs(5).wait()?;
    // Clones share a connection, and go to as many threads as one likes.
    let cashiers: Vec<_> = ["Ada", "Ben", "Cleo"]
        .map(|name| {
            let office = office.clone();
            thread::spawn(move || cashier(name, &office))
        })
        .into();
    let mut seats = Vec::new();
    for cashier in cashiers {
        seats.extend(cashier.join().map_err(|_| "a cashier panicked")??);
    }
    seats.sort_unstable();
    assert_eq!(seats, (1..=SEATS).collect::<Vec<_>>(), "each seat was sold once");

    let log = office.log().timeout_ms(1_000).wait()?;
    log.iter().for_each(|line| println!("{line}"));
    assert_eq!(log.len(), 3, "what a cashier noted came before it went home");
    Ok(())
}

/// Sells until there is nothing left; says which seats.
fn cashier(name: &str, office: &BoxOfficeProxy) -> Result<Vec<u32>, CallError<SoldOut>> {
    let mut seats = Vec::new();
    loop {
        match office.sell().wait() {
            Ok(seat) => seats.push(seat),
            Err(CallError::Raised(sold_out)) => {
                office.note(format!("{name} sold {} seats: {sold_out}", seats.len()));
                return Ok(seats);
            }
            Err(error) => return Err(error),
        }
    }
}
