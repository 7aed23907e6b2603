struct Account;

#[pyroxene::remote]
impl Account {
    pub fn balance(&self) -> std::io::Result<u64> {
        Ok(3)
    }
}

fn main() {}
