struct Account;

#[pyroxene::remote]
impl Account {
    pub fn remark<T: ToString>(&mut self, line: T) -> String {
        line.to_string()
    }
}

fn main() {}
