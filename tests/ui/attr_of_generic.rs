use pyroxene::RemoteAttributes;

#[derive(RemoteAttributes)]
struct Cache<K> {
    #[remote(attr, nested, writable)]
    key: K,
}

fn main() {}
