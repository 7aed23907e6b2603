use pyroxene::{Proxy, RemoteObject, remote};

#[remote]
trait Teller {
    fn balance(&self) -> u64;
}

#[remote]
trait Auditor {
    fn audit(&self) -> bool;
}

#[derive(RemoteObject)]
#[remote(facets(Teller))]
struct Till;

impl Teller for Till {
    fn balance(&self) -> u64 {
        0
    }
}

fn auditor(till: Proxy<Till>) -> AuditorProxy {
    till.into()
}

fn main() {}
