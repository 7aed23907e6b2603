struct Account;

#[pyroxene::remote]
impl Account {
    fn balance(&self) -> u64 {
        3
    }
}

fn main() {}
