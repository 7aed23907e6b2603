struct Account {
    balance: u64,
}

#[pyroxene::remote]
impl Account {
    #[remote(reentrant)]
    pub async fn balance(&self) -> u64 {
        self.balance
    }
}

fn main() {}
