//! A report that is larger than any message, streamed in pieces: the reader checks it at the end, and another one has seen enough half-way.
#![allow(clippy::print_stdout, reason = "an example tells its story")]

use pyroxene::{Daemon, Items};

/// Bytes of a piece.
const PIECE: usize = 64 * 1024;

struct Archive {
    report: Vec<u8>,
}

#[pyroxene::remote]
impl Archive {
    /// The report, piece by piece.
    pub fn report(&self) -> Items<Vec<u8>> {
        let report = self.report.clone();
        let pieces = report.len().div_ceil(PIECE);
        Items::of((0..pieces).map(move |n| report[n * PIECE..report.len().min((n + 1) * PIECE)].to_vec()))
    }

    /// How long it is, and what it adds up to.
    pub fn seal(&self) -> (u64, u64) {
        (self.report.len() as u64, sum(&[&self.report]))
    }
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
    let archive = daemon.supervise("archive", move || Archive { report: report.clone() }).await?;
    let archive = ArchiveProxy::from(archive);

    // All of it, more than the 16 MiB that one message may have.
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

    // The first page is enough: dropping the stream stops whoever makes it.
    let mut stream = archive.report().await?;
    let first = stream.next().await.ok_or("the report is empty")??;
    drop(stream);
    assert_eq!(first.len(), PIECE);
    println!("the first page has {} bytes", first.len());
    Ok(())
}
