struct Account;

#[pyroxene::remote]
impl Account {
    #[cfg(unix)]
    pub fn balance(&self) -> u64 {
        3
    }
}

fn main() {}
