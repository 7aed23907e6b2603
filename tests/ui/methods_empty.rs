use pyroxene::RemoteObject;

#[derive(RemoteObject)]
#[remote(methods())]
struct Account;

fn main() {}
