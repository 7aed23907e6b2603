struct Account;

#[pyroxene::remote]
impl Account {
    pub fn remark(&mut self, line: impl Into<String>) -> String {
        line.into()
    }
}

fn main() {}
