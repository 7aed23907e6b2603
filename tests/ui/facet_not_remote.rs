use pyroxene::RemoteObject;

trait Teller {
    fn balance(&self) -> u64;
}

#[derive(RemoteObject)]
#[remote(facets(Teller))]
struct Till;

impl Teller for Till {
    fn balance(&self) -> u64 {
        0
    }
}

fn main() {}
