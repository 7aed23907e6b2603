struct Account {
    owner: String,
}

#[pyroxene::remote]
impl Account {
    pub fn owner(&self) -> &str {
        &self.owner
    }
}

fn main() {}
