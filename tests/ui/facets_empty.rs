use pyroxene::RemoteObject;

#[derive(RemoteObject)]
#[remote(facets())]
struct Till;

fn main() {}
