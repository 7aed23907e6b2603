#[pyroxene::remote]
struct Account {
    balance: u64,
}

fn main() {}
