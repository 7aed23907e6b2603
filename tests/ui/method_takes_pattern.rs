struct Account;

#[pyroxene::remote]
impl Account {
    pub fn transfer(&mut self, (amount, _to): (u64, String)) -> u64 {
        amount
    }
}

fn main() {}
