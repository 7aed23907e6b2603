struct Account;

#[pyroxene::remote]
impl Account {
    #[remote(cancellable)]
    pub fn balance(&self) -> u64 {
        0
    }
}

fn main() {}
