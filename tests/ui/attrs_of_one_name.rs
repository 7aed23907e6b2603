use pyroxene::RemoteAttributes;

#[derive(RemoteAttributes)]
struct Address {
    #[remote(attr)]
    street: String,
    #[remote(attr(read), name = "street")]
    former: String,
}

fn main() {}
