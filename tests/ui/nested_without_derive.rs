use pyroxene::RemoteAttributes;

struct Address {
    street: String,
}

#[derive(RemoteAttributes)]
struct Account {
    #[remote(nested)]
    address: Address,
}

fn main() {}
