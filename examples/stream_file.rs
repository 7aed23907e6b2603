//! A report that is larger than any message, streamed in pieces to an archive and back: both ends check it, and a reader who has seen enough
//! half-way stops it, as does an archive that is full.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use pyroxene::{CallError, Daemon, Items};
use serde::{Deserialize, Serialize};

/// Bytes of a piece.
const PIECE: usize = 64 * 1024;

/// Bytes that the archive has room for.
const ROOM: usize = 32 * 1024 * 1024;

#[derive(Default)]
struct Archive {
    report: Vec<u8>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
enum Refused {
    #[error("it is longer than {room} bytes")]
    Full { room: usize },
    #[error("it did not come to its end: {why}")]
    Torn { why: String },
}

#[pyroxene::remote]
impl Archive {
    /// Takes a report in the place of the one before, if all of it comes and fits; how long it is.
    pub async fn store(&mut self, mut pieces: Items<Vec<u8>>) -> Result<u64, Refused> {
        let mut report = Vec::new();
        while let Some(piece) = pieces.next().await {
            report.extend(piece.map_err(|error| Refused::Torn { why: error.to_string() })?);
            if report.len() > ROOM {
                // Nobody reads the pieces any more, so nobody makes them.
                return Err(Refused::Full { room: ROOM });
            }
        }
        self.report = report;
        Ok(self.report.len() as u64)
    }

    /// The report, piece by piece.
    pub fn report(&self) -> Items<Vec<u8>> {
        pieces_of(self.report.clone())
    }

    /// How long it is, and what it adds up to.
    pub fn seal(&self) -> (u64, u64) {
        (self.report.len() as u64, sum(&[&self.report]))
    }
}

fn pieces_of(report: Vec<u8>) -> Items<Vec<u8>> {
    let pieces = report.len().div_ceil(PIECE);
    Items::of((0..pieces).map(move |n| report[n * PIECE..report.len().min((n + 1) * PIECE)].to_vec()))
}

/// FNV-1a; it does not matter how the bytes were cut.
fn sum(pieces: &[&[u8]]) -> u64 {
    let bytes = pieces.iter().flat_map(|piece| piece.iter());
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[pyroxene::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let daemon = Daemon::bind("127.0.0.1:0").await?;
    let report: Vec<u8> = (0..20_000_000_u32).map(|n| (n >> 7) as u8).collect();
    let archive = ArchiveProxy::from(daemon.supervise("archive", Archive::default).await?);

    // All of it goes in.
    let stored = archive.store(pieces_of(report.clone())).await?;
    println!("{stored} bytes stored");
    assert_eq!(stored, report.len() as u64);

    // What is too long is refused as soon as that shows, however much there is of it.
    let endless = Items::of(std::iter::repeat_with(|| vec![0; PIECE]));
    let refused = archive.store(endless).await;
    assert_eq!(refused, Err(CallError::Raised(Refused::Full { room: ROOM })));

    // And out again, more than the 16 MiB that one message may have.
    let mut pieces = Vec::new();
    let mut stream = archive.report().await?;
    while let Some(piece) = stream.next().await {
        pieces.push(piece?);
    }
    let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
    let (length, seal) = archive.seal().await?;
    let received: usize = pieces.iter().map(|piece| piece.len()).sum();
    println!("{received} bytes in {} pieces", pieces.len());
    assert_eq!(received as u64, length);
    assert_eq!(sum(&pieces), seal);
    assert_eq!(sum(&[&report]), seal);

    // The first page is enough: dropping the stream stops whoever makes it.
    let mut stream = archive.report().await?;
    let first = stream.next().await.ok_or("the report is empty")??;
    drop(stream);
    assert_eq!(first.len(), PIECE);
    println!("the first page has {} bytes", first.len());
    Ok(())
}
