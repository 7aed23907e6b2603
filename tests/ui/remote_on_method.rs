struct Account;

impl Account {
    #[pyroxene::remote(oneway)]
    pub fn remark(&mut self, _line: String) {}
}

fn main() {}
