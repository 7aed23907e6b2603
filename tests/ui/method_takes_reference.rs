struct Account;

#[pyroxene::remote]
impl Account {
    pub fn remark(&mut self, line: &str, tags: &[String]) -> usize {
        line.len() + tags.len()
    }
}

fn main() {}
