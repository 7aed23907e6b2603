struct Account {
    balance: u64,
}

#[pyroxene::remote]
impl Account {
    #[remote(reentrant)]
    pub fn deposit(&mut self, amount: u64) {
        self.balance += amount;
    }
}

fn main() {}
