struct Account;

#[pyroxene::remote]
impl Account {
    pub fn connect(&mut self) {}
}

fn main() {}
