use pyroxene::{RemoteObject, remote};

#[remote]
trait Teller {
    fn balance(&self) -> u64;
}

#[remote]
trait Auditor {
    fn audit(&self) -> bool;
    fn balance(&self) -> u64;
}

#[derive(RemoteObject)]
#[remote(facets(Teller, Auditor))]
struct Till;

impl Teller for Till {
    fn balance(&self) -> u64 {
        0
    }
}

impl Auditor for Till {
    fn audit(&self) -> bool {
        true
    }

    fn balance(&self) -> u64 {
        0
    }
}

fn main() {}
