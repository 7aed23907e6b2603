struct Account;

#[pyroxene::remote]
impl Account {
    pub fn close(self) {}
}

fn main() {}
