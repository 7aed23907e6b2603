use pyroxene::RemoteObject;

#[derive(RemoteObject)]
#[remote(methods(Withdraw, Balance, Withdraw))]
struct Account;

fn main() {}
