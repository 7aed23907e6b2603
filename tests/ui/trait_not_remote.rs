trait Bank {
    fn balance(&self) -> u64;
}

struct Account;

#[pyroxene::remote]
impl Bank for Account {
    fn balance(&self) -> u64 {
        3
    }
}

fn main() {}
