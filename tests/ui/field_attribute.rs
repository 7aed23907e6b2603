use pyroxene::RemoteObject;

#[derive(RemoteObject)]
#[remote(methods(Balance))]
struct Account {
    #[remote(attr)]
    owner: String,
}

fn main() {}
