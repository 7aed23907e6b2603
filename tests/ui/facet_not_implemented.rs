use pyroxene::{RemoteObject, remote};

#[remote]
trait Teller {
    fn balance(&self) -> u64;
}

#[derive(RemoteObject)]
#[remote(facets(Teller))]
struct Till;

fn main() {}
