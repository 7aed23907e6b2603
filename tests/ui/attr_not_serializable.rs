use pyroxene::RemoteAttributes;

struct Street(String);

#[derive(RemoteAttributes)]
struct Address {
    #[remote(attr)]
    street: Street,
}

fn main() {}
