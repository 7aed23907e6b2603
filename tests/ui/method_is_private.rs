struct Account;

#[pyroxene::remote]
impl Account {
    pub fn balance(&self) -> u64 {
        3
    }

    #[remote(oneway)]
    fn remark(&mut self, _line: String) {}
}

fn main() {}
