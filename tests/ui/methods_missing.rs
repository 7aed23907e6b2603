use pyroxene::RemoteObject;

#[derive(RemoteObject)]
struct Account;

fn main() {}
